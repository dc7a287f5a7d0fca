"""Pacing: a frame's packets spread over time, so that a queue on the path does not see them all at once.

factor 1     spread over the whole frame interval
factor 2.5   over the first 40 % of it: WebRTC's default (kDefaultPaceMultiplier of pacing_controller.h)
no pacing    back to back
"""

from simulator.units import transmission_ns


class Pacer:
    """A virtual line of `factor` times the target rate in front of the link; first come, first served.

    Args:
        factor: Pacing rate over target rate, > 0.
    """

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._free_ns = 0

    def send_ns(self, now_ns: int, size_bytes: int, rate_bps: float) -> int:
        """When to send a packet that is ready now, at least as late as those asked for before it.

        Args:
            now_ns: Now.
            size_bytes: Of the packet on the wire.
            rate_bps: The target rate now.
        """
        start_ns = max(now_ns, self._free_ns)
        self._free_ns = start_ns + transmission_ns(size_bytes, max(round(rate_bps * self._factor), 1))
        return start_ns
