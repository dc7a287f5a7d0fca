"""Loss with a memory: Markov chains whose states lose more or less.

    Gilbert-Elliott   two states, one move a packet
    four states       gaps with isolated losses, bursts with survivors; one move a packet
    continuous time   two states, exponential stays in simulated time

All start in the stationary law, so a short film meets as many fades as a long one (netem, Tambur
and WebRTC start in the good state, which flatters short streams). For any chain with moves P, its
law pi and losses l by state, P_L = pi l is the share lost, P_LL = pi diag(l) P l that of pairs of
neighbours both lost, and the mean run of losses is P_L / (P_L - P_LL).
"""

import math
from collections.abc import Callable, Generator, Iterator

import numpy as np
from numpy.typing import NDArray

from simulator.streams import Draws, answers

Lost = Callable[[int], bool]


class GilbertElliott:
    """A good and a bad state, each with its own loss; netem's `loss gemodel` in its own letters.

    Share of time in the bad state p / (p + r); loss [r (1 - k) + p (1 - h)] / (p + r). With h = 0 and
    k = 1 (a simple Gilbert channel) that is p / (p + r), and the mean run of losses is 1 / r
    (Gilbert 1960; Elliott 1963; Hasslinger and Hohlfeld 2008).

    State and loss draw from separate streams: a change of h or k leaves the fades where they were.

    Args:
        p: Chance of good -> bad, a packet.
        r: Chance of bad -> good, a packet; p + r > 0.
        h: Chance of delivery in the bad state (netem's command line wants 1 - h).
        k: Chance of delivery in the good state (netem's command line wants 1 - k).
        state_draws: One a packet.
        loss_draws: One a packet.
    """

    __slots__ = ("lost",)

    lost: Lost

    def __init__(self, p: float, r: float, h: float, k: float, state_draws: Draws, loss_draws: Draws) -> None:
        assert p + r > 0, (p, r)
        bad = state_draws.one() < p / (p + r)

        def block() -> NDArray[np.bool_]:
            nonlocal bad
            states, bad = walk(bad, p, r, state_draws.block())
            return loss_draws.block() < np.where(states, 1 - h, 1 - k)

        self.lost = answers(block)


def walk(bad: bool, p: float, r: float, draws: NDArray[np.float64]) -> tuple[NDArray[np.bool_], bool]:
    """States of a two-state chain at once, without a loop.

    A draw u moves good -> bad where u < p, and keeps bad where u < 1 - r. So u below both leads to
    bad and u above both to good, wherever the chain was; between the two it stays (p < 1 - r) or
    changes sides (p > 1 - r), counted from the last draw that led somewhere.

    Args:
        bad: The first state.
        p: Chance of good -> bad.
        r: Chance of bad -> good.
        draws: From [0, 1), one a move: [n].

    Returns:
        The states before each move, true for bad, [n], and the one after the last.
    """
    low, high = min(p, 1 - r), max(p, 1 - r)
    leads = (draws < low) | (draws >= high)
    after = np.append(bad, draws < low)  # where a draw leads; the first state counts as led to
    last = np.maximum.accumulate(np.append(0, np.where(leads, np.arange(1, len(draws) + 1), 0)))
    states = after[last]
    if p > 1 - r:
        states = states ^ ((np.arange(len(states)) - last) % 2 == 1)
    return states[:-1], bool(states[-1])


def _answers(chain: Generator[bool, int, None]) -> Lost:
    """A generator as the method `lost`; sending to it is quicker than a call of a method around it."""
    next(chain)  # to its first yield, whose value nobody asked for
    return chain.send


class FourState:
    """netem's `loss state`, the model of Salsano et al. (2012): two kinds of loss, two of survival.

        1 survivor in a gap    p13 -> 3    p14 -> 4
        2 survivor in a burst  p23 -> 3
        3 loss in a burst      p31 -> 1    p32 -> 2
        4 isolated loss        1   -> 1

    With D = p31 p23 (1 + p14) + p13 (p23 + p32), the shares of time are p31 p23 / D, p13 p32 / D,
    p13 p23 / D and p14 p31 p23 / D; loss is that of states 3 and 4.

    Args:
        p13, p31, p32, p23, p14: Chances a packet; D > 0.
        draws: One a packet.
    """

    __slots__ = ("lost",)

    lost: Lost

    def __init__(self, p13: float, p31: float, p32: float, p23: float, p14: float, draws: Draws) -> None:
        self.lost = _answers(_four_states(p13, p31, p32, p23, p14, draws))


def four_state_law(p13: float, p31: float, p32: float, p23: float, p14: float) -> tuple[float, float, float, float]:
    """Shares of time in states 1 to 4.

    >>> four_state_law(0.1, 0.9, 0, 1, 0)
    (0.9, 0.0, 0.1, 0.0)
    """
    weights = (p31 * p23, p13 * p32, p13 * p23, p14 * p31 * p23)
    total = sum(weights)
    return weights[0] / total, weights[1] / total, weights[2] / total, weights[3] / total


def _four_states(
    p13: float, p31: float, p32: float, p23: float, p14: float, draws: Draws
) -> Generator[bool, int, None]:
    chance = draws.uniform
    gap, isolated = four_state_law(p13, p31, p32, p23, p14)[0::3]
    burst_loss = four_state_law(p13, p31, p32, p23, p14)[2]
    # What a state loses comes first, so that one draw and a higher chance of loss lose no less.
    moves: dict[int, tuple[tuple[float, int], ...]] = {
        1: ((p14, 4), (p14 + p13, 3), (2, 1)),
        2: ((p23, 3), (2, 2)),
        3: ((1 - p31 - p32, 3), (1 - p31, 2), (2, 1)),
        4: ((2, 1),),
    }
    first = ((isolated, 4), (isolated + burst_loss, 3), (isolated + burst_loss + gap, 1), (2, 2))
    yield False
    state = _pick(first, chance())
    while True:
        yield state >= 3
        state = _pick(moves[state], chance())


def _pick(bounds: tuple[tuple[float, int], ...], draw: float) -> int:
    return next(state for bound, state in bounds if draw < bound)


class ContinuousTime:
    """Two states with exponential stays in simulated time, however many packets ask.

    On one seed, two codecs meet the same fades at the same times: neither sends its way out of one.
    Share of time in the bad state: mean bad / (mean good + mean bad). Packets much closer than a
    stay see bursts of (mean bad / spacing) packets. FlowEmu models radio links this way; Yajnik et
    al. ("Measurement and modelling of the temporal dependence in packet loss", 1999) fit it.

    Args:
        mean_good_ns, mean_bad_ns: Mean stays.
        loss_good, loss_bad: Chance of loss in each state.
        state_draws: One a stay, and one for the first state.
        loss_draws: One a packet.
    """

    __slots__ = ("_bad", "_chance", "_changes", "_loss", "_until_ns")

    def __init__(
        self,
        mean_good_ns: float,
        mean_bad_ns: float,
        loss_good: float,
        loss_bad: float,
        state_draws: Draws,
        loss_draws: Draws,
    ) -> None:
        self._changes = alternating_stays(mean_good_ns, mean_bad_ns, state_draws)
        self._bad, self._until_ns = next(self._changes)
        self._loss, self._chance = (loss_good, loss_bad), loss_draws.uniform

    def lost(self, now_ns: int) -> bool:
        """See `Loss.lost`."""
        while now_ns >= self._until_ns:
            self._bad, self._until_ns = next(self._changes)
        return self._chance() < self._loss[self._bad]


def alternating_stays(mean_good_ns: float, mean_bad_ns: float, draws: Draws) -> Iterator[tuple[bool, float]]:
    """Stays in turn as (bad, end in ns); exponential, the first state by its share of time.

    An exponential stay has no memory, so what is left of the first one is a whole one.
    """
    bad = draws.uniform() < mean_bad_ns / (mean_good_ns + mean_bad_ns)
    end_ns = 0.0
    while True:
        end_ns += -math.log(1 - draws.uniform()) * (mean_good_ns, mean_bad_ns)[bad]
        yield bad, end_ns
        bad = not bad


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
