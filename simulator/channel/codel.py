"""CoDel: a queue that looks at how long packets have waited, and drops some as they leave.

So it has to hold the packets, and the link has to ask for each at its turn (RFC 8289, section 5).
"""

import math
from collections import deque
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Waiting(NamedTuple, Generic[T]):
    """A packet in the queue: when it came, its size on the wire, and whatever the link knows it by."""

    arrived_ns: int
    size_bytes: int
    item: T


class Codel(Generic[T]):
    """Controlled delay.

    Once packets have waited at least `target_ns` for `interval_ns` without a break, one is dropped
    as it would leave, the next `interval / sqrt(1)` later, the next `interval / sqrt(2)` after that,
    and so on until a packet has waited less: the drop rate grows just enough to slow a sender that
    reacts. When overload returns soon, the count goes on near where it was.

    Args:
        packets: Room for so many.
        target_ns: Acceptable wait.
        interval_ns: How long it may be exceeded; about a round trip.
        mtu_bytes: With no more than this left in the queue, nothing is dropped.
    """

    __slots__ = ("_above_since_ns", "_count", "_drop_next_ns", "_dropping", "_interval_ns", "_last_count",
                 "_mtu_bytes", "_packets", "_queue", "_queue_bytes", "_target_ns")  # fmt: skip

    def __init__(self, packets: int, target_ns: int, interval_ns: int, mtu_bytes: int) -> None:
        self._packets, self._target_ns, self._interval_ns = packets, target_ns, interval_ns
        self._mtu_bytes = mtu_bytes
        self._queue: deque[Waiting[T]] = deque()
        self._queue_bytes = 0
        self._above_since_ns: int | None = None  # RFC: first_above_time, which is this plus the interval
        self._dropping = False
        self._drop_next_ns = self._count = self._last_count = 0

    def push(self, now_ns: int, size_bytes: int, item: T) -> bool:
        """Take a packet in; False if there is no room."""
        if len(self._queue) >= self._packets:
            return False
        self._queue.append(Waiting(now_ns, size_bytes, item))
        self._queue_bytes += size_bytes
        return True

    def pop(self, now_ns: int) -> tuple[Waiting[T] | None, list[Waiting[T]]]:
        """The packet whose turn it is (None if none is left), and those dropped before it."""
        dropped: list[Waiting[T]] = []
        packet, too_long = self._take(now_ns)
        if self._dropping:
            self._dropping = too_long
            while self._dropping and packet and now_ns >= self._drop_next_ns:
                dropped.append(packet)
                self._count += 1
                packet, self._dropping = self._take(now_ns)
                if self._dropping:
                    self._drop_next_ns = self._after(self._drop_next_ns)
        elif too_long and packet:
            dropped.append(packet)
            packet, _ = self._take(now_ns)
            self._start_dropping(now_ns)
        return packet, dropped

    def _start_dropping(self, now_ns: int) -> None:
        """First drop of a series; soon after another one, at nearly the rate that one had reached."""
        self._dropping = True
        grown = self._count - self._last_count
        recent = now_ns - self._drop_next_ns < 16 * self._interval_ns
        self._count = grown if grown > 1 and recent else 1
        self._last_count = self._count
        self._drop_next_ns = self._after(now_ns)

    def _after(self, time_ns: int) -> int:
        """The control law: when the next drop is due."""
        return time_ns + round(self._interval_ns / math.sqrt(self._count))

    def _take(self, now_ns: int) -> tuple[Waiting[T] | None, bool]:
        """The first packet, and whether waits have been above the target for an interval."""
        if not self._queue:
            self._above_since_ns = None
            return None, False
        packet = self._queue.popleft()
        self._queue_bytes -= packet.size_bytes
        if now_ns - packet.arrived_ns < self._target_ns or self._queue_bytes <= self._mtu_bytes:
            self._above_since_ns = None
            return packet, False
        if self._above_since_ns is None:
            self._above_since_ns = now_ns
            return packet, False
        return packet, now_ns >= self._above_since_ns + self._interval_ns
