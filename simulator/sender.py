"""The sender: a frame clock that puts the packets of each frame on the link, back to back or paced.

frame clock --packetize--> media --+--> out
|     |
protect: parity +----+     requests --history--> repeats --> out
"""

from collections.abc import Callable, Generator, Iterable, Sequence

from simpy import Event

from simulator import congestion_feedback, nack
from simulator.clock import Clock
from simulator.encodings import Film
from simulator.fec import Protector
from simulator.fec_packet import FecPacket
from simulator.journey import AnyPacket, Journey
from simulator.ledger import Ledger
from simulator.media import EncodedFrame
from simulator.pacing import Pacer
from simulator.packetizer import RtpStream, packetize
from simulator.playout import PlayoutBuffer
from simulator.rate_loop import Choice, RateLoop
from simulator.retransmit import History
from simulator.units import bits, frame_time_ns


class Sender:
    """Captures frame i at i / fps and sends it then, or with the last of its interleaved group.

    Args:
        clock: The simulation's.
        film: What to send.
        stream: Numbers of the packets; its fps is that of the clock.
        playout: Says until when a packet is of use.
        ledger: Told of all that is sent.
        out: Called with the journey of each packet as it is sent.
        depth: Frames interleaved with one another.
        protector: Makes parity; None: none.
        history: Keeps what may be asked for again; None: nothing is.
        rate: Chooses the rate of each frame; None: the codec's own.
        pacer: Spreads the packets of a frame; None: they leave back to back.
        on_progress: Called with the number of frames sent so far.
    """

    def __init__(
        self,
        clock: Clock,
        film: Film,
        stream: RtpStream,
        playout: PlayoutBuffer,
        ledger: Ledger,
        out: Callable[[Journey], None],
        depth: int = 1,
        protector: Protector | None = None,
        history: History | None = None,
        rate: RateLoop | None = None,
        pacer: Pacer | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        self._clock, self._film, self._stream, self._playout = clock, film, stream, playout
        self._ledger, self._out, self._depth = ledger, out, depth
        self._protector, self._history, self._on_progress = protector, history, on_progress
        self._rate, self._pacer = rate, pacer
        self._choice: Choice | None = None  # for the newest frame
        self._group: list[tuple[int, EncodedFrame]] = []  # captured, and waiting for the rest of the group
        clock.process(self._frame_clock())

    def told(self, message: bytes) -> None:
        """A message of the receiver has come back: a report for rate control, or a request for packets."""
        if congestion_feedback.is_feedback(message):
            if self._rate is not None:
                self._rate.feedback(message, self._clock.now_ns)
        elif self._history is not None:
            self._repeat(self._history, message)

    def _repeat(self, history: History, request: bytes) -> None:
        """Repeat what is still of use, at once: it is late already."""
        now_ns = self._clock.now_ns
        for sequence in nack.parse(request):
            frame = history.frame(sequence)
            if frame is None or not self._ledger.is_open(frame):  # shown by now: a playout that adapts may be early
                continue
            repeat = history.repeat(sequence, now_ns)
            if repeat is not None:
                self._send([repeat])

    def _frame_clock(self) -> Generator[Event, None, None]:
        count = len(self._film)
        for number in range(count):
            capture_ns = frame_time_ns(number, self._stream.fps)
            yield self._clock.timeout(capture_ns - self._clock.now_ns)
            self._ledger.settle(capture_ns)
            self._capture(number, last=number == count - 1)
            if self._on_progress:
                self._on_progress(number + 1)

    def _capture(self, number: int, last: bool) -> None:
        encoded = self._encode(number)
        self._ledger.captured(number, self._clock.now_ns, encoded, self._choice)
        self._group.append((number, encoded))
        if len(self._group) == self._depth or last:
            self._send_group(last)
            self._group = []

    def _encode(self, number: int) -> EncodedFrame:
        if self._rate is None:
            return self._film.frame(number)
        self._choice = self._rate.choose(self._clock.now_ns)
        encoded = self._film.frame(number, self._choice.bpp)
        self._rate.encoded(sum(len(part.data) for part in encoded.slices))
        return encoded

    def _send_group(self, last: bool) -> None:
        """Media packets of the group, interleaved, then the parity of what is complete."""
        media, now_ns = packetize(self._group, self._stream), self._clock.now_ns
        if self._history is not None:
            shown_ns = {frame: self._playout.render_ns(frame) for frame, _ in self._group}
            self._history.add([(frame, packet, shown_ns[frame]) for frame, packet, _ in media], now_ns)
        parity: list[tuple[int, FecPacket]] = []
        if self._protector is not None:
            parity = self._protector.push(media, len(self._group))
            parity += self._protector.flush() if last else []
        for newest, _ in parity:
            self._ledger.expect(newest)
        packets: list[tuple[int, AnyPacket]] = [*((frame, packet) for frame, packet, _ in media), *parity]
        if self._pacer is not None:
            self._pace(self._pacer, packets, now_ns)
        else:
            self._send(packets)

    def _pace(self, pacer: Pacer, packets: Sequence[tuple[int, AnyPacket]], now_ns: int) -> None:
        """Send the packets of the group, each when the pacer lets it go."""
        # what the group needs to be through before the next one: below that, a queue would grow in here
        rate_bps = bits(sum(packet.size_bytes for _, packet in packets)) * self._stream.fps / len(self._group)
        if self._choice is not None:
            rate_bps = max(rate_bps, self._choice.target_bps)
        for frame, packet in packets:
            send_ns = pacer.send_ns(now_ns, packet.size_bytes, rate_bps)
            if send_ns > now_ns:
                self._clock.call_at(send_ns, self._send, [(frame, packet)])
            else:
                self._send([(frame, packet)])

    def _send(self, packets: Iterable[tuple[int, AnyPacket]]) -> None:
        """Send packets, each with its frame, now."""
        journeys = self._ledger.send(packets, self._clock.now_ns)
        if self._rate is not None:
            self._rate.sent(journeys)
        out = self._out
        for journey in journeys:
            out(journey)
