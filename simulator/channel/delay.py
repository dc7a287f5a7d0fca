"""Delay: how long a packet is under way after its last bit was sent.

Delays that differ can make packets overtake each other. Whether they may is said, not implied:
`reorder` True lets them; False (FIFO) lets each arrive no sooner than the one before it, as on a
path where jitter comes from queues. The link keeps that order; a model only says what it wants.
"""

from typing import Protocol, assert_never

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from simulator import scenario_channel
from simulator.streams import BLOCK, generator, one_by_one


class Delay(Protocol):
    """What the link asks of a delay model."""

    @property
    def reorder(self) -> bool:
        """Whether a packet may overtake the one before it."""
        ...

    def draw(self, now_ns: int) -> int:
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


class Normal:
    """Normal distribution; a draw below 0 counts as 0.

    So the mean is that of the scenario only where jitter is small beside it: with mean = 2 jitter,
    2.3 % of draws are cut and the mean grows by 0.85 % of the jitter.

    Args:
        mean_ns: Mean before the cut.
        jitter_ns: Standard deviation before the cut.
        reorder: Whether a packet may overtake the one before it.
        chance: One draw a packet.
    """

    __slots__ = ("_next_ns", "reorder")

    def __init__(self, mean_ns: int, jitter_ns: int, reorder: bool, chance: Generator) -> None:
        def block_ns() -> NDArray[np.int64]:
            delays_ns = mean_ns + jitter_ns * chance.standard_normal(BLOCK)
            return np.maximum(delays_ns, 0).astype(np.int64)

        self.reorder = reorder
        self._next_ns = one_by_one(block_ns)

    def draw(self, now_ns: int) -> int:
        """See `Delay.draw`."""
        delay_ns: int = self._next_ns()
        return delay_ns


class Uniform:
    """Evenly from mean - jitter to mean + jitter, both ends included.

    Args:
        mean_ns: Middle of the range.
        jitter_ns: Half its width, at most `mean_ns`.
        reorder: Whether a packet may overtake the one before it.
        chance: One draw a packet.
    """

    __slots__ = ("_next_ns", "reorder")

    def __init__(self, mean_ns: int, jitter_ns: int, reorder: bool, chance: Generator) -> None:
        assert jitter_ns <= mean_ns, (jitter_ns, mean_ns)
        least_ns, width_ns = mean_ns - jitter_ns, 2 * jitter_ns + 1

        def block_ns() -> NDArray[np.int64]:
            return least_ns + (width_ns * chance.random(BLOCK)).astype(np.int64)

        self.reorder = reorder
        self._next_ns = one_by_one(block_ns)

    def draw(self, now_ns: int) -> int:
        """See `Delay.draw`."""
        delay_ns: int = self._next_ns()
        return delay_ns


def make(model: scenario_channel.DelayModel, seed: int) -> Delay:
    """The delay a scenario asks for, with its own stream of chance."""
    match model:
        case scenario_channel.ConstantDelay():
            return Constant(model.mean_ns)
        case scenario_channel.NormalDelay():
            return Normal(model.mean_ns, model.jitter_ns, model.reorder, generator(seed, "delay"))
        case scenario_channel.UniformDelay():
            return Uniform(model.mean_ns, model.jitter_ns, model.reorder, generator(seed, "delay"))
    assert_never(model)
