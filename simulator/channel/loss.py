"""Loss: does a packet get through?

    none              yes
    Bernoulli         each with the same chance
    Gilbert-Elliott   two states, good and bad; losses come in bursts

Each draws one uniform number a packet and compares it with a rate. So, on the same seed, a channel
with a higher rate loses all that one with a lower rate loses, and more: curves over the loss rate
are smooth, and differences between two codecs are not luck.
"""

import math
from collections.abc import Iterator
from typing import Protocol, assert_never

from simulator import scenario_channel
from simulator.streams import Draws, generator


class Loss(Protocol):
    """What the link asks of a loss model."""

    def lost(self, now_ns: int) -> bool:
        """Whether the packet that leaves the line at `now_ns` is lost; asked once a packet, in order."""
        ...


class NoLoss:
    """Loses nothing."""

    __slots__ = ()

    def lost(self, now_ns: int) -> bool:
        """Always False."""
        return False


class Bernoulli:
    """Loses each packet with chance `rate`, whatever befell the others; mean run 1 / (1 - rate)."""

    __slots__ = ("_uniform", "rate")

    def __init__(self, rate: float, draws: Draws) -> None:
        self.rate = rate
        self._uniform = draws.uniform

    def lost(self, now_ns: int) -> bool:
        """See `Loss.lost`."""
        return self._uniform() < self.rate


class GilbertElliott:
    """A good and a bad state, each with its own loss; netem's `loss gemodel` in its own letters.

    The chain is stationary from the first packet on: share of time in the bad state p / (p + r).
    Loss: [r (1 - k) + p (1 - h)] / (p + r). With h = 0 and k = 1 (a simple Gilbert channel) that is
    p / (p + r) and the mean run of losses 1 / r; in general the mean run is P_L / (P_L - P_LL),
    with P_LL the share of neighbours both lost (Gilbert 1960; Elliott 1963; Hasslinger and
    Hohlfeld 2008). netem itself starts in the good state, which flatters short streams.

    State and loss draw from separate streams: a change of h or k leaves the fades where they were.

    Args:
        p: Chance of good -> bad, a packet.
        r: Chance of bad -> good, a packet; p + r > 0.
        h: Chance of delivery in the bad state (netem's command line wants 1 - h).
        k: Chance of delivery in the good state (netem's command line wants 1 - k).
        state_draws: One a packet.
        loss_draws: One a packet.
    """

    __slots__ = ("_next",)

    def __init__(self, p: float, r: float, h: float, k: float, state_draws: Draws, loss_draws: Draws) -> None:
        assert p + r > 0, (p, r)
        self._next = _chain(p, r, h, k, state_draws, loss_draws).__next__

    def lost(self, now_ns: int) -> bool:
        """See `Loss.lost`."""
        return self._next()


def _chain(p: float, r: float, h: float, k: float, state_draws: Draws, loss_draws: Draws) -> Iterator[bool]:
    """Losses, packet by packet; state is False for good and True for bad, hence the pairs."""
    move, chance = state_draws.uniform, loss_draws.uniform
    bad_next, loss = (p, 1 - r), (1 - k, 1 - h)
    bad = move() < p / (p + r)
    while True:
        yield chance() < loss[bad]
        bad = move() < bad_next[bad]


ROUNDING = 1 - 1e-12  # 0.8 / (1 - 0.8) is a hair above 4, and 4 must do


def from_rate_and_burst(rate: float, mean_burst: float) -> tuple[float, float]:
    """Chances (p, r) of the simple Gilbert channel (h = 0, k = 1) with a given loss.

    The mean run is 1 / r, so r = 1 / b; the loss is p / (p + r), so p = r L / (1 - L). A chance is
    at most 1, so b must be at least L / (1 - L): gaps cannot be shorter than one packet. With
    b = 1 / (1 - L) the channel is a Bernoulli one. Worked: L = 0.1, b = 3 give r = 1/3, p = 1/27.

    Args:
        rate: Share of packets lost, 0 <= L < 1.
        mean_burst: Mean run of losses in packets, b >= 1.

    Raises:
        ValueError: If no such channel exists; names the nearest that do.
    """
    if not (0 <= rate < 1 and mean_burst >= 1):
        raise ValueError(
            f"a burst channel needs 0 <= rate < 1 and mean_burst >= 1, got rate {rate:g} and mean_burst {mean_burst:g}"
        )
    shortest = rate / (1 - rate) * ROUNDING
    if mean_burst < shortest:
        raise ValueError(
            f"no two-state channel loses {rate:g} in bursts of {mean_burst:g}: mean_burst must be at "
            f"least rate / (1 - rate). {_nearest(shortest, mean_burst)}"
        )
    r = 1 / mean_burst
    return min(r * rate / (1 - rate), 1.0), r


def _nearest(shortest: float, mean_burst: float) -> str:
    """The two valid pairs beside an invalid one, rounded to the valid side."""
    burst = math.ceil(shortest * 1e4) / 1e4
    lower = math.floor(mean_burst / (1 + mean_burst) * 1e4) / 1e4
    return f"Nearest valid: mean_burst {burst:g} with this rate, or rate {lower:g} with this burst"


def make(model: scenario_channel.LossModel, seed: int) -> Loss:
    """The loss a scenario asks for, with its own streams of chance."""

    def draws(purpose: str) -> Draws:
        return Draws(generator(seed, purpose))

    match model:
        case scenario_channel.NoLoss():
            return NoLoss()
        case scenario_channel.Bernoulli():
            return Bernoulli(model.rate, draws("loss"))
        case scenario_channel.GilbertElliott():
            p, r = _chances(model)
            return GilbertElliott(p, r, model.h, model.k, draws("loss state"), draws("loss"))
    assert_never(model)


def _chances(model: scenario_channel.GilbertElliott) -> tuple[float, float]:
    """(p, r), however the scenario spells them."""
    if model.rate is not None and model.mean_burst is not None:
        return from_rate_and_burst(model.rate, model.mean_burst)
    assert model.p is not None and model.r is not None, model
    return model.p, model.r
