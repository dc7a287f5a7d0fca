"""Repeats: what befalls packets that are sent again, without a trace in what befalls the others.

How many packets are repeated, and when, depends on what was lost. If repeats drew from the streams of
first transmissions, each would shift the fate of all packets behind it, and two loss rates could not
be compared packet by packet any more. So repeats have streams of their own, and the channel's state:

    memoryless        a chance of their own
    by time           the fade, outage or row of the time at which they leave
    by packet         the state in which the first transmissions left the channel, which a repeat meets
                      but does not move: that of the packet to come
"""

from itertools import islice, repeat

from simulator import scenario_channel
from simulator.channel import loss
from simulator.channel.loss import Loss
from simulator.channel.markov import GilbertElliott
from simulator.streams import Draws, generator

BY_PACKET = (
    scenario_channel.GilbertElliott,
    scenario_channel.FourState,
    scenario_channel.LossTrace,
    scenario_channel.LossBursts,
)


class Counted:
    """A loss model, and how many packets it was asked about."""

    __slots__ = ("_lost", "asked")

    def __init__(self, model: Loss) -> None:
        self._lost, self.asked = model.lost, 0

    def lost(self, now_ns: int) -> bool:
        """See `Loss.lost`."""
        self.asked += 1
        return self._lost(now_ns)


class InStep:
    """Loses repeats by the state of a channel that moves packet by packet.

    Args:
        states: Asked once a packet, in order, it says whether that packet meets the bad state.
        first: Counts the first transmissions.
        loss_good, loss_bad: Chance of loss in each state.
        draws: One a repeat.
    """

    __slots__ = ("_at", "_bad", "_chance", "_first", "_loss", "_states")

    def __init__(self, states: Loss, first: Counted, loss_good: float, loss_bad: float, draws: Draws) -> None:
        self._states = map(states.lost, repeat(0))
        self._first, self._at, self._bad = first, 0, next(self._states)
        self._loss, self._chance = (loss_good, loss_bad), draws.uniform

    def lost(self, now_ns: int) -> bool:
        """See `Loss.lost`."""
        behind, self._at = self._first.asked - self._at, self._first.asked
        self._bad = next(islice(self._states, behind - 1, None)) if behind else self._bad
        return self._chance() < self._loss[self._bad]


def make_loss(model: scenario_channel.LossModel, seed: int, first: Counted) -> Loss:
    """The loss that repeats meet, beside that of first transmissions.

    Raises:
        TraceError: If a file the model names cannot be used.
    """
    if not isinstance(model, BY_PACKET):
        return loss.make(model, seed, "loss of repeats")
    good, bad, states = 0.0, 1.0, loss.make(model, seed)  # a twin: equal names, equal streams
    if isinstance(model, scenario_channel.GilbertElliott):
        good, bad = 1 - model.k, 1 - model.h
        twin = Draws(generator(seed, "loss state")), Draws(generator(seed, "loss"))
        states = GilbertElliott(*loss.chances(model), 0, 1, *twin)  # loses where the state is bad
    return InStep(states, first, good, bad, Draws(generator(seed, "loss of repeats")))
