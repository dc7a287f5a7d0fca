"""The oracle: a controller that knows the bandwidth of the link ahead of time; no real one can beat it for long.

It sends a walker of small packets over its own copy of the scenario's bandwidth and counts those that get
through within the horizon: so it works for every bandwidth model, traces included, without knowing them.
"""

import math
from collections import deque
from collections.abc import Sequence

from simulator.channel.bandwidth import Bandwidth
from simulator.congestion_feedback import PacketReport
from simulator.units import MS_NS, SECOND_NS, bits

STEP_NS = MS_NS  # a step of the walker at the highest rate of interest: at most 1000 steps a second
LEAST_BYTES = 8  # of a step, or a line of a few bit/s would hide a step longer than the horizon


class Oracle:
    """Sends what the line will carry from now to the horizon, times the utilisation.

    Args:
        bandwidth: A copy of the link's, which nobody else uses.
        horizon_ns: How far it looks ahead: short ones follow every dip, long ones ride over them in the
            queue.
        utilisation: Share of the bandwidth to use; the rest lets a queue drain.
        min_bps, max_bps: Limits of the rate.
    """

    def __init__(
        self, bandwidth: Bandwidth, horizon_ns: int, utilisation: float, min_bps: float, max_bps: float
    ) -> None:
        self._bandwidth, self._horizon_ns, self._utilisation = bandwidth, horizon_ns, utilisation
        self._min_bps, self._max_bps = min_bps, max_bps
        self._step_bytes = max(round(max_bps * STEP_NS / bits(SECOND_NS)), LEAST_BYTES)
        most_bits = max_bps / utilisation * horizon_ns / SECOND_NS  # more is never asked for
        self._most_steps = math.ceil(most_bits / bits(self._step_bytes)) + 1
        self._walker_ns = 0  # when its last step was through
        self._through_ns: deque[int] = deque()  # steps that end after now

    def on_feedback(self, reports: Sequence[PacketReport], now_ns: int) -> None:
        """It knows already."""

    def target_bps(self, now_ns: int) -> float:
        """Bits a second on the wire; `now_ns` must not go back."""
        end_ns = now_ns + self._horizon_ns
        while self._through_ns and self._through_ns[0] <= now_ns:
            self._through_ns.popleft()
        while self._walker_ns <= end_ns and len(self._through_ns) < self._most_steps:
            self._walker_ns = self._bandwidth.finish_ns(max(self._walker_ns, now_ns), self._step_bytes)
            self._through_ns.append(self._walker_ns)
        through = sum(time_ns <= end_ns for time_ns in self._through_ns)
        carried_bps = bits(self._step_bytes * through) * SECOND_NS / self._horizon_ns
        return min(max(carried_bps * self._utilisation, self._min_bps), self._max_bps)
