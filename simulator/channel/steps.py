"""A value that changes in time, in steps: the rows of a trace."""

from collections.abc import Sequence
from typing import Generic, TypeVar

V = TypeVar("V")

FOREVER = 2**63 - 1  # ns: 292 years


class Steps(Generic[V]):
    """Rows (time, value): each value holds until the next row, the first one also before its time.

    Repeated rows have a period of the last time plus the length of the row before it, since a trace
    does not say how long its last row lasts; a single row then never ends.

    Args:
        rows: (ns, value), at least one, times growing.
        repeat: Start again after the last row; else it holds for ever.
    """

    __slots__ = ("_base_ns", "_period_ns", "_row", "_starts_ns", "_values")

    def __init__(self, rows: Sequence[tuple[int, V]], repeat: bool) -> None:
        self._starts_ns = [time_ns for time_ns, _ in rows]
        self._values = [value for _, value in rows]
        self._period_ns = FOREVER
        if repeat and len(rows) > 1:
            self._period_ns = 2 * self._starts_ns[-1] - self._starts_ns[-2]
        self._base_ns = self._row = 0

    def at(self, now_ns: int) -> tuple[V, int]:
        """The value at a time, and when the next one starts; `now_ns` never less than in the call before."""
        if now_ns - self._base_ns >= self._period_ns:
            self._base_ns, self._row = now_ns - now_ns % self._period_ns, 0
        starts_ns, last, past_ns = self._starts_ns, len(self._values) - 1, now_ns - self._base_ns
        while self._row < last and starts_ns[self._row + 1] <= past_ns:
            self._row += 1
        until_ns = starts_ns[self._row + 1] if self._row < last else self._period_ns
        return self._values[self._row], self._base_ns + until_ns
