"""Is the queue on the path growing? The delay half of GCC: bursts, trend line, over-use detector.

    packets --Bursts--> delay change d(i) a burst --Trendline--> slope --Detector--> overuse | normal | underuse

Sources: draft-ietf-rmcat-gcc-02, sections 5.1 to 5.4; G. Carlucci, L. De Cicco, S. Holmer, S. Mascolo,
"Analysis and Design of the Google Congestion Control for Web Real-time Communication", MMSys 2016. The
draft's Kalman filter has given way in WebRTC to a regression line (trendline_estimator.cc); the numbers
below are WebRTC's where the two differ, since its threshold is on the scale of that line.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal

from simulator.units import MS_NS

Usage = Literal["normal", "overuse", "underuse"]

BURST_NS = 5 * MS_NS  # burst_time, draft section 5.6
LONGEST_BURST_NS = 100 * MS_NS  # no merging of arrivals beyond this, WebRTC

WINDOW = 20  # bursts in the regression, WebRTC
SMOOTHING = 0.9  # of the accumulated delay, WebRTC
GAIN = 4.0  # of the slope, WebRTC
FULL_GAIN_AFTER = 60  # bursts; before, the gain grows with their number, WebRTC

OVERUSE_TIME_MS = 10.0  # overuse_time_th, draft section 5.6
THRESHOLD_MS = 12.5  # del_var_th(0), draft
THRESHOLD_RANGE_MS = (6.0, 600.0)  # draft
K_UP, K_DOWN = 0.0087, 0.039  # a ms, WebRTC; the draft has 0.01 and 0.00018 for its Kalman filter
MAX_ADAPT_MS = 15.0  # farther off than this is a spike, which teaches the threshold nothing, draft
MAX_STEP_MS = 100.0  # longest time between two steps of the threshold that counts, WebRTC


@dataclass(slots=True)
class _Burst:
    first_sent_ns: int
    last_sent_ns: int
    first_arrived_ns: int
    last_arrived_ns: int


@dataclass(frozen=True, slots=True)
class Change:
    """From one burst to the next.

    Attributes:
        sent_ms: Between their last sendings.
        arrived_ms: Between their last arrivals; minus sent_ms this is d(i) of the draft.
        now_ms: Arrival of the later one.
    """

    sent_ms: float
    arrived_ms: float
    now_ms: float


class Bursts:
    """Groups packets that left, or came out of one jam, together (draft, section 5.2)."""

    def __init__(self) -> None:
        self._current: _Burst | None = None
        self._before: _Burst | None = None

    def add(self, sent_ns: int, arrived_ns: int) -> Change | None:
        """Take a packet, in order of sending.

        Returns:
            The change between the two bursts before the one this packet opens, else None.
        """
        burst = self._current
        if burst is None:
            self._current = _Burst(sent_ns, sent_ns, arrived_ns, arrived_ns)
            return None
        if sent_ns < burst.first_sent_ns:  # out of order, of a burst that is closed
            return None
        if sent_ns - burst.first_sent_ns <= BURST_NS or self._jammed(burst, sent_ns, arrived_ns):
            if sent_ns > burst.last_sent_ns:
                burst.last_sent_ns = sent_ns
            if arrived_ns > burst.last_arrived_ns:
                burst.last_arrived_ns = arrived_ns
            return None
        change = None if self._before is None else _change(self._before, burst)
        self._before, self._current = burst, _Burst(sent_ns, sent_ns, arrived_ns, arrived_ns)
        return change

    @staticmethod
    def _jammed(burst: _Burst, sent_ns: int, arrived_ns: int) -> bool:
        arrived_later_ns = arrived_ns - burst.last_arrived_ns
        gained = arrived_later_ns - (sent_ns - burst.last_sent_ns) < 0
        short = arrived_ns - burst.first_arrived_ns < LONGEST_BURST_NS
        return gained and arrived_later_ns <= BURST_NS and short


def _change(before: _Burst, after: _Burst) -> Change:
    return Change(
        sent_ms=(after.last_sent_ns - before.last_sent_ns) / MS_NS,
        arrived_ms=(after.last_arrived_ns - before.last_arrived_ns) / MS_NS,
        now_ms=after.last_arrived_ns / MS_NS,
    )


class Trendline:
    """Slope of the smoothed, accumulated delay over time: (sending rate - capacity) / capacity."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._accumulated = self._smoothed = 0.0
        self.changes = 0
        self.slope = 0.0

    def add(self, change: Change) -> float:
        """Take a change; returns `slope`, which is 0 until the window is full."""
        self.changes += 1
        self._accumulated += change.arrived_ms - change.sent_ms
        self._smoothed = SMOOTHING * self._smoothed + (1 - SMOOTHING) * self._accumulated
        self._points.append((change.now_ms, self._smoothed))
        if len(self._points) == WINDOW:
            self.slope = _slope(self._points, self.slope)
        return self.slope


def _slope(points: deque[tuple[float, float]], fallback: float) -> float:
    """Least squares; `fallback` if all points have one time."""
    start, count = points[0][0], len(points)
    mean_x = sum([x - start for x, _ in points]) / count
    mean_y = sum([y for _, y in points]) / count
    off_x = [x - start - mean_x for x, _ in points]
    spread = sum([x**2 for x in off_x])
    if spread == 0:
        return fallback
    return sum([x * (y - mean_y) for x, (_, y) in zip(off_x, points, strict=True)]) / spread


class Detector:
    """Compares the slope with a threshold that adapts (draft, section 5.4; Carlucci et al., eq. 6).

    Attributes:
        usage: What it says.
        threshold_ms: Where the slope, times gain and window, counts as growth.
    """

    def __init__(self) -> None:
        self.usage: Usage = "normal"
        self.threshold_ms = THRESHOLD_MS
        self._over_ms: float | None = None  # how long over the threshold
        self._over_count = 0
        self._slope_before = 0.0
        self._updated_ms: float | None = None

    def update(self, slope: float, changes: int, change: Change) -> Usage:
        """Take the slope after `changes` changes, of which `change` is the last."""
        if changes < 2:
            return self.usage
        trend = min(changes, FULL_GAIN_AFTER) * slope * GAIN
        if trend > self.threshold_ms:
            self._over(slope, change.sent_ms)
        else:
            self._over_ms, self._over_count = None, 0
            self.usage = "underuse" if trend < -self.threshold_ms else "normal"
        self._slope_before = slope
        self._adapt(abs(trend), change.now_ms)
        return self.usage

    def _over(self, slope: float, sent_ms: float) -> None:
        """Over-use is said only if it lasts, and is not getting better by itself."""
        self._over_ms = sent_ms / 2 if self._over_ms is None else self._over_ms + sent_ms
        self._over_count += 1
        if self._over_ms > OVERUSE_TIME_MS and self._over_count > 1 and slope >= self._slope_before:
            self._over_ms, self._over_count = 0.0, 0
            self.usage = "overuse"

    def _adapt(self, size_ms: float, now_ms: float) -> None:
        since_ms = 0.0 if self._updated_ms is None else min(now_ms - self._updated_ms, MAX_STEP_MS)
        self._updated_ms = now_ms
        if size_ms - self.threshold_ms > MAX_ADAPT_MS:
            return
        k = K_DOWN if size_ms < self.threshold_ms else K_UP
        low, high = THRESHOLD_RANGE_MS
        moved = self.threshold_ms + k * (size_ms - self.threshold_ms) * since_ms
        self.threshold_ms = min(max(moved, low), high)
