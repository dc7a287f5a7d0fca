"""Progress on stderr: a bar per stage on a terminal, one plain line per stage elsewhere."""

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
