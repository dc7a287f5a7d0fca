"""How long a frame waits between camera and screen: fixed, or as long as its packets are likely to take.

The adaptive delay is a high percentile of the last packets' delays, after S. B. Moon, J. Kurose, D.
Towsley, "Packet audio playout delay adjustment: performance bounds and algorithms", Multimedia Systems 6,
1998; during a spike it follows the packets themselves, with the test for spikes of R. Ramjee, J. Kurose,
D. Towsley, H. Schulzrinne, "Adaptive playout mechanisms for packetized audio applications in wide-area
networks", INFOCOM 1994, algorithm 4. Sender and receiver share a clock, which the simulation has for free.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from typing import Protocol

from simulator.scenario_playout import AdaptivePlayout, FixedPlayout
from simulator.units import MS_NS

SPIKE_NS = 100 * MS_NS  # a jump by this and twice the variation opens a spike: 800 ticks of 8 kHz, Ramjee
SPIKE_END_NS = 63 * MS_NS // 8  # a slope below this ends it: 63 ticks of 8 kHz, Ramjee
VARIATION_WEIGHT = 1 / 8  # of a new value in the mean variation, Ramjee's fast filter
FALL = 0.1  # the delay falls by at most this share of the time that passes (100 ms a second, WebRTC)


class Delay(Protocol):
    """What the playout buffer asks of a delay.

    Attributes:
        adapts: Whether arrivals matter.
    """

    adapts: bool

    def delay_ns(self) -> int:
        """From capture to screen, for a frame settled now."""
        ...

    def arrived(self, delay_ns: int, now_ns: int) -> None:
        """Take the delay of a packet that arrives now, from the capture of its frame."""
        ...


class Fixed:
    """The same for every frame."""

    adapts = False

    def __init__(self, deadline_ns: int) -> None:
        self._deadline_ns = deadline_ns

    def delay_ns(self) -> int:
        """The deadline."""
        return self._deadline_ns

    def arrived(self, delay_ns: int, now_ns: int) -> None:
        """No matter."""


class SpikeDetector:
    """Ramjee's test: a sudden jump of the delay, and its slow end.

    Attributes:
        inside: Whether a spike is on.
    """

    def __init__(self) -> None:
        self.inside = False
        self._before: tuple[int, int] | None = None  # the delays one and two packets ago
        self._variation_ns = 0.0
        self._slope_ns = 0.0

    def add(self, delay_ns: int) -> bool:
        """Take a packet's delay; returns `inside`."""
        if self._before is None:
            self._before = (delay_ns, delay_ns)
            return False
        one, two = self._before
        self._before = (delay_ns, one)
        jump_ns = abs(delay_ns - one)
        if self.inside:
            self._slope_ns = self._slope_ns / 2 + abs(2 * delay_ns - one - two) / 8
            self.inside = self._slope_ns > SPIKE_END_NS
        elif jump_ns > 2 * self._variation_ns + SPIKE_NS:
            self.inside, self._slope_ns = True, 0.0
        else:
            self._variation_ns += VARIATION_WEIGHT * (jump_ns - self._variation_ns)
        return self.inside


class Adaptive:
    """A percentile of the delays of the last packets; in a spike, the delay of the last packet.

    It rises at once and falls slowly, so pictures are never shown out of order and seldom in a rush.

    Args:
        percentile: Share of packets to wait for, in (0, 1].
        window: Packets it remembers.
        min_ns, max_ns: Limits of the delay. It starts at max_ns, and keeps to it until it has seen a
            tenth of a window.
    """

    adapts = True

    def __init__(self, percentile: float, window: int, min_ns: int, max_ns: int) -> None:
        self._percentile, self._window = percentile, window
        self._min_ns, self._max_ns = min_ns, max_ns
        self._delays: deque[int] = deque()
        self._sorted: list[int] = []
        self._spike = SpikeDetector()
        self._delay_ns, self._updated_ns = max_ns, 0

    def delay_ns(self) -> int:
        """From capture to screen."""
        return self._delay_ns

    def arrived(self, delay_ns: int, now_ns: int) -> None:
        """Take the delay of a packet that arrives now."""
        in_spike = self._spike.add(delay_ns)
        if not in_spike:  # a spike says nothing about the time after it
            self._remember(delay_ns)
        if 10 * len(self._delays) < self._window:
            return
        wanted_ns = max(delay_ns, self._quantile_ns()) if in_spike else self._quantile_ns()
        floor_ns = self._delay_ns - round(FALL * (now_ns - self._updated_ns))
        self._updated_ns = now_ns
        self._delay_ns = min(max(wanted_ns, floor_ns, self._min_ns), self._max_ns)

    def _remember(self, delay_ns: int) -> None:
        self._delays.append(delay_ns)
        insort(self._sorted, delay_ns)
        if len(self._delays) > self._window:
            del self._sorted[bisect_left(self._sorted, self._delays.popleft())]

    def _quantile_ns(self) -> int:
        """The smallest delay that the wanted share of packets does not exceed."""
        return self._sorted[math.ceil(self._percentile * len(self._sorted)) - 1]


def make(model: FixedPlayout | AdaptivePlayout) -> Delay:
    """The delay a scenario asks for."""
    if isinstance(model, FixedPlayout):
        return Fixed(model.deadline_ns)
    return Adaptive(model.percentile, model.window, model.min_ns, model.deadline_ns)
