"""Intervals by the bootstrap over units, a unit being a (clip, seed): never over frames.

Frames of one film resemble one another, and losses come in bursts; so frames are no independent
observations, and an interval from resampled frames is far too narrow. Here whole units are drawn
with replacement (the cluster bootstrap: Davison & Hinkley, *Bootstrap Methods and their
Application*, 1997, section 3.8; Efron & Tibshirani, *An Introduction to the Bootstrap*, 1993,
chapters 8 and 13), the same draws for all conditions, so that differences keep their pairing.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from simulator import streams

DRAWS = 2000
CONFIDENCE = 0.95

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """A ratio of sums over units: a mean is the sum of values over the count of frames.

    Attributes:
        top, bottom: float64 [C, n]: C conditions, n units; a unit that is missing has 0 and 0.
    """

    top: Floats
    bottom: Floats

    @property
    def units(self) -> NDArray[np.int64]:
        """Units that are there: int64 [C]."""
        return np.asarray((self.bottom > 0).sum(axis=1), dtype=np.int64)

    @property
    def ratio(self) -> Floats:
        """The estimate: float64 [C], nan where no unit is there."""
        return _ratio(self.top.sum(axis=1), self.bottom.sum(axis=1))


def draw_weights(units: int, draws: int = DRAWS) -> Floats:
    """How often each unit occurs in each resample: float64 [draws, units], each row sums to units.

    From a named stream: the same tables always get the same intervals.
    """
    chance = streams.generator(0, "report bootstrap")
    return chance.multinomial(units, np.full(units, 1 / units), size=draws).astype(np.float64)


def resample(sums: Sums, weights: Floats) -> Floats:
    """The estimate in each resample: float64 [C, draws]; nan where no unit of the condition was drawn."""
    return _ratio(sums.top @ weights.T, sums.bottom @ weights.T)


def interval(draws: Floats, units: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The expanded percentile interval.

    Percentiles of few units are too narrow, by sqrt((n - 1) / n) and by the normal's quantile where
    Student's t belongs. So the tails taken are Phi(-sqrt(n / (n - 1)) t), after Hesterberg, "What
    Teachers Should Know About the Bootstrap", The American Statistician 69 (2015).

    Args:
        draws: Estimates of the resamples; may hold infinities, which are ordered like numbers.
        units: Units behind the estimate.
        confidence: Share of such intervals that should hold the truth.

    Returns:
        (low, high); nan twice from a single unit, which tells nothing about the spread.
    """
    known = draws[~np.isnan(draws)]
    if units < 2 or known.size == 0:
        return math.nan, math.nan
    t = special.stdtrit(units - 1, (1 + confidence) / 2)
    tail = float(special.ndtr(-math.sqrt(units / (units - 1)) * t))
    # an order statistic, not an average of two: one of them may be infinite
    low, high = np.quantile(known, (tail, 1 - tail), method="inverted_cdf")
    return float(low), float(high)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    unknown = np.full(np.shape(top), np.nan)
    known: Floats = np.divide(top, bottom, out=unknown, where=bottom > 0)
    return known
