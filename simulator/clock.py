"""SimPy's clock in whole nanoseconds, with a quicker queue beside SimPy's own for what comes once a packet.

    SimPy's heap    timeouts, processes       the next event is the smallest (time, priority, number, event)
    the calendar    packets that arrive       filed by millisecond; a millisecond is sorted when its turn comes

A packet is one arrival, and there are millions: filed so, one costs three quarters of what it does in a heap, and
needs no event. Times and numbers are shared, so packets and events take turns as if there were one heap.
This is the one module that looks inside SimPy.
"""

import gc
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from typing import Any, TypeAlias

from simpy import Environment, Event

COLLECT_AFTER = 50_000  # new objects: Python's 700 are a few frames, of which hardly any make a cycle
NORMAL = 1  # simpy.core.NORMAL: the priority of all events but those that start or stop a process
DAY_BITS = 20  # a day of the calendar has 2^20 ns, about a millisecond

Arrival: TypeAlias = tuple[int, int, int, Callable[[Any], None], Any]  # as in SimPy's heap: time, priority, number


class Clock(Environment):
    """An environment of SimPy whose time is in ns, and starts at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 0
        self._number = self._eid.__next__  # of events and arrivals alike
        self._days: dict[int, list[Arrival]] = {}  # after today, unsorted
        self._order: list[int] = []  # heap of them
        self._today, self._due = -1, list[Arrival]()  # sorted; also holds what is filed for a day before

    def call_at(self, time_ns: int, call: Callable[[Any], None], what: Any) -> None:
        """Call `call(what)` at a time, which is not past; after all that was scheduled for it before."""
        arrival = (time_ns, NORMAL, self._number(), call, what)
        day = time_ns >> DAY_BITS
        filed = self._days.get(day)
        if filed is not None:
            filed.append(arrival)
        elif day > self._today:
            self._days[day] = [arrival]
            heappush(self._order, day)
        else:
            insort(self._due, arrival)

    def run(self, until: float | Event | None = None) -> None:
        """Event after event and arrival after arrival, in order of time and number, until there are none."""
        assert until is None, "this clock stops when nothing is left"
        with _seldom_collected():
            self._run()

    def _run(self) -> None:
        events, place = self._queue, 0
        while True:
            due = self._due
            if place < len(due):
                arrival = due[place]
                if not events or arrival < events[0]:
                    place += 1
                    self.now_ns, _, _, call, what = arrival
                    self._now = arrival[0]
                    call(what)
                    continue
            elif self._order:
                self._today = heappop(self._order)
                self._due, place = sorted(self._days.pop(self._today)), 0
                continue
            elif not events:
                return
            self._now, _, _, event = heappop(events)  # from here on, what `Environment.step` does
            self.now_ns = self._now  # type: ignore[assignment]  # float, says SimPy; ours are whole ns
            callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]  # SimPy's mark of the past
            for callback in callbacks:
                callback(event)
            if not event._ok and not hasattr(event, "_defused"):
                raise event._value


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Look for cyclic garbage less often meanwhile; whoever has switched that off, or set it higher, keeps it so."""
    before = gc.get_threshold()
    if 0 < before[0] < COLLECT_AFTER:
        gc.set_threshold(COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
