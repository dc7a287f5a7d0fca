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
    """Shows how many cells of a sweep are done: a bar with the time left, or a line every so often.

    Args:
        stream: Where to write; a bar if it is a terminal, lines if it is a file or a pipe.
        every_s: Seconds between two lines.
    """

    def __init__(self, stream: TextIO | None = None, every_s: float = 10.0) -> None:
        self.stream, self.every_s = stream or sys.stderr, every_s
        self.since, self.told, self.before = 0.0, 0.0, -1
        self.bar: Any = None

    def __call__(self, done: int, failed: int, total: int) -> None:
        """`done` and `failed` of `total` cells are finished."""
        now = time.perf_counter()
        if self.before < 0:
            self.before, self.since = done, now
            if self.stream.isatty():
                from tqdm import tqdm

                self.bar = tqdm(total=total, initial=done, desc="sweep", unit=" cells", file=self.stream)
        if self.bar is not None:
            self.bar.set_postfix({"failed": failed} if failed else {}, refresh=False)
            self.bar.update(done - self.bar.n)
        elif now - self.told >= self.every_s or done + failed == total:
            self.told = now
            print(f"{done}/{total} cells{self._rest(done, failed, total, now)}", file=self.stream, flush=True)

    def _rest(self, done: int, failed: int, total: int, now: float) -> str:
        """How many failed, and how long the others will take at the pace so far."""
        said = f", {failed} failed" if failed else ""
        if done > self.before and done + failed < total:
            left_s = (now - self.since) / (done - self.before) * (total - done - failed)
            said += f", about {left_s:.0f} s left"
        return said

    def close(self) -> None:
        """Leave the bar as it stands; called before anything else is printed."""
        if self.bar is not None:
            self.bar.close()
