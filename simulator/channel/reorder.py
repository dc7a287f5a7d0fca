"""Reorder: some packets skip the delay, and so overtake those before them."""

from typing import Protocol, assert_never

from simulator import scenario_channel
from simulator.streams import Draws, generator


class Reorder(Protocol):
    """What the link asks of a model of reordering."""

    def skips(self) -> bool:
        """Whether the next packet skips the delay; asked once a packet."""
        ...


class Netem:
    """netem's `reorder PERCENT gap DISTANCE`: from every gap-th packet on, each with chance `rate`.

    Counting starts again at each packet that skips. So a share rate / (1 + (gap - 1) rate) of all
    packets skips the delay: `rate` without a gap, 1 / gap with a rate of 1.

    Args:
        rate: Chance of a packet whose turn it is.
        gap: Packets from one that skips to the next that may, at least 1.
        draws: One a packet.
    """

    __slots__ = ("_gap", "_rate", "_since", "_uniform")

    def __init__(self, rate: float, gap: int, draws: Draws) -> None:
        self._rate, self._gap, self._uniform, self._since = rate, gap, draws.uniform, 0

    def skips(self) -> bool:
        """See `Reorder.skips`."""
        self._since += 1
        if self._uniform() >= self._rate or self._since < self._gap:
            return False
        self._since = 0
        return True


def make(model: scenario_channel.ReorderModel, seed: int, purpose: str = "reorder") -> Reorder | None:
    """The reordering a scenario asks for, with its own stream of chance; None for none."""
    match model:
        case scenario_channel.NoReorder():
            return None
        case scenario_channel.NetemReorder():
            return Netem(model.rate, model.gap, Draws(generator(seed, purpose)))
    assert_never(model)
