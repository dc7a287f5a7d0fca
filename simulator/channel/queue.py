"""Queues: is there room for a packet that has to wait?

Time is virtual: the line serves first come first served, so when a packet will start is known the
moment it arrives, and the queue needs no events. A packet counts from its arrival until its first
bit is sent; at the very nanosecond one leaves, its place is free.

A queue that decides as packets leave cannot be had this way: see codel.
"""

import sys
from collections import deque
from typing import Protocol, TypeAlias, assert_never

from simulator import scenario_channel
from simulator.channel import own
from simulator.streams import Draws, generator


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
        packets: Room for so many waiting packets.
    """

    __slots__ = ("_limit", "_waiting")

    def __init__(self, packets: int) -> None:
        self._limit = packets
        self._waiting: deque[int] = deque()  # start_ns, oldest first

    def admit(self, now_ns: int, start_ns: int, size_bytes: int) -> bool:
        """See `Queue.admit`."""
        if start_ns <= now_ns:
            return True
        waiting = self._waiting
        while waiting and waiting[0] <= now_ns:
            waiting.popleft()
        if len(waiting) >= self._limit:
            return False
        waiting.append(start_ns)
        return True


class DropTailBytes:
    """The same with room for so many bytes.

    Args:
        bytes: Room for so many waiting bytes on the wire.
        packets: Room for so many waiting packets; None: no such limit.
    """

    __slots__ = ("_bytes_limit", "_bytes_waiting", "_packets_limit", "_waiting")

    def __init__(self, bytes: int, packets: int | None = None) -> None:
        self._packets_limit = sys.maxsize if packets is None else packets
        self._bytes_limit = bytes
        self._waiting: deque[tuple[int, int]] = deque()  # (start_ns, size_bytes), oldest first
        self._bytes_waiting = 0

    def admit(self, now_ns: int, start_ns: int, size_bytes: int) -> bool:
        """See `Queue.admit`."""
        if start_ns <= now_ns:
            return True
        waiting = self._waiting
        while waiting and waiting[0][0] <= now_ns:
            self._bytes_waiting -= waiting.popleft()[1]
        if len(waiting) >= self._packets_limit or self._bytes_waiting + size_bytes > self._bytes_limit:
            return False
        waiting.append((start_ns, size_bytes))
        self._bytes_waiting += size_bytes
        return True


class Red:
    """Random early detection: drops before it is full, the more the longer it is on average.

    The mean length is a moving average, mean += weight (length - mean), that decays while the line
    is idle as if packets had come and gone. From `min_packets` on, packets are dropped with a chance
    p that grows evenly to `max_share` at `max_packets`, from where all are; p / (1 - count p), count
    being the packets since the last drop, spreads the drops evenly (Floyd and Jacobson, "Random
    early detection gateways for congestion avoidance", 1993, sections 4, 7 and 11).

    Args:
        packets: Room for so many waiting packets.
        min_packets, max_packets: Mean lengths where dropping starts, and where nothing gets in.
        max_share: Chance of a drop just below `max_packets`.
        weight: Of the present length in its mean.
        draws: One a packet.
    """

    __slots__ = ("_count", "_last_start_ns", "_limits", "_max_share", "_mean", "_packet_ns", "_room", "_uniform",
                 "_waiting", "_weight")  # fmt: skip

    def __init__(
        self, packets: int, min_packets: float, max_packets: float, max_share: float, weight: float, draws: Draws
    ) -> None:
        self._room, self._limits, self._max_share, self._weight = packets, (min_packets, max_packets), max_share, weight
        self._uniform = draws.uniform
        self._waiting: deque[int] = deque()  # start_ns, oldest first
        self._mean, self._count = 0.0, -1
        self._last_start_ns = self._packet_ns = 0

    def admit(self, now_ns: int, start_ns: int, size_bytes: int) -> bool:
        """See `Queue.admit`."""
        waiting = self._waiting
        while waiting and waiting[0] <= now_ns:
            waiting.popleft()
        self._update_mean(now_ns, start_ns)
        if self._drops() or len(waiting) >= self._room:
            self._count = 0
            return False
        if start_ns > now_ns:  # packets wait back to back, so what lies between two starts is a packet's time
            self._packet_ns = max(start_ns - self._last_start_ns, 1)
            waiting.append(start_ns)
        self._last_start_ns = start_ns
        return True

    def _update_mean(self, now_ns: int, start_ns: int) -> None:
        if start_ns > now_ns:
            self._mean += self._weight * (len(self._waiting) - self._mean)
        elif self._packet_ns:
            idle_ns = max(now_ns - self._last_start_ns - self._packet_ns, 0)
            self._mean *= (1 - self._weight) ** (1 + idle_ns / self._packet_ns)

    def _drops(self) -> bool:
        least, most = self._limits
        draw = self._uniform()
        if self._mean < least:
            self._count = -1
            return False
        if self._mean >= most:
            return True
        self._count += 1
        share = self._max_share * (self._mean - least) / (most - least)
        return self._count * share >= 1 or draw < share / (1 - self._count * share)


Entrance: TypeAlias = (
    scenario_channel.InfiniteQueue | scenario_channel.DroptailQueue | scenario_channel.RedQueue | scenario_channel.Own
)  # the queues that decide as packets arrive


def make(model: Entrance, seed: int) -> Queue:
    """The queue a scenario asks for, with its own stream of chance.

    Raises:
        ScenarioError: If a class it names cannot be used.
    """
    match model:
        case scenario_channel.InfiniteQueue():
            return Infinite()
        case scenario_channel.DroptailQueue():
            if model.bytes is not None:
                return DropTailBytes(model.bytes, model.packets)
            assert model.packets is not None, model  # the scenario asks for one of them
            return DropTail(model.packets)
        case scenario_channel.RedQueue():
            limits = model.min_packets, model.max_packets
            return Red(model.packets, *limits, model.max_share, model.weight, Draws(generator(seed, "queue")))
        case scenario_channel.Own():
            custom: Queue = own.make("channel.queue", model, ("admit",), seed, "queue")
            return custom
    assert_never(model)
