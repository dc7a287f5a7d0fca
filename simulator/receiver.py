"""The receiver: takes what the link delivers, notes when it came and whether it was of use, and mends.

media, repeats --> kept --> playout          gap in the numbers --wait--> asker --> request
^  |                                                     ^
parity --> decoder: what is rebuilt is kept as if it had arrived ---+
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from simulator import nack
from simulator.clock import Clock
from simulator.congestion_feedback import Recorder
from simulator.fec import Decoder
from simulator.fec_packet import FecPacket
from simulator.journey import Fate, Journey, Tally
from simulator.nack import Asker
from simulator.packet import Packet, unwrap
from simulator.packetizer import frame_of
from simulator.playout import PlayoutBuffer
from simulator.retransmit import original_number, restore
from simulator.scenario_protection import Nack

How: TypeAlias = Literal["sent", "repeated", "rebuilt"]

OVERTAKEN = 4096  # packets sent before the first that arrives, and still expected
MOST_GAPS = 1000  # of one gap in the numbers, so many packets are asked for at most (as WebRTC does)


class Receiver:
    """The far end of the link.

    It knows packets by what is in them: frame and sequence numbers are 16 bit on the wire and are
    made whole again here, near the newest seen.

    Args:
        clock: The simulation's.
        playout: Keeps the packets that came in time.
        ssrc: Of the media stream.
        depth: Frames interleaved with one another, to guess which frame a lost packet is of.
        keep_ns: How long after its frame was shown a packet may help to rebuild another.
        fec: Whether there is parity to expect.

    Attributes:
        delivered, late, duplicate: What came: in time and new; after its frame was shown; bringing
            nothing new.
        reordered: Media packets that came after one with a newer sequence number.
    """

    def __init__(
        self,
        clock: Clock,
        playout: PlayoutBuffer,
        ssrc: int = 0,
        depth: int = 1,
        keep_ns: int = 0,
        fec: bool = False,
    ) -> None:
        self._clock, self._playout, self._ssrc, self._depth, self._keep_ns = clock, playout, ssrc, depth, keep_ns
        self._insert = playout.insert
        self._newest: tuple[int, int, Packet] | None = None  # newest media packet: its whole numbers and itself
        self._kept: dict[int, Packet] = {}  # by whole sequence number
        self._mended: set[int] = set()  # of those kept, the ones that did not come as media
        self._borders: deque[tuple[int, int]] = deque()  # (time, sequence number): what is older can go then
        self._oldest = 0
        self._decoder = Decoder(self._kept, ssrc) if fec else None
        self._asker: Asker | None = None
        self._mends = fec  # or asks, see below
        self._recorder: Recorder | None = None
        self._report_due = False
        self.delivered, self.late, self.duplicate = Tally(), Tally(), Tally()
        self._tallies = {"delivered": self.delivered, "late": self.late, "duplicate": self.duplicate}
        self.reordered = 0

    def ask_for_losses(self, spec: Nack, request: Callable[[int, bytes], None]) -> None:
        """Switch retransmission on.

        Args:
            spec: When to ask, and how often.
            request: Called with (frame it is about, request), at the time it is sent.
        """
        self._asker, self._request, self._wait_ns = Asker(spec), request, spec.reorder_wait_ns
        self._mends = True

    def report_arrivals(self, interval_ns: int, report: Callable[[int, bytes], None]) -> None:
        """Switch feedback for rate control on.

        Args:
            interval_ns: From an arrival nobody was told of to the report that tells of it.
            report: Called with (newest frame, message), at the time it is sent.
        """
        self._recorder, self._report, self._interval_ns = Recorder(), report, interval_ns

    def put(self, journey: Journey) -> None:
        """Take a packet from the link, now."""
        now_ns = self._clock.now_ns
        journey.arrived_ns = now_ns
        packet = journey.packet
        if self._recorder is not None:
            self._recorder.arrived(packet.ssrc, packet.sequence, now_ns)
            if not self._report_due:
                self._report_soon(self._recorder)
        if packet.kind == "media":
            fate = self._take_media(packet, now_ns)
        elif packet.kind == "fec":
            fate = self._take_parity(packet, now_ns)
        else:
            fate = self._take_repeat(packet, now_ns)
        journey.fate = fate
        tally = self._tallies[fate]  # not tally.add: a call a packet
        tally.packets += 1
        tally.bytes += journey.size_bytes

    def _report_soon(self, recorder: Recorder) -> None:
        self._report_due = True
        self._clock.call_at(self._clock.now_ns + self._interval_ns, self._tell, recorder)

    def _tell(self, recorder: Recorder) -> None:
        self._report_due = False
        message = recorder.report(self._clock.now_ns)
        if message is not None:
            self._report(0 if self._newest is None else self._newest[1], message)

    def _take_media(self, packet: Packet, now_ns: int) -> Fate:
        near, near_frame, _ = self._newest or self._first(packet)
        # `unwrap` twice, spelled out: every packet passes here
        steps, frames = (packet.sequence - near) & 0xFFFF, (packet.frame - near_frame) & 0xFFFF
        frame = near_frame + frames if frames < 0x8000 else near_frame + frames - 0x10000
        # half way round or more is back, but for a packet of a later group of frames: the silence was long
        ahead = steps < 0x8000 or frame - near_frame >= self._depth
        sequence = near + steps if ahead else near + steps - 0x10000
        if sequence > near:
            if frame > near_frame:
                self._start_frame(sequence, frame)
                self._forget(now_ns)
            self._newest = (sequence, frame, packet)
            if sequence > near + 1:
                self._reveal(range(near + 1, sequence), now_ns)
        kept = self._kept
        if sequence not in kept:
            if sequence < near:
                self.reordered += 1
            if self._mends or sequence < self._oldest:
                return self._keep(sequence, frame, packet, now_ns)
            kept[sequence] = packet  # `_keep`, spelled out for a stream without repair
            return "delivered" if self._insert(frame, packet, now_ns) else "late"
        if sequence not in self._mended:
            return "duplicate"  # the same packet once more
        self._mended.discard(sequence)
        self.reordered += sequence < near
        return "late" if now_ns > self._playout.render_ns(frame) else "duplicate"

    def _first(self, packet: Packet) -> tuple[int, int, Packet]:
        """The first media packet: numbers count from it, those of frames from 0."""
        self._newest = newest = (packet.sequence, packet.frame, packet)
        self._oldest = packet.sequence - OVERTAKEN
        self._start_frame(*newest[:2])
        return newest

    def _take_repeat(self, packet: Packet, now_ns: int) -> Fate:
        if self._newest is None:
            return "duplicate"  # nothing was asked for yet
        sequence = original_number(packet, self._newest[0])
        if sequence in self._kept:
            return "duplicate"
        frame = unwrap(packet.frame, self._newest[1])
        return self._keep(sequence, frame, restore(packet, self._ssrc), now_ns, "repeated")

    def _take_parity(self, packet: FecPacket, now_ns: int) -> Fate:
        decoder, newest = self._decoder, self._newest
        if decoder is None:
            return "duplicate"  # a receiver without FEC ignores this payload type
        near = packet.base if newest is None else newest[0]
        frame = packet.frame if newest is None else unwrap(packet.frame, newest[1])
        if decoder.knows(packet, near):
            return "duplicate"
        if newest is not None:
            behind = unwrap(packet.base, near) + packet.members[-1] + 1
            self._reveal(range(newest[0] + 1, behind), now_ns)
        self._rebuilt(decoder.parity(packet, near), now_ns)
        return "late" if now_ns > self._playout.render_ns(frame) else "delivered"

    def _keep(self, sequence: int, frame: int, packet: Packet, now_ns: int, how: How = "sent") -> Fate:
        """A media packet is there for the first time, however it came."""
        if sequence < self._oldest:
            return "late"  # its frame and all it could help were shown long ago
        self._kept[sequence] = packet
        if how != "sent":
            self._mended.add(sequence)
        in_time = self._insert(frame, packet, now_ns, how != "sent")
        asker, decoder = self._asker, self._decoder
        if asker is not None and asker.missing:
            asker.arrived(sequence, now_ns, how == "repeated")
        if decoder is not None and sequence in decoder.wanted:
            self._rebuilt(decoder.media(sequence), now_ns)
        return "delivered" if in_time else "late"

    def _rebuilt(self, packets: Sequence[tuple[int, Packet]], now_ns: int) -> None:
        """Parity gave these: they are kept like packets that arrive now."""
        for sequence, packet in packets:
            near = 0 if self._newest is None else self._newest[1]
            self._keep(sequence, unwrap(packet.frame, near), packet, now_ns, "rebuilt")

    def _reveal(self, sequences: range, now_ns: int) -> None:
        """Some numbers were skipped: lost, or overtaken; after a wait it is known which."""
        if self._asker is None or self._newest is None:
            return
        newest_sequence, newest_frame, newest = self._newest
        waiting = []
        for sequence in sequences[-MOST_GAPS:]:
            if sequence not in self._kept and not self._asker.knows(sequence):
                frame = frame_of(sequence - newest_sequence, newest, newest_frame, self._depth)
                self._asker.gap(sequence, frame, self._playout.render_ns(frame))
                waiting.append(sequence)
        if waiting:
            self._later(self._wait_ns, waiting)

    def _later(self, wait_ns: int, sequences: list[int]) -> None:
        self._clock.call_at(self._clock.now_ns + wait_ns, self._ask, sequences)

    def _ask(self, sequences: list[int]) -> None:
        """Ask for those still missing, if that is of use; and look again when a repeat should be there."""
        assert self._asker is not None
        asked = self._asker.ask(sequences, self._clock.now_ns)
        if asked:
            first_frame = self._asker.frame(asked[0])
            self._request(first_frame, nack.serialize([number & 0xFFFF for number in asked], 0, self._ssrc))
            self._later(self._asker.round_trip.timeout_ns, asked)

    def _start_frame(self, sequence: int, frame: int) -> None:
        self._borders.append((self._playout.render_ns(frame) + self._keep_ns, sequence))

    def _forget(self, now_ns: int) -> None:
        """Let go of packets of frames shown so long ago that they cannot help any more."""
        border = self._oldest
        while self._borders and self._borders[0][0] < now_ns:
            border = self._borders.popleft()[1]
        old, forget = range(self._oldest, border), self._kept.pop
        for sequence in old:
            forget(sequence, None)
        if self._mended:
            self._mended.difference_update(old)
        self._oldest = border
        if self._decoder is not None:
            self._decoder.forget(border)
