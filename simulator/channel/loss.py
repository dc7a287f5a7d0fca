"""Loss: does a packet get through?

    none              yes
    Bernoulli         each with the same chance
    two and four states, continuous time   losses come in bursts: see markov
    trace             as it was measured, packet by packet
    rows              with a chance that changes in time
    bursts            named packets are lost
    token erasure     all packets get through: see erasure

The random ones draw one uniform number a packet and compare it with a rate. So, on the same seed, a
channel with a higher rate loses all that one with a lower rate loses, and more: curves over the loss
rate are smooth, and differences between two codecs are not luck.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, assert_never

from simulator import scenario_channel
from simulator.channel import own, traces
from simulator.channel.markov import ContinuousTime, FourState, GilbertElliott, from_rate_and_burst
from simulator.channel.steps import Steps
from simulator.streams import Draws, generator


class Loss(Protocol):
    """What the link asks of a loss model."""

    def lost(self, now_ns: int, /) -> bool:
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


class Trace:
    """Losses as they were measured, packet by packet.

    Args:
        losses: One value a packet, at least one.
        repeat: Start again at the end; else nothing more is lost.
        start: Packet to start with.
    """

    __slots__ = ("_losses", "_next", "_repeat")

    def __init__(self, losses: Sequence[bool], repeat: bool, start: int = 0) -> None:
        self._losses, self._repeat, self._next = losses, repeat, start

    def lost(self, now_ns: int) -> bool:
        """See `Loss.lost`."""
        number = self._next
        self._next = number + 1
        if self._repeat:
            return self._losses[number % len(self._losses)]
        return number < len(self._losses) and self._losses[number]


class Rows:
    """Loses each packet with a chance that depends on the time it leaves the line."""

    __slots__ = ("_rates", "_uniform")

    def __init__(self, rates: Steps[float], draws: Draws) -> None:
        self._rates, self._uniform = rates, draws.uniform

    def lost(self, now_ns: int) -> bool:
        """See `Loss.lost`."""
        return self._uniform() < self._rates.at(now_ns)[0]


class Bursts:
    """Loses named packets: `bursts` of (first packet, how many), counted from 0 as they are sent for the first time."""

    __slots__ = ("_next", "_numbers")

    def __init__(self, bursts: Sequence[Sequence[int]]) -> None:
        self._numbers = {number for first, count in bursts for number in range(first, first + count)}
        self._next = 0

    def lost(self, now_ns: int) -> bool:
        """See `Loss.lost`."""
        self._next += 1
        return self._next - 1 in self._numbers


def make(model: scenario_channel.LossModel, seed: int, purpose: str = "loss") -> Loss:
    """The loss a scenario asks for, with its own streams of chance.

    Args:
        model: Its section.
        seed: Of the run.
        purpose: Names the stream of one draw a packet; that of states is always the same.

    Raises:
        TraceError: If a file it names cannot be used.
        ScenarioError: If a class it names cannot be.
    """

    def draws(purpose: str) -> Draws:
        return Draws(generator(seed, purpose))

    match model:
        case scenario_channel.NoLoss() | scenario_channel.TokenErasure():
            return NoLoss()
        case scenario_channel.Bernoulli():
            return Bernoulli(model.rate, draws(purpose))
        case scenario_channel.GilbertElliott():
            p, r = chances(model)
            return GilbertElliott(p, r, model.h, model.k, draws("loss state"), draws(purpose))
        case scenario_channel.FourState():
            p31 = 1 - model.p13 if model.p31 is None else model.p31
            return FourState(model.p13, p31, model.p32, model.p23, model.p14, draws("loss state"))
        case scenario_channel.ContinuousTime():
            stays = model.stay_good_ns, model.mean_bad_ns
            return ContinuousTime(*stays, model.loss_good, model.loss_bad, draws("loss state"), draws(purpose))
        case scenario_channel.LossTrace():
            losses = [d == "1" for d in model.losses] if model.losses else traces.read_losses(Path(model.file or ""))
            start = int(draws("loss start").uniform() * len(losses)) if model.random_start else 0
            return Trace(losses, model.repeat, start)
        case scenario_channel.LossRows():
            rows = model.rows or traces.read_loss_rows(Path(model.file or ""), model.bin_ns)
            return Rows(Steps(rows, model.repeat), draws(purpose))
        case scenario_channel.LossBursts():
            return Bursts(model.bursts)
        case scenario_channel.Own():
            custom: Loss = own.make("channel.loss", model, ("lost",), seed, purpose)
            return custom
    assert_never(model)


def chances(model: scenario_channel.GilbertElliott) -> tuple[float, float]:
    """(p, r), however the scenario spells them."""
    if model.rate is not None and model.mean_burst is not None:
        return from_rate_and_burst(model.rate, model.mean_burst)
    assert model.p is not None and model.r is not None, model
    return model.p, model.r
