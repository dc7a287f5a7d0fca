"""When the picture stood still for so long that a viewer notices.

An interval between two rendered frames is a freeze if it is at least max(3 x avg, avg + 150 ms), avg
being the mean of the 30 intervals before it: freezeCount and totalFreezesDuration of the W3C's
"Identifiers for WebRTC's Statistics API", section RTCInboundRtpStreamStats. The mean adapts: a stream that
renders a frame a second all the time never freezes by this rule, only its frame rate tells.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

FACTOR, INCREASE_MS, WINDOW = 3, 150.0, 30


@dataclass(frozen=True)
class Freezes:
    """Their number, and how long they took together, in seconds."""

    count: int
    total_s: float


def freezes(times_ms: Iterable[float], interval_ms: float) -> Freezes:
    """Freezes of a film.

    Args:
        times_ms: When a new picture came, in order; with the times when the first was due, and when one
            after the last would have been, the two ends count too.
        interval_ms: Between frames of the source; stands in for intervals before the first.

    >>> freezes([0, 40, 80, 480, 520], 40)  # 400 >= max(3 x 40, 40 + 150)
    Freezes(count=1, total_s=0.4)
    """
    recent = deque([interval_ms] * WINDOW, maxlen=WINDOW)
    found: list[float] = []
    for before, after in pairwise(times_ms):
        mean = sum(recent) / WINDOW
        if after - before >= max(FACTOR * mean, mean + INCREASE_MS):
            found.append(after - before)
        recent.append(after - before)
    return Freezes(len(found), sum(found) / 1000)


def screen_times(capture_ms: Sequence[float], render_ms: Sequence[float | None], interval_ms: float) -> list[float]:
    """When pictures changed, from when the first frame was due to when one after the last would be.

    The delay at either end is that of the rendered frame nearest to it; 0 if none was rendered.

    Args:
        capture_ms: Of all frames, at least one.
        render_ms: Of all frames; None where a frame was not shown.
        interval_ms: Between frames of the source.
    """
    shown = [(capture, render) for capture, render in zip(capture_ms, render_ms, strict=True) if render is not None]
    first, last = (shown[0][1] - shown[0][0], shown[-1][1] - shown[-1][0]) if shown else (0.0, 0.0)
    start = [] if shown and shown[0][0] == capture_ms[0] else [capture_ms[0] + first]
    return [*start, *(render for _, render in shown), capture_ms[-1] + last + interval_ms]
