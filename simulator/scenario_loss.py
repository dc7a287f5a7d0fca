"""The models of loss a scenario can name, and the numbers each of them takes.

What they do, with formulas and sources: simulator/channel/loss.py and markov.py.
"""

import math
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from simulator.scenario_own import OrOwn, Own
from simulator.scenario_values import Duration, Listed, Rows, Section, Share, Whole, check_rows, one_source, problem


class NoLoss(Section):
    """Every packet survives."""

    model: Literal["none"] = "none"


class Bernoulli(Section):
    """Each packet is lost with the same chance, whatever befell the one before."""

    model: Literal["bernoulli"]
    rate: Share


class GilbertElliott(Section):
    """Losses in bursts: a good and a bad state, as in netem's `loss gemodel`.

    Attributes:
        rate, mean_burst: What people know: share of packets lost, and mean run of losses in packets.
        p, r: Or the chances of good -> bad and bad -> good, a packet.
        h, k: With p and r: chance of delivery in the bad and in the good state.
    """

    model: Literal["gilbert_elliott"]
    rate: Share | None = None
    mean_burst: float | None = Field(default=None, ge=1, description="Mean run of losses, in packets.")
    p: Share | None = None
    r: Share | None = None
    h: Share = 0.0
    k: Share = 1.0

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_rate = self.rate is not None and self.mean_burst is not None
        by_chance = self.p is not None and self.r is not None
        given = sum(value is not None for value in (self.rate, self.mean_burst, self.p, self.r))
        simple = (self.h, self.k) == (0.0, 1.0)
        if given == 2 and by_rate and simple:
            self._check_realisable()
        elif given != 2 or not by_chance:
            raise ValueError("give either rate and mean_burst, or p and r (and, if you like, h and k)")
        elif self.p == self.r == 0:
            raise problem("r", "p and r are both 0, so the share of time in each state is undefined")
        return self

    def _check_realisable(self) -> None:
        """p = r L / (1 - L) with r = 1 / b must be a chance, so b >= L / (1 - L)."""
        assert self.rate is not None and self.mean_burst is not None, self
        if self.rate == 1:
            raise problem("rate", "must be below 100 %: a burst has to end")
        shortest = self.rate / (1 - self.rate)
        if self.mean_burst < shortest * (1 - 1e-12):
            burst = math.ceil(shortest * 1e4) / 1e4  # rounded to the safe side, or the advice would fail
            rate = math.floor(self.mean_burst / (1 + self.mean_burst) * 1e4) / 1e4
            raise problem(
                "mean_burst",
                f"no two-state channel loses {self.rate:g} in bursts of {self.mean_burst:g}: the gaps would "
                f"be shorter than a packet. Nearest valid: mean_burst {burst:g} with this rate, "
                f"or rate {rate:g} with this burst",
            )


class FourState(Section):
    """Gaps with isolated losses, and bursts with packets that survive: netem's `loss state`.

    Attributes:
        p13: Chance of a gap's packet -> burst loss.
        p31: Burst loss -> gap; default 1 - p13, as in netem.
        p32, p23: Burst loss -> survivor within the burst, and back.
        p14: Gap's packet -> isolated loss, from which the chain always returns to the gap.
    """

    model: Literal["four_state"]
    p13: Share
    p31: Share | None = None
    p32: Share = 0.0
    p23: Share = 1.0
    p14: Share = 0.0

    @model_validator(mode="after")
    def _chances(self) -> Self:
        p31 = 1 - self.p13 if self.p31 is None else self.p31
        if self.p13 + self.p14 > 1:
            raise problem("p14", "p13 + p14 must be at most 1: both leave the same state")
        if p31 + self.p32 > 1 + 1e-12:
            raise problem("p32", "p31 + p32 must be at most 1: both leave the same state (p31 is 1 - p13 unless given)")
        if p31 * self.p23 + self.p13 * (self.p23 + self.p32) == 0:
            raise problem("p23", "some states can never be left, so the share of time in each is undefined")
        return self


class ContinuousTime(Section):
    """A good and a bad state that change in simulated time, however many packets are sent.

    Attributes:
        mean_good_ns, mean_bad_ns: Mean stay in each state; both stays are exponential.
        rate: In place of mean_good: share of time in the bad state.
        loss_good, loss_bad: Chance of loss in each state.
    """

    model: Literal["continuous_time"]
    mean_bad_ns: Duration = Field(alias="mean_bad", gt=0)
    mean_good_ns: Duration | None = Field(default=None, alias="mean_good", gt=0)
    rate: Share | None = Field(default=None, gt=0, lt=1, description="Share of time in the bad state.")
    loss_good: Share = 0.0
    loss_bad: Share = 1.0

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        one_source(self, "mean_good_ns", "rate")
        return self

    @property
    def stay_good_ns(self) -> float:
        """Mean stay in the good state, however it was spelled."""
        if self.mean_good_ns is not None:
            return self.mean_good_ns
        assert self.rate is not None, self
        return self.mean_bad_ns * (1 - self.rate) / self.rate


class LossTrace(Section):
    """The fate of each packet in turn, from measurements or by hand: 1 lost, 0 not.

    Attributes:
        losses: The digits themselves, such as "0001100".
        file: Or a file of such digits; spaces and line ends do not matter.
        repeat: Start again at the end; else nothing more is lost.
        random_start: Enter at a place that the seed chooses.
    """

    model: Literal["trace"]
    losses: str | None = Field(default=None, pattern="^[01]+$")
    file: str | None = None
    repeat: bool = True
    random_start: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        one_source(self, "losses", "file")
        return self


class LossRows(Section):
    """A chance of loss that changes in time.

    Attributes:
        rows: [time, chance]; each holds until the next, the first also before its time.
        file: Or a file of such rows, "seconds chance"; with `bin`, of one chance a bin.
        bin_ns: Length of a bin of such a file.
        repeat: Start again at the end; else the last row holds.
    """

    model: Literal["rows"]
    rows: Rows[Share] | None = None
    file: str | None = None
    bin_ns: Duration | None = Field(default=None, alias="bin", gt=0)
    repeat: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        one_source(self, "rows", "file")
        check_rows(self.rows)
        return self


class LossBursts(Section):
    """Named packets are lost: bursts of [first, how many], counted from 0 as packets are first sent."""

    model: Literal["bursts"]
    bursts: Listed[Annotated[Listed[Annotated[Whole, Field(ge=0)]], Field(min_length=2, max_length=2)]]


class TokenErasure(Section):
    """A share of all tokens vanishes while every packet arrives: for comparison with theory and papers."""

    model: Literal["token_erasure"]
    rate: Share


LossModel: TypeAlias = Annotated[
    NoLoss
    | Bernoulli
    | GilbertElliott
    | FourState
    | ContinuousTime
    | LossTrace
    | LossRows
    | LossBursts
    | TokenErasure
    | Own,
    OrOwn(),
]
