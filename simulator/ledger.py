"""The books of a session: what is final goes out and is forgotten, so a day needs no more memory than a minute.

Journey, fate known        -> PacketRecord, in sending order     -> on_packets, in blocks
frame shown, all settled   -> FrameDelivery, in display order    -> on_delivery
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from simulator.delivery import FrameDelivery, deliver
from simulator.journey import AnyPacket, Journey, Tally, account, with_copies
from simulator.media import EncodedFrame
from simulator.playout import PlayoutBuffer
from simulator.rate_loop import Choice
from simulator.records import PacketRecord
from simulator.units import MS_NS

BLOCK = 16_384  # packet records handed on at once: some hundred kilobytes of Parquet

_new_record = partial(tuple.__new__, PacketRecord)  # PacketRecord(...) without a call in Python


@dataclass(slots=True)
class _OpenFrame:
    """A frame of which more may come; `unsent`: media and parity packets that have yet to be sent."""

    frame: int
    capture_ns: int
    tokens: int
    unsent: int
    choice: Choice | None
    journeys: list[Journey] = field(default_factory=list)
    bytes_feedback: int = 0


class Ledger:
    """Keeps every journey until it is final.

    Args:
        seed: Of the run, for the records.
        playout: Says when frames are shown and what was there in time; told when to forget them.
        on_packets: Called with records in sending order, in blocks of BLOCK.
        on_delivery: Called with each frame, in display order.

    Attributes:
        sent: What was sent.
        duplicated: Copies that the channel made of it.
        account: Tally of each fate, by what the journeys say.
    """

    def __init__(
        self,
        seed: int,
        playout: PlayoutBuffer,
        on_packets: Callable[[list[PacketRecord]], None],
        on_delivery: Callable[[FrameDelivery], None],
    ) -> None:
        self._seed, self._playout = seed, playout
        self._on_packets, self._on_delivery = on_packets, on_delivery
        self._frames: dict[int, _OpenFrame] = {}  # in display order
        self._under_way: deque[Journey] = deque()  # in sending order
        self._records: list[PacketRecord] = []
        self._number = 0
        self.sent, self.duplicated = Tally(), Tally()
        self.account = account(())

    def captured(self, frame: int, capture_ns: int, encoded: EncodedFrame, choice: Choice | None = None) -> None:
        """A frame is taken, at a rate of choice: one media packet a slice will follow, at once or later."""
        self._frames[frame] = _OpenFrame(frame, capture_ns, encoded.tokens, len(encoded.slices), choice)

    def expect(self, frame: int) -> None:
        """A parity packet of a frame will be sent, at once or later."""
        self._frames[frame].unsent += 1

    def is_open(self, frame: int) -> bool:
        """Whether more may be sent of a frame: it has been taken, and has not been handed on."""
        return frame in self._frames

    def send(self, packets: Iterable[tuple[int, AnyPacket]], now_ns: int) -> list[Journey]:
        """Some packets set out, each with its frame: their journeys."""
        journeys, number, sent_bytes = [], self._number, 0
        for frame, packet in packets:
            size_bytes = packet.size_bytes
            journey = Journey(packet, number, frame, size_bytes, now_ns)
            open_frame = self._frames[frame]
            open_frame.journeys.append(journey)
            if packet.kind != "retransmission":
                open_frame.unsent -= 1
            journeys.append(journey)
            number += 1
            sent_bytes += size_bytes
        self._under_way.extend(journeys)
        self._number = number
        self.sent.packets += len(journeys)
        self.sent.bytes += sent_bytes
        return journeys

    def feedback(self, frame: int, size_bytes: int) -> None:
        """The receiver sent a message about a frame; if it guessed one that is not open, about the newest."""
        if self._frames:
            guessed = self._frames.get(frame) or self._frames[next(reversed(self._frames))]
            guessed.bytes_feedback += size_bytes

    def settle(self, now_ns: int) -> None:
        """Hand on what is final: packets whose fate is known, frames shown before now."""
        while self._frames:
            frame = next(iter(self._frames.values()))
            shown = self._playout.render_ns(frame.frame) < now_ns
            if not shown or frame.unsent or not _all_ended(frame.journeys):
                break
            self._close(frame)
        under_way = self._under_way
        while under_way and under_way[0].fate is not None and (not under_way[0].copies or _ended(under_way[0])):
            self._enter(under_way.popleft())
        if len(self._records) >= BLOCK:
            self._hand_on()

    def finish(self) -> None:
        """The session is over: hand on all there is."""
        for frame in list(self._frames.values()):
            self._close(frame)
        self.settle(0)
        self._hand_on()
        for journey in with_copies(self._under_way):  # none, or the check of conservation will say so
            self.account[journey.fate or "in_flight"].add(journey.size_bytes)

    def _enter(self, journey: Journey) -> None:
        """A journey and its copies have come to their ends."""
        packet, fate, size_bytes, arrived_ns = journey.packet, journey.fate, journey.size_bytes, journey.arrived_ns
        assert fate is not None, journey
        self._records.append(
            _new_record(
                (
                    self._seed,
                    journey.frame,
                    journey.number,
                    packet.kind,
                    size_bytes,
                    journey.sent_ns / MS_NS,
                    None if arrived_ns is None else arrived_ns / MS_NS,
                    fate,
                    packet.tokens,
                )
            )
        )
        tally = self.account[fate]
        tally.packets += 1  # not tally.add: a call a packet
        tally.bytes += size_bytes
        for each in journey.copies or ():
            self.duplicated.add(each.size_bytes)
            self._enter(each)

    def _close(self, frame: _OpenFrame) -> None:
        number, playout, choice = frame.frame, self._playout, frame.choice
        self._on_delivery(
            deliver(
                frame=number,
                capture_ns=frame.capture_ns,
                render_ns=playout.render_ns(number),
                tokens=frame.tokens,
                journeys=frame.journeys,
                in_time=playout.packets(number),
                bytes_feedback=frame.bytes_feedback,
                target_bps=choice.target_bps if choice else None,
                bpp_asked=choice.bpp if choice else None,
            )
        )
        playout.forget(number)
        del self._frames[number]

    def _hand_on(self) -> None:
        if self._records:
            self._on_packets(self._records)
            self._records = []


def _ended(journey: Journey) -> bool:
    return journey.fate is not None and (not journey.copies or _all_ended(journey.copies))


def _all_ended(journeys: list[Journey]) -> bool:
    if None in [journey.fate for journey in journeys]:
        return False
    return all([_all_ended(journey.copies) for journey in journeys if journey.copies])
