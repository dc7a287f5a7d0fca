"""The loop that rate control closes: feedback in, bits a pixel for the next frame out.

message --> Outstanding --reports--> Controller --target--> FrameBudget --bpp--> codec
^                                                ^
what was sent                              what was really sent
"""

from collections.abc import Iterable
from dataclasses import dataclass

from simulator import packet, rate
from simulator.congestion_feedback import Outstanding
from simulator.journey import Journey
from simulator.rate import Controller
from simulator.rate_budget import FrameBudget
from simulator.rate_window import CongestionWindow
from simulator.scenario import Scenario
from simulator.scenario_rate import FixedRate, GccRate
from simulator.units import bits


@dataclass(frozen=True, slots=True)
class Choice:
    """For one frame: the target on the wire in bit/s, and what to ask the codec for in bits a pixel."""

    target_bps: float
    bpp: float


class RateLoop:
    """The sender's side of rate control; pure.

    Args:
        controller: Chooses the target.
        budget: Turns it into bits a pixel.
        window: Pushes the target back while too much is under way; None: nothing does.
    """

    def __init__(self, controller: Controller, budget: FrameBudget, window: CongestionWindow | None = None) -> None:
        self._controller, self._budget, self._window = controller, budget, window
        self._outstanding = Outstanding()
        self._choice: Choice | None = None  # for the frame before
        self._payload_bytes = self._wire_bytes = 0  # since then

    def choose(self, now_ns: int) -> Choice:
        """The rate of a frame that is captured now; settles the accounts of the frame before."""
        if self._choice is not None:
            self._budget.sent(self._choice.target_bps, self._payload_bytes, self._wire_bytes)
            self._payload_bytes = self._wire_bytes = 0
        target_bps = self._controller.target_bps(now_ns)
        if self._window is not None:
            target_bps = self._window.limit(target_bps)
        self._choice = Choice(target_bps, self._budget.bpp(target_bps))
        return self._choice

    def encoded(self, payload_bytes: int) -> None:
        """The codec made so much of the frame."""
        self._payload_bytes += payload_bytes

    def sent(self, journeys: Iterable[Journey]) -> None:
        """Packets of any kind are put on the link."""
        outstanding, window = self._outstanding, self._window
        for journey in journeys:
            packet, size_bytes = journey.packet, journey.size_bytes
            outstanding.sent(packet.ssrc, packet.sequence, journey.sent_ns, size_bytes)
            self._wire_bytes += size_bytes
            if window is not None:
                window.update(outstanding.size_bytes)

    def feedback(self, message: bytes, now_ns: int) -> None:
        """A message of the receiver has come."""
        reports = self._outstanding.read(message, now_ns)
        self._controller.on_feedback(reports, now_ns)
        if self._window is not None:
            self._window.on_feedback(reports, self._controller.target_bps(now_ns), now_ns)
            self._window.update(self._outstanding.size_bytes)


def make(scenario: Scenario) -> RateLoop | None:
    """The loop a scenario asks for; None if its rate is fixed."""
    controller, model, source = rate.make(scenario), scenario.rate_control, scenario.source
    if controller is None or isinstance(model, FixedRate):
        return None
    header_bits = bits(packet.OVERHEAD_BYTES * scenario.packetizer.packets_per_frame)
    pixels = source.size[0] * source.size[1]
    budget = FrameBudget(source.fps, pixels, model.min_bpp, model.max_bpp, header_bits)
    return RateLoop(controller, budget, _window(model, scenario) if isinstance(model, GccRate) else None)


def _window(model: GccRate, scenario: Scenario) -> CongestionWindow:
    """By default a quarter of the deadline: the rest is for the path's own delay, and what grows until a push tells."""
    queue_ns = scenario.playout.deadline_ns // 4 if model.queue_ns is None else model.queue_ns
    return CongestionWindow(queue_ns, model.min_bps)
