"""Queues: is there room for a packet that has to wait?

Time is virtual: the line serves first come first served, so when a packet will start is known the
moment it arrives, and the queue needs no events. A packet counts from its arrival until its first
bit is sent; at the very nanosecond one leaves, its place is free.
"""

import sys
from collections import deque
from typing import Protocol, assert_never

from simulator import scenario_channel


class Queue(Protocol):
    """What the link asks of a queue."""

    def admit(self, now_ns: int, start_ns: int, size_bytes: int) -> bool:
        """Take a packet in, or refuse it.

        Args:
            now_ns: When it arrives; never less than in the call before.
            start_ns: When the line could begin to send it, >= now_ns.
            size_bytes: On the wire.
        """
        ...


class Infinite:
    """Room for everything."""

    __slots__ = ()

    def admit(self, now_ns: int, start_ns: int, size_bytes: int) -> bool:
        """Always True."""
        return True


class DropTail:
    """Refuses a packet that has to wait where waiting ones fill the room.

    A packet that finds the line idle waits for nobody and is always admitted. With room for N
    packets, N + 1 are in the system at most, so this is an M/M/1/K system with K = N + 1.

    Args:
        packets: Room for so many waiting packets; None: no such limit.
        bytes: Room for so many waiting bytes on the wire; None: no such limit.
    """

    __slots__ = ("_bytes_limit", "_bytes_waiting", "_packets_limit", "_waiting")

    def __init__(self, packets: int | None = None, bytes: int | None = None) -> None:
        self._packets_limit = sys.maxsize if packets is None else packets
        self._bytes_limit = sys.maxsize if bytes is None else bytes
        self._waiting: deque[tuple[int, int]] = deque()  # (start_ns, size_bytes), oldest first
        self._bytes_waiting = 0

    def admit(self, now_ns: int, start_ns: int, size_bytes: int) -> bool:
        """See `Queue.admit`."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= now_ns:
            self._bytes_waiting -= waiting.popleft()[1]
        if start_ns <= now_ns:
            return True
        if len(waiting) >= self._packets_limit or self._bytes_waiting + size_bytes > self._bytes_limit:
            return False
        waiting.append((start_ns, size_bytes))
        self._bytes_waiting += size_bytes
        return True


def make(model: scenario_channel.QueueModel) -> Queue:
    """The queue a scenario asks for."""
    match model:
        case scenario_channel.InfiniteQueue():
            return Infinite()
        case scenario_channel.DroptailQueue():
            return DropTail(model.packets, model.bytes)
    assert_never(model)
