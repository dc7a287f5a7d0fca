"""Delay: how long a packet is under way after its last bit was sent.

Delays that differ can make packets overtake each other. Whether they may is said, not implied:
`reorder` True lets them; False (FIFO) lets each arrive no sooner than the one before it, as on a
path where jitter comes from queues. The link keeps that order; a model only says what it wants.
"""

import numbers
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, assert_never

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from simulator import scenario_channel
from simulator.channel import own, traces
from simulator.channel.steps import Steps
from simulator.errors import ScenarioError
from simulator.streams import BLOCK, answers, generator

Law = Callable[[Generator], NDArray[np.int64]]  # BLOCK delays in ns, each >= 0


class Delay(Protocol):
    """What the link asks of a delay model."""

    @property
    def reorder(self) -> bool:
        """Whether a packet may overtake the one before it."""
        ...

    def draw(self, now_ns: int, /) -> int:
        """Delay in ns, >= 0, of the packet that leaves the line at `now_ns`; asked once a packet."""
        ...


class Constant:
    """The same for all."""

    __slots__ = ("mean_ns", "reorder")

    def __init__(self, mean_ns: int) -> None:
        self.mean_ns = mean_ns
        self.reorder = False

    def draw(self, now_ns: int) -> int:
        """See `Delay.draw`."""
        return self.mean_ns


class Random:
    """Each packet's delay is drawn, whatever those of the others.

    Args:
        law: The distribution.
        reorder: Whether a packet may overtake the one before it.
        chance: One draw a packet.
    """

    __slots__ = ("draw", "reorder")

    draw: Callable[[int], int]

    def __init__(self, law: Law, reorder: bool, chance: Generator) -> None:
        self.draw = answers(lambda: law(chance))
        self.reorder = reorder


def normal(mean_ns: int, jitter_ns: int) -> Law:
    """Normal distribution of this mean and standard deviation; a draw below 0 counts as 0.

    So the mean is that of the scenario only where jitter is small beside it: with mean = 2 jitter,
    2.3 % of draws are cut and the mean grows by 0.85 % of the jitter.
    """
    return lambda chance: np.maximum(mean_ns + jitter_ns * chance.standard_normal(BLOCK), 0).astype(np.int64)


def uniform(mean_ns: int, jitter_ns: int) -> Law:
    """Evenly from mean - jitter to mean + jitter, both ends included; jitter at most mean."""
    assert jitter_ns <= mean_ns, (jitter_ns, mean_ns)
    least_ns, width_ns = mean_ns - jitter_ns, 2 * jitter_ns + 1
    return lambda chance: least_ns + (width_ns * chance.random(BLOCK)).astype(np.int64)


def pareto(mean_ns: int, jitter_ns: int) -> Law:
    """Pareto distribution P(delay > x) = (least / x)^shape of this mean and standard deviation.

    Mean = least shape / (shape - 1), variance = mean^2 / (shape (shape - 2)); hence
    shape = 1 + sqrt(1 + (mean / jitter)^2), above 2, and least = mean (shape - 1) / shape. Drawn by
    inversion, so that more jitter means a larger delay for each packet above its median.
    """
    shape = 1 + float(np.hypot(1, mean_ns / jitter_ns))
    least_ns = mean_ns * (shape - 1) / shape
    return lambda chance: (least_ns * (1 - chance.random(BLOCK)) ** (-1 / shape)).astype(np.int64)


def gamma(mean_ns: int, jitter_ns: int, least_ns: int = 0) -> Law:
    """A least delay and a gamma-distributed wait; mean (of both) and standard deviation as given.

    Shape ((mean - least) / jitter)^2, scale jitter^2 / (mean - least). Measured one-way delays look
    like this (Bovy et al., "Analysis of end-to-end delay measurements in Internet", PAM 2002).
    """
    wait_ns = mean_ns - least_ns
    shape, scale_ns = (wait_ns / jitter_ns) ** 2, jitter_ns**2 / wait_ns
    return lambda chance: (least_ns + scale_ns * chance.standard_gamma(shape, BLOCK)).astype(np.int64)


def empirical(values_ns: Sequence[int], add_ns: int = 0) -> Law:
    """The distribution of some measured delays, as netem's `distribution FILE`; `add_ns` is added to each.

    Drawn by inversion of the empirical distribution function, evenly between neighbours in size.
    """
    table = np.sort(np.asarray(values_ns, dtype=np.float64)) + add_ns
    at = np.linspace(0, 1, len(table)) if len(table) > 1 else np.zeros(1)
    return lambda chance: np.interp(chance.random(BLOCK), at, table).astype(np.int64)


class Trace:
    """Delays as they were measured, by the time a packet leaves the line.

    Args:
        delays: ns by time.
        add_ns: Added to each.
        reorder: Whether a packet may overtake the one before it.
    """

    __slots__ = ("_add_ns", "_delays", "reorder")

    def __init__(self, delays: Steps[int], add_ns: int, reorder: bool) -> None:
        self._delays, self._add_ns, self.reorder = delays, add_ns, reorder

    def draw(self, now_ns: int) -> int:
        """See `Delay.draw`."""
        return self._delays.at(now_ns)[0] + self._add_ns


class Checked:
    """A user's own delay, watched: a packet must not arrive before it leaves, nor between two nanoseconds.

    Args:
        delay: It.
        name: Its import path, for errors.
    """

    __slots__ = ("_draw", "_name", "reorder")

    def __init__(self, delay: Delay, name: str) -> None:
        self._draw, self._name, self.reorder = delay.draw, name, delay.reorder

    def draw(self, now_ns: int) -> int:
        """See `Delay.draw`.

        Raises:
            ScenarioError: If it is no whole number, or below 0.
        """
        delay_ns: Any = self._draw(now_ns)
        if isinstance(delay_ns, numbers.Integral) and int(delay_ns) >= 0:
            return int(delay_ns)
        rule = f"{self._name}: draw must give whole nanoseconds, 0 or more"
        raise ScenarioError("channel.delay", rule, delay_ns, "See docs/extending.md")


def make(model: scenario_channel.DelayModel, seed: int, purpose: str = "delay") -> Delay:
    """The delay a scenario asks for, with its own stream of chance.

    Raises:
        TraceError: If a file it names cannot be used.
        ScenarioError: If a class it names cannot be.
    """
    match model:
        case scenario_channel.ConstantDelay():
            return Constant(model.mean_ns)
        case scenario_channel.DelayTrace():
            rows = model.rows or traces.read_delay_rows(Path(model.file or ""))
            return Trace(Steps(rows, model.repeat), model.mean_ns, model.reorder)
        case scenario_channel.Own():
            return Checked(own.make("channel.delay", model, ("draw", "reorder"), seed, purpose), model.model)
        case scenario_channel.NormalDelay():
            law = normal(model.mean_ns, model.jitter_ns)
        case scenario_channel.UniformDelay():
            law = uniform(model.mean_ns, model.jitter_ns)
        case scenario_channel.ParetoDelay():
            law = pareto(model.mean_ns, model.jitter_ns)
        case scenario_channel.GammaDelay():
            law = gamma(model.mean_ns, model.jitter_ns, model.least_ns)
        case scenario_channel.EmpiricalDelay():
            law = empirical(model.values or traces.read_delays(Path(model.file or "")), model.mean_ns)
        case _:
            assert_never(model)
    return Random(law, model.reorder, generator(seed, purpose))
