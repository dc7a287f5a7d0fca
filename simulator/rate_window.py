"""The congestion window: how much may be under way unreported before the encoder is pushed back.

    window = target x (least round trip + queue)        what is under way > window: the target times 0.95, or 0.9

The trend of the delay needs packets that arrive; this needs packets that do not. A line that stalls, or a
queue that stands and no longer grows, shows in what is under way at once. Source: libwebrtc's
goog_cc_network_control.cc (UpdateCongestionWindowSize) and congestion_window_pushback_controller.cc,
which Chrome turns on with a queue of 350 ms.
"""

from collections import deque
from collections.abc import Sequence

from simulator.congestion_feedback import PacketReport
from simulator.units import SECOND_NS, bits

LEAST_BYTES = 2 * 1500  # kMinCwnd
ROUND_TRIPS = 32  # kMaxFeedbackRttWindow: messages whose round trips are remembered
FULL, OVERFULL, EMPTY = 1.0, 1.5, 0.1  # shares of the window
PUSH, PUSH_HARD, RECOVER = 0.95, 0.9, 1.05  # at each packet and each message


class CongestionWindow:
    """Scales the target down while too much is under way.

    Args:
        queue_ns: How long a queue the path may hold, beyond the least round trip.
        min_bps: It does not push the target below this.

    Attributes:
        ratio: What the target is multiplied by, in (0, 1].
    """

    def __init__(self, queue_ns: int, min_bps: float) -> None:
        self._queue_ns, self._min_bps = queue_ns, min_bps
        self._round_trips_ns: deque[int] = deque(maxlen=ROUND_TRIPS)
        self._window_bytes: float | None = None
        self.ratio = 1.0

    def on_feedback(self, reports: Sequence[PacketReport], target_bps: float, now_ns: int) -> None:
        """Take the news of a message, which arrives now, and the target that came of it."""
        arrived = [now_ns - report.sent_ns for report in reports if report.arrived_ns is not None]
        if not arrived:
            return
        self._round_trips_ns.append(max(arrived))
        time_ns = min(self._round_trips_ns) + self._queue_ns
        wanted = target_bps * time_ns / bits(SECOND_NS)
        before = wanted if self._window_bytes is None else self._window_bytes
        self._window_bytes = max((wanted + before) / 2, LEAST_BYTES)

    def update(self, under_way_bytes: int) -> None:
        """Take what is under way now: sent, and not told of."""
        if self._window_bytes is None:
            return
        fill = under_way_bytes / self._window_bytes
        if fill < EMPTY:
            self.ratio = 1.0
        elif fill > FULL:
            self.ratio *= PUSH_HARD if fill > OVERFULL else PUSH
        elif self.ratio < 1.0:
            self.ratio = min(self.ratio * RECOVER, 1.0)

    def limit(self, target_bps: float) -> float:
        """The target, pushed back as far as it must be."""
        return max(target_bps * self.ratio, min(target_bps, self._min_bps))
