"""The sender: a frame clock that puts the packets of each frame on the link, back to back."""

from collections.abc import Callable, Generator, Sequence

from simpy import Environment, Event

from simulator.journey import Journey, Tally
from simulator.media import EncodedFrame
from simulator.packetizer import RtpStream, packetize
from simulator.units import frame_time_ns


class Sender:
    """Sends frame i at i / fps, the moment it is captured.

    Args:
        env: The simulation, with integer nanoseconds.
        frames: What to send.
        stream: Numbers of the packets; its fps is that of the clock.
        out: Called with the journey of each packet as it is sent.
        on_progress: Called with the number of frames sent so far.

    Attributes:
        journeys: All packets sent, in order.
        sent: Their count and bytes.
    """

    def __init__(
        self,
        env: Environment,
        frames: Sequence[EncodedFrame],
        stream: RtpStream,
        out: Callable[[Journey], None],
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        self._env, self._frames, self._stream, self._out = env, frames, stream, out
        self._on_progress = on_progress
        self.journeys: list[Journey] = []
        self.sent = Tally()
        env.process(self._frame_clock())

    def _frame_clock(self) -> Generator[Event, None, None]:
        for number, encoded in enumerate(self._frames):
            capture_ns = frame_time_ns(number, self._stream.fps)
            yield self._env.timeout(capture_ns - self._env.now)
            self._send(number, encoded, capture_ns)
            if self._on_progress:
                self._on_progress(number + 1)

    def _send(self, frame: int, encoded: EncodedFrame, now_ns: int) -> None:
        for packet in packetize(frame, encoded, self._stream):
            journey = Journey(packet, len(self.journeys), frame, packet.size_bytes, now_ns)
            self.journeys.append(journey)
            self.sent.add(journey.size_bytes)
            self._out(journey)
