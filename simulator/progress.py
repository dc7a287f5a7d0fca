"""Progress on stderr: a bar on a terminal, plain lines elsewhere; of the stages of a run, or of a sweep."""

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

Report = Callable[[str, int, int], None]  # (stage, done, total); a stage ends with done == total


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""


class Progress:
    """Shows stages one after the other.

    Args:
        stream: Where to write; a bar if it is a terminal, lines if it is a file or a pipe.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.stage, self.since = "", 0.0
        self.bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` frames of a stage are finished."""
        if stage != self.stage:
            self.close()
            self.stage, self.since = stage, time.perf_counter()
            if self.stream.isatty():
                from tqdm import tqdm

                self.bar = tqdm(total=total, desc=f"{stage:<9}", unit=" frames", file=self.stream)
        if self.bar is not None:
            self.bar.update(done - self.bar.n)
        elif done == total:
            seconds = time.perf_counter() - self.since
            print(f"{stage:<9} {total} frames in {seconds:.1f} s", file=self.stream, flush=True)
        if done == total:
            self.close()

    def close(self) -> None:
        """Leave the bar as it stands; called before anything else is printed."""
        if self.bar is not None:
            self.bar.close()
        self.bar, self.stage = None, ""


class SweepProgress:
    """Shows how many cells of a sweep are done and how long the others will take.

    The pace is that since the first cells were done: what comes before them, the start of Python and of the
    codec and the encoding of the first film, says little about the rest.

    Args:
        stream: Where to write; a bar if it is a terminal, lines if it is a file or a pipe.
        every_s: Seconds between two lines.
    """

    def __init__(self, stream: TextIO | None = None, every_s: float = 10.0) -> None:
        self.stream, self.every_s = stream or sys.stderr, every_s
        self.since, self.told, self.before = 0.0, 0.0, -1
        self.paced: tuple[float, int] | None = None  # when the first cells of this call were done, and how many were
        self.over = False
        self.bar: Any = None

    def __call__(self, done: int, failed: int, total: int) -> None:
        """`done` and `failed` of `total` cells are finished."""
        now = time.perf_counter()
        if self.before < 0:
            self._begin(now, done, total)
        if self.paced is None and done + failed > self.before:
            self.paced = (now, done + failed)
        left = self._left(now, done + failed, total)
        said = f"{failed} failed, {left}" if failed and left else f"{failed} failed" if failed else left
        if self.bar is not None:
            self.bar.set_postfix_str(said, refresh=False)
            self.bar.n = done
            self.bar.refresh()
        elif now - self.told >= self.every_s or (done + failed == total and not self.over):
            self.told, self.over = now, done + failed == total
            print(f"{done}/{total} cells{', ' * bool(said)}{said}", file=self.stream, flush=True)

    def _begin(self, now: float, done: int, total: int) -> None:
        self.before, self.since = done, now
        if self.stream.isatty():
            from tqdm import tqdm

            form = "{l_bar}{bar}| {n_fmt}/{total_fmt} cells [{elapsed}{postfix}]"
            self.bar = tqdm(total=total, initial=done, desc="sweep", bar_format=form, file=self.stream)

    def _left(self, now: float, finished: int, total: int) -> str:
        """How long the others will take, in words; until that can be told, how long it has taken so far."""
        if finished == total:
            return ""
        if self.paced is None or finished == self.paced[1]:
            return f"{duration(now - self.since)} so far" if now - self.since >= 1 and self.bar is None else ""
        start, first = self.paced
        return f"about {duration((now - start) / (finished - first) * (total - finished))} left"

    def close(self) -> None:
        """Leave the bar as it stands; called before anything else is printed."""
        if self.bar is not None:
            self.bar.close()


def duration(seconds: float) -> str:
    """As people say it.

    >>> duration(8.4), duration(600), duration(4297), duration(90000)
    ('8 s', '10 min', '1 h 12 min', '25 h 0 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
