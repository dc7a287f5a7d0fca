"""The link: queue and bandwidth, then what may befall a packet on its way, as one SimPy element.

    put --> queue.admit --> bandwidth.finish_ns --> outage, loss, corruption --> delay --> [event] --> out
               |                                       |            |
           queue_drop                                 lost       corrupt

The line serves first come first served, so when a packet leaves it is known as it arrives (a
virtual departure time; with a queue that decides at the entrance this is exact, no approximation),
and one event a packet is enough: its arrival at the other end. CoDel decides at the exit, so
`CodelLink` holds packets until their turn and needs one more event for each.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from simpy import Environment, Event, Timeout

from simulator import scenario_channel
from simulator.channel import bandwidth, corruption, delay, loss, outage, queue, reorder
from simulator.channel.bandwidth import Bandwidth
from simulator.channel.codel import Codel
from simulator.channel.corruption import Corruption, damage
from simulator.channel.delay import Delay
from simulator.channel.loss import Loss
from simulator.channel.outage import Outage
from simulator.channel.queue import Queue
from simulator.channel.reorder import Reorder
from simulator.journey import Fate, Journey, Tally
from simulator.packet import OVERHEAD_BYTES
from simulator.streams import Draws, generator


@dataclass(frozen=True)
class Copies:
    """Some packets arrive twice.

    Attributes:
        rate: Share of packets, 0 to 1.
        draws: One a packet.
        delay: Of the copies, so that those of the originals stay as they were.
    """

    rate: float
    draws: Draws
    delay: Delay

    def arrival_ns(self, left_ns: int) -> int | None:
        """When the copy of a packet that left the line at `left_ns` would arrive; None if there is none."""
        delay_ns = self.delay.draw(left_ns)
        return left_ns + delay_ns if self.draws.uniform() < self.rate else None


@dataclass(frozen=True)
class Mishaps:
    """What may befall a packet besides loss and delay; None where it does not happen."""

    outage: Outage | None = None
    corruption: Corruption | None = None
    reorder: Reorder | None = None
    copies: Copies | None = None


class Link:
    """One direction of a path.

    Each model draws once for each packet that leaves the line, whatever the others say: loss decides
    whether a packet arrives, never when, so two loss rates can be compared packet by packet. A lost
    packet still holds back those behind it where order is kept. A copy arrives no sooner than its
    original and holds nobody back.

    Args:
        env: The simulation, with integer nanoseconds.
        queue, bandwidth, loss, delay, mishaps: The models.
        out: Called with each journey that reaches the other end, at that time.

    Attributes:
        queue_drop, lost, corrupt: What did not get through, by cause.
    """

    def __init__(
        self,
        env: Environment,
        queue: Queue,
        bandwidth: Bandwidth,
        loss: Loss,
        delay: Delay,
        out: Callable[[Journey], None],
        mishaps: Mishaps = Mishaps(),  # frozen
    ) -> None:
        self._env = env
        self._schedule: Callable[[Any, Any, int], None] = env.schedule
        self._admit, self._finish_ns = queue.admit, bandwidth.finish_ns
        self._lost, self._draw_delay, self._fifo = loss.lost, delay.draw, not delay.reorder
        self._mishaps = None if mishaps == Mishaps() else mishaps
        self._on_arrival = (_unpack(out),)
        self._line_free_ns = self._last_arrival_ns = 0
        self.queue_drop, self.lost, self.corrupt = Tally(), Tally(), Tally()

    def put(self, journey: Journey) -> None:
        """Take a packet from the sender, now."""
        now_ns: int = self._env.now  # type: ignore[assignment]  # simpy says float; ours are whole ns
        free_ns, size_bytes = self._line_free_ns, journey.size_bytes
        start_ns = free_ns if free_ns > now_ns else now_ns
        if self._admit(now_ns, start_ns, size_bytes):
            left_ns = self._line_free_ns = self._finish_ns(start_ns, size_bytes)
            self._cross(journey, now_ns, left_ns)
        else:
            _end(journey, "queue_drop", self.queue_drop)

    def _cross(self, journey: Journey, now_ns: int, left_ns: int) -> None:
        """The way of a packet that leaves the line at `left_ns`."""
        lost = self._lost(left_ns)
        arrival_ns = left_ns + self._draw_delay(left_ns)
        if self._fifo:
            if arrival_ns < self._last_arrival_ns:
                arrival_ns = self._last_arrival_ns
            self._last_arrival_ns = arrival_ns
        if self._mishaps is not None:
            self._cross_mishaps(self._mishaps, journey, now_ns, left_ns, arrival_ns, lost)
        elif lost:
            _end(journey, "lost", self.lost)
        else:
            self._schedule(_Arrival(self._on_arrival, journey), 1, arrival_ns - now_ns)  # 1: simpy's NORMAL

    def _cross_mishaps(
        self, mishaps: Mishaps, journey: Journey, now_ns: int, left_ns: int, arrival_ns: int, lost: bool
    ) -> None:
        """The rest of the way where more than loss and delay may happen."""
        if mishaps.outage and mishaps.outage.down(left_ns):
            lost = True
        wrong_bits = mishaps.corruption.wrong_bits(journey.size_bytes) if mishaps.corruption else None
        copy_ns = mishaps.copies.arrival_ns(left_ns) if mishaps.copies else None
        if mishaps.reorder and mishaps.reorder.skips():
            arrival_ns = left_ns
        if lost:
            _end(journey, "lost", self.lost)
        elif wrong_bits and not _stands(journey, wrong_bits, mishaps.corruption):
            _end(journey, "corrupt", self.corrupt)
        else:
            self._schedule(_Arrival(self._on_arrival, journey), 1, arrival_ns - now_ns)
            if copy_ns is not None:
                copy = _Arrival(self._on_arrival, journey.copy())
                self._schedule(copy, 1, max(copy_ns, arrival_ns) - now_ns)


class CodelLink(Link):
    """A link whose queue decides as packets leave: it holds them, and serves one after the other."""

    def __init__(
        self,
        env: Environment,
        queue: Codel[Journey],
        bandwidth: Bandwidth,
        loss: Loss,
        delay: Delay,
        out: Callable[[Journey], None],
        mishaps: Mishaps = Mishaps(),  # frozen
    ) -> None:
        super().__init__(env, _NoQueue(), bandwidth, loss, delay, out, mishaps)
        self._queue, self._busy = queue, False

    def put(self, journey: Journey) -> None:
        """Take a packet from the sender, now."""
        now_ns: int = self._env.now  # type: ignore[assignment]
        if not self._queue.push(now_ns, journey.size_bytes, journey):
            _end(journey, "queue_drop", self.queue_drop)
        elif not self._busy:
            self._serve()

    def _serve(self, _: Event | None = None) -> None:
        """The line is free: send the next packet, and come back when that is done."""
        now_ns: int = self._env.now  # type: ignore[assignment]
        packet, dropped = self._queue.pop(now_ns)
        for each in dropped:
            _end(each.item, "queue_drop", self.queue_drop)
        self._busy = packet is not None
        if packet:
            left_ns = self._finish_ns(now_ns, packet.size_bytes)
            self._cross(packet.item, now_ns, left_ns)
            Timeout(self._env, left_ns - now_ns).callbacks.append(self._serve)


class _NoQueue:
    """Stands where the queue at the entrance would be."""

    def admit(self, now_ns: int, start_ns: int, size_bytes: int) -> bool:
        raise AssertionError("packets of this link wait in its own queue")


class _Arrival:
    """An event of simpy for one packet: what `Environment.step` asks of one and no more, for speed."""

    __slots__ = ("callbacks", "journey")

    _ok = True  # simpy: nothing failed

    def __init__(self, callbacks: Any, journey: Journey) -> None:
        self.callbacks, self.journey = callbacks, journey


def _stands(journey: Journey, wrong_bits: list[int], corruption: Corruption | None) -> bool:
    """Whether a packet with wrong bits is delivered all the same; if so, it has them from now on."""
    payload, headers_whole = damage(journey.packet.payload, OVERHEAD_BYTES, wrong_bits)
    if not headers_whole or corruption is None or corruption.checksum:
        return False
    journey.packet = replace(journey.packet, payload=payload)
    return True


def _unpack(out: Callable[[Journey], None]) -> Callable[[_Arrival], None]:
    """`out` as a callback of simpy; a closure is quicker than a method, and each packet calls it."""

    def arrive(event: _Arrival) -> None:
        out(event.journey)

    return arrive


def _end(journey: Journey, fate: Fate, tally: Tally) -> None:
    journey.fate = fate
    tally.add(journey.size_bytes)


def make(env: Environment, channel: scenario_channel.Channel, seed: int, out: Callable[[Journey], None]) -> Link:
    """The link a scenario asks for.

    Raises:
        TraceError: If a file it names cannot be used.
    """
    way = (
        bandwidth.make(channel.bandwidth, seed),
        loss.make(channel.loss, seed),
        delay.make(channel.delay, seed),
        out,
        Mishaps(
            outage.make(channel.outage, seed),
            corruption.make(channel.corruption, seed),
            reorder.make(channel.reorder, seed),
            _copies(channel, seed),
        ),
    )
    waiting = channel.queue
    if isinstance(waiting, scenario_channel.CodelQueue):
        return CodelLink(env, Codel(waiting.packets, waiting.target_ns, waiting.interval_ns, channel.mtu_bytes), *way)
    return Link(env, queue.make(waiting, seed), *way)


def _copies(channel: scenario_channel.Channel, seed: int) -> Copies | None:
    if not channel.duplicate:
        return None
    draws = Draws(generator(seed, "duplicate"))
    return Copies(channel.duplicate, draws, delay.make(channel.delay, seed, "duplicate delay"))


def check(channel: scenario_channel.Channel) -> None:
    """Build the link and throw it away, so that a bad trace is known before the long work.

    Raises:
        TraceError: If a file the channel names cannot be used.
    """
    make(Environment(), channel, 0, lambda journey: None)
