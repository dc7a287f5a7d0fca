"""Bandwidth: how long the line is busy with a packet."""

from typing import Protocol, assert_never

from simulator import scenario_channel
from simulator.units import transmission_ns


class Bandwidth(Protocol):
    """What the link asks of a bandwidth."""

    def finish_ns(self, start_ns: int, size_bytes: int) -> int:
        """When the last bit of a packet is sent whose first bit goes at `start_ns`."""
        ...


class Infinite:
    """A line that takes no time."""

    __slots__ = ()

    def finish_ns(self, start_ns: int, size_bytes: int) -> int:
        """The start."""
        return start_ns


class Constant:
    """A line of `rate_bps` > 0 bits a second."""

    __slots__ = ("_busy_ns", "_rate_bps")

    def __init__(self, rate_bps: int) -> None:
        self._rate_bps = rate_bps
        self._busy_ns: dict[int, int] = {}  # by size, of which a film has few

    def finish_ns(self, start_ns: int, size_bytes: int) -> int:
        """Start plus size over rate, rounded up."""
        busy_ns = self._busy_ns.get(size_bytes)
        if busy_ns is None:
            busy_ns = self._busy_ns[size_bytes] = transmission_ns(size_bytes, self._rate_bps)
        return start_ns + busy_ns


def make(model: scenario_channel.BandwidthModel) -> Bandwidth:
    """The bandwidth a scenario asks for."""
    match model:
        case scenario_channel.InfiniteBandwidth():
            return Infinite()
        case scenario_channel.ConstantBandwidth():
            return Constant(model.rate_bps)
    assert_never(model)
