"""The link: queue and bandwidth, then what may befall a packet on its way, as one SimPy element.

    put --> queue.admit --> bandwidth.finish_ns --> outage, loss, corruption --> delay --> [event] --> out
               |                                       |            |
           queue_drop                                 lost       corrupt

The line serves first come first served, so when a packet leaves it is known as it arrives (a
virtual departure time; with a queue that decides at the entrance this is exact, no approximation),
and one event a packet is enough: its arrival at the other end. CoDel decides at the exit, so
`CodelLink` holds packets until their turn and needs one more event for each.

Each packet that is sent for the first time has its own draw of each model, used or not: what the queue
drops and what is sent again (`repeats`) moves the draws of no other packet.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from simulator import scenario_channel
from simulator.channel import bandwidth, delay, loss, mishaps, queue
from simulator.channel.bandwidth import Bandwidth
from simulator.channel.codel import Codel
from simulator.channel.delay import Delay
from simulator.channel.loss import Loss
from simulator.channel.mishaps import NO_MISHAPS, Mishaps, stands
from simulator.channel.queue import Queue
from simulator.channel.repeats import Counted, make_loss
from simulator.clock import Clock
from simulator.journey import Fate, Journey, Tally


@dataclass(frozen=True)
class Repeats:
    """The models that packets meet which are sent again, with chance of their own."""

    loss: Loss
    delay: Delay
    mishaps: Mishaps


class Link:
    """One direction of a path.

    Each model draws once for each packet, whatever the others say: loss decides whether a packet
    arrives, never when, so two loss rates can be compared packet by packet. A lost packet still holds
    back those behind it where order is kept. A copy arrives no sooner than its original and holds
    nobody back.

    Args:
        clock: The simulation's.
        queue, bandwidth, loss, delay, mishaps: The models.
        out: Called with each journey that reaches the other end, at that time.
        repeats: The models for packets sent again; None: they meet the same ones.

    Attributes:
        queue_drop, lost, corrupt: What did not get through, by cause.
    """

    def __init__(
        self,
        clock: Clock,
        queue: Queue,
        bandwidth: Bandwidth,
        loss: Loss,
        delay: Delay,
        out: Callable[[Journey], None],
        mishaps: Mishaps = NO_MISHAPS,
        repeats: Repeats | None = None,
    ) -> None:
        self._clock, self._call_at = clock, clock.call_at
        self._admit, self._finish_ns = queue.admit, bandwidth.finish_ns
        self._lost, self._draw_delay, self._fifo = loss.lost, delay.draw, not delay.reorder
        self._mishaps = None if mishaps == NO_MISHAPS else mishaps
        self._repeats = repeats
        self._out = out
        self._line_free_ns = self._last_arrival_ns = 0
        self.queue_drop, self.lost, self.corrupt = Tally(), Tally(), Tally()

    def put(self, journey: Journey) -> None:
        """Take a packet from the sender, now."""
        now_ns = self._clock.now_ns
        free_ns, size_bytes = self._line_free_ns, journey.size_bytes
        start_ns = free_ns if free_ns > now_ns else now_ns
        if not self._admit(now_ns, start_ns, size_bytes):
            _end(journey, "queue_drop", self.queue_drop)
            self._skip(journey, start_ns)
            return
        left_ns = self._line_free_ns = self._finish_ns(start_ns, size_bytes)
        if self._mishaps is not None or (self._repeats is not None and journey.packet.kind == "retransmission"):
            self._cross(journey, left_ns)
            return
        lost, arrival_ns = self._lost(left_ns), left_ns + self._draw_delay(left_ns)
        if self._fifo:
            if arrival_ns < self._last_arrival_ns:
                arrival_ns = self._last_arrival_ns
            self._last_arrival_ns = arrival_ns
        if lost:
            _end(journey, "lost", self.lost)
        else:
            self._call_at(arrival_ns, self._out, journey)

    def _skip(self, journey: Journey, now_ns: int) -> None:
        """A packet leaves the line nevermore: the draws that would have been its own are nobody's."""
        if self._repeats is not None and journey.packet.kind == "retransmission":
            return
        self._lost(now_ns)
        self._draw_delay(now_ns)
        mishaps = self._mishaps
        if mishaps and mishaps.corruption:
            mishaps.corruption.wrong_bits(journey.size_bytes)
        if mishaps and mishaps.copies:
            mishaps.copies.arrival_ns(now_ns)

    def _cross(self, journey: Journey, left_ns: int) -> None:
        """The way of a packet that leaves the line at `left_ns`."""
        repeats = self._repeats
        if repeats is None or journey.packet.kind != "retransmission":
            lost, delay_ns, mishaps = self._lost(left_ns), self._draw_delay(left_ns), self._mishaps
        else:
            lost, delay_ns, mishaps = repeats.loss.lost(left_ns), repeats.delay.draw(left_ns), repeats.mishaps
        arrival_ns = left_ns + delay_ns
        if self._fifo:
            if arrival_ns < self._last_arrival_ns:
                arrival_ns = self._last_arrival_ns
            self._last_arrival_ns = arrival_ns
        if mishaps is not None:
            self._cross_mishaps(mishaps, journey, left_ns, arrival_ns, lost)
        elif lost:
            _end(journey, "lost", self.lost)
        else:
            self._call_at(arrival_ns, self._out, journey)

    def _cross_mishaps(self, mishaps: Mishaps, journey: Journey, left_ns: int, arrival_ns: int, lost: bool) -> None:
        """The rest of the way where more than loss and delay may happen."""
        if mishaps.outage and mishaps.outage.down(left_ns):
            lost = True
        wrong_bits = mishaps.corruption.wrong_bits(journey.size_bytes) if mishaps.corruption else None
        copy_ns = mishaps.copies.arrival_ns(left_ns) if mishaps.copies else None
        if mishaps.reorder and mishaps.reorder.skips():
            arrival_ns = left_ns
        if lost:
            _end(journey, "lost", self.lost)
        elif wrong_bits and not stands(journey, wrong_bits, mishaps.corruption):
            _end(journey, "corrupt", self.corrupt)
        else:
            self._arrive(journey, arrival_ns)
            if copy_ns is not None:
                self._arrive(journey.copy(), max(copy_ns, arrival_ns))

    def _arrive(self, journey: Journey, arrival_ns: int) -> None:
        self._call_at(arrival_ns, self._out, journey)


@dataclass(slots=True)
class _Held:
    """A packet that waits, and those that were refused behind it."""

    journey: Journey
    refused: list[Journey] = field(default_factory=list)


class CodelLink(Link):
    """A link whose queue decides as packets leave: it holds them, and serves one after the other."""

    def __init__(
        self,
        clock: Clock,
        queue: Codel[_Held],
        bandwidth: Bandwidth,
        loss: Loss,
        delay: Delay,
        out: Callable[[Journey], None],
        mishaps: Mishaps = NO_MISHAPS,
        repeats: Repeats | None = None,
    ) -> None:
        super().__init__(clock, _NoQueue(), bandwidth, loss, delay, out, mishaps, repeats)
        self._queue, self._busy = queue, False
        self._last: _Held | None = None

    def put(self, journey: Journey) -> None:
        """Take a packet from the sender, now."""
        now_ns = self._clock.now_ns
        held = _Held(journey)
        if not self._queue.push(now_ns, journey.size_bytes, held):
            _end(journey, "queue_drop", self.queue_drop)
            assert self._last is not None  # it waits still, or there would be room
            self._last.refused.append(journey)
            return
        self._last = held
        if not self._busy:
            self._serve()

    def _serve(self, _: None = None) -> None:
        """The line is free: send the next packet, and come back when that is done."""
        now_ns = self._clock.now_ns
        packet, dropped = self._queue.pop(now_ns)
        for each in dropped:
            _end(each.item.journey, "queue_drop", self.queue_drop)
            self._skip_all([each.item.journey, *each.item.refused], now_ns)
        self._busy = packet is not None
        if packet:
            left_ns = self._finish_ns(now_ns, packet.size_bytes)
            self._cross(packet.item.journey, left_ns)
            self._skip_all(packet.item.refused, left_ns)
            self._call_at(left_ns, self._serve, None)

    def _skip_all(self, journeys: Sequence[Journey], now_ns: int) -> None:
        for journey in journeys:
            self._skip(journey, now_ns)


class _NoQueue:
    """Stands where the queue at the entrance would be."""

    def admit(self, now_ns: int, start_ns: int, size_bytes: int) -> bool:
        raise AssertionError("packets of this link wait in its own queue")


def _end(journey: Journey, fate: Fate, tally: Tally) -> None:
    journey.fate = fate
    tally.add(journey.size_bytes)


def make(
    clock: Clock,
    channel: scenario_channel.Channel,
    seed: int,
    out: Callable[[Journey], None],
    repeats: bool = False,
) -> Link:
    """The link a scenario asks for.

    Args:
        clock: The simulation's.
        channel: The scenario's section.
        seed: Of the run.
        out: Called with each journey that reaches the other end.
        repeats: Whether packets may be sent again.

    Raises:
        TraceError: If a file it names cannot be used.
    """
    losses = loss.make(channel.loss, seed)
    again = None
    if repeats:
        losses = counted = Counted(losses)
        own = delay.make(channel.delay, seed, "delay of repeats")
        again = Repeats(make_loss(channel.loss, seed, counted), own, mishaps.make(channel, seed, " of repeats"))
    way = (
        bandwidth.make(channel.bandwidth, seed),
        losses,
        delay.make(channel.delay, seed),
        out,
        mishaps.make(channel, seed),
        again,
    )
    waiting = channel.queue
    if isinstance(waiting, scenario_channel.CodelQueue):
        return CodelLink(clock, Codel(waiting.packets, waiting.target_ns, waiting.interval_ns, channel.mtu_bytes), *way)
    return Link(clock, queue.make(waiting, seed), *way)


def check(channel: scenario_channel.Channel) -> None:
    """Build the link and throw it away, so that a bad trace is known before the long work.

    Raises:
        TraceError: If a file the channel names cannot be used.
    """
    make(Clock(), channel, 0, lambda journey: None)
