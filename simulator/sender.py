"""The sender: a frame clock that puts the packets of each frame on the link, back to back.

frame clock --packetize--> media --+--> out
|     |
protect: parity +----+     requests --history--> repeats --> out
"""

from collections.abc import Callable, Generator, Sequence

from simpy import Environment, Event

from simulator import nack
from simulator.fec import Protector
from simulator.journey import AnyPacket, Journey
from simulator.ledger import Ledger
from simulator.media import EncodedFrame
from simulator.packetizer import RtpStream, packetize
from simulator.playout import PlayoutBuffer
from simulator.retransmit import History
from simulator.units import frame_time_ns


class Sender:
    """Captures frame i at i / fps and sends it then, or with the last of its interleaved group.

    Args:
        env: The simulation, with integer nanoseconds.
        frames: What to send.
        stream: Numbers of the packets; its fps is that of the clock.
        playout: Says until when a packet is of use.
        ledger: Told of all that is sent.
        out: Called with the journey of each packet as it is sent.
        depth: Frames interleaved with one another.
        protector: Makes parity; None: none.
        history: Keeps what may be asked for again; None: nothing is.
        on_progress: Called with the number of frames sent so far.
    """

    def __init__(
        self,
        env: Environment,
        frames: Sequence[EncodedFrame],
        stream: RtpStream,
        playout: PlayoutBuffer,
        ledger: Ledger,
        out: Callable[[Journey], None],
        depth: int = 1,
        protector: Protector | None = None,
        history: History | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        self._env, self._frames, self._stream, self._playout = env, frames, stream, playout
        self._ledger, self._out, self._depth = ledger, out, depth
        self._protector, self._history, self._on_progress = protector, history, on_progress
        self._group: list[tuple[int, EncodedFrame]] = []  # captured, and waiting for the rest of the group
        env.process(self._frame_clock())

    def requested(self, request: bytes) -> None:
        """A request for packets has come back: repeat those that are still of use."""
        if self._history is None:
            return
        for sequence in nack.parse(request):
            repeat = self._history.repeat(sequence, self._now_ns)
            if repeat is not None:
                self._send(*repeat)

    def _frame_clock(self) -> Generator[Event, None, None]:
        count = len(self._frames)
        for number in range(count):
            capture_ns = frame_time_ns(number, self._stream.fps)
            yield self._env.timeout(capture_ns - self._env.now)
            self._ledger.settle(capture_ns)
            self._capture(number, self._frames[number], last=number == count - 1)
            if self._on_progress:
                self._on_progress(number + 1)

    def _capture(self, number: int, encoded: EncodedFrame, last: bool) -> None:
        self._ledger.captured(number, self._now_ns, encoded)
        self._group.append((number, encoded))
        if len(self._group) == self._depth or last:
            self._send_group(last)
            self._group = []

    def _send_group(self, last: bool) -> None:
        """Media packets of the group, interleaved, then the parity of what is complete."""
        media = packetize(self._group, self._stream)
        for frame, packet, _ in media:
            if self._history is not None:
                self._history.add(frame, packet, self._playout.render_ns(frame), self._now_ns)
            self._send(frame, packet)
        if self._protector is not None:
            parity = self._protector.push(media, len(self._group))
            for newest, protection in parity + (self._protector.flush() if last else []):
                self._send(newest, protection)

    def _send(self, frame: int, packet: AnyPacket) -> None:
        self._out(self._ledger.send(frame, packet, self._now_ns))

    @property
    def _now_ns(self) -> int:
        now_ns: int = self._env.now  # type: ignore[assignment]  # simpy says float; ours are whole ns
        return now_ns
