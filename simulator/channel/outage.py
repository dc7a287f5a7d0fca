"""Outage: the times at which nothing gets through, whoever sends: handovers, tunnels, passing satellites.

What is sent meanwhile is lost, as behind Mahimahi's mm-onoff and mm-intermittent. A line that stands
still, so that packets wait instead, is a bandwidth of 0.
"""

from collections.abc import Sequence
from typing import Protocol, assert_never

from simulator import scenario_channel
from simulator.channel.markov import alternating_stays
from simulator.streams import Draws, generator


class Outage(Protocol):
    """What the link asks of an outage."""

    def down(self, now_ns: int) -> bool:
        """Whether nothing gets through at a time, which is never less than in the call before."""
        ...


class Windows:
    """Down in given windows (start, length), in order and apart; up again at the very end of each."""

    __slots__ = ("_next", "_windows")

    def __init__(self, windows: Sequence[tuple[int, int]]) -> None:
        self._windows, self._next = windows, 0

    def down(self, now_ns: int) -> bool:
        """See `Outage.down`."""
        while self._next < len(self._windows) and sum(self._windows[self._next]) <= now_ns:
            self._next += 1
        return self._next < len(self._windows) and self._windows[self._next][0] <= now_ns


class Periodic:
    """Down for `length_ns` out of every `every_ns`, first at `start_ns`."""

    __slots__ = ("_every_ns", "_length_ns", "_start_ns")

    def __init__(self, every_ns: int, length_ns: int, start_ns: int) -> None:
        self._every_ns, self._length_ns, self._start_ns = every_ns, length_ns, start_ns

    def down(self, now_ns: int) -> bool:
        """See `Outage.down`."""
        past_ns = now_ns - self._start_ns
        return past_ns >= 0 and past_ns % self._every_ns < self._length_ns


class Random:
    """Exponential stays up and down; down for mean down / (mean up + mean down) of the time."""

    __slots__ = ("_down", "_stays", "_until_ns")

    def __init__(self, mean_up_ns: int, mean_down_ns: int, draws: Draws) -> None:
        self._stays = alternating_stays(mean_up_ns, mean_down_ns, draws)
        self._down, self._until_ns = next(self._stays)

    def down(self, now_ns: int) -> bool:
        """See `Outage.down`."""
        while now_ns >= self._until_ns:
            self._down, self._until_ns = next(self._stays)
        return self._down


def make(model: scenario_channel.OutageModel, seed: int) -> Outage | None:
    """The outage a scenario asks for, with its own stream of chance; None for none."""
    match model:
        case scenario_channel.NoOutage():
            return None
        case scenario_channel.OutageWindows():
            return Windows(model.windows)
        case scenario_channel.PeriodicOutage():
            return Periodic(model.every_ns, model.length_ns, model.start_ns)
        case scenario_channel.RandomOutage():
            return Random(model.mean_up_ns, model.mean_down_ns, Draws(generator(seed, "outage")))
    assert_never(model)
