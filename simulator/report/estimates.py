"""Tables of a report: what was measured per condition, with intervals by clip and seed.

quality       mean of each metric                      by scheme, rate, loss
tokens        share of missing tokens guessed exactly   by scheme, rate, loss
falls         loss rate at which quality has fallen     by scheme, rate
differences   scheme minus baseline, unit by unit       by scheme, rate, loss
transport     freezes, delays, rates                    by scheme, rate, loss
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from simulator.errors import OutputError
from simulator.metrics import LOWER_IS_BETTER
from simulator.report.bootstrap import Floats, Sums, interval, resample
from simulator.report.schemes import CONDITION
from simulator.report.study import Study

TRANSPORT = ("loss_rate", "loss_rate_after_repair", "mean_burst", "delay_ms_p50", "delay_ms_p95", "delay_ms_p98",
             "rendered_fps", "goodput_kbps", "overhead")  # fmt: skip


@dataclass(frozen=True)
class Fall:
    """An amount of quality that matters.

    Attributes:
        metric: Which quality.
        amount: How much worse than with nothing lost: in the metric's unit, or a share of it.
        relative: Whether `amount` is a share.
    """

    metric: str
    amount: float
    relative: bool

    @property
    def words(self) -> str:
        """As in "PSNR falls by 1 dB"."""
        return f"{self.amount:.3g}" if not self.relative else f"{self.amount * 100:.3g} %"


def parse_fall(text: str) -> Fall:
    """An amount as people write it.

    Raises:
        OutputError: If it is not METRIC=AMOUNT with a positive amount.

    >>> parse_fall("psnr_db=1"), parse_fall("squeeze=10 %").relative
    (Fall(metric='psnr_db', amount=1.0, relative=False), True)
    """
    metric, _, amount = text.partition("=")
    try:
        value = float(amount.strip().removesuffix("%"))
    except ValueError:
        value = 0.0
    if not metric or not 0 < value < math.inf:
        raise OutputError("--fall", "is METRIC=AMOUNT, such as psnr_db=1 or squeeze='10 %'", text)
    relative = amount.strip().endswith("%")
    return Fall(metric.strip(), value / 100 if relative else value, relative)


DEFAULT_FALLS = (Fall("psnr_db", 1.0, False), Fall("squeeze", 0.1, True))


def estimates(study: Study, sums: Sums) -> pd.DataFrame:
    """The conditions, each with mean, low, high and `units`, the (clip, seed)s behind it."""
    draws, units = resample(sums, study.weights), sums.units
    bounds = [interval(draws[row], int(units[row])) for row in range(len(draws))]
    low, high = (np.array(side) for side in zip(*bounds, strict=True))
    return study.conditions.assign(mean=sums.ratio, low=low, high=high, units=units)


def quality(study: Study) -> pd.DataFrame:
    """One row a condition and metric; `lossless` is the same pictures' mean when nothing is lost."""
    parts = []
    for metric in study.metrics:
        part = estimates(study, study.sums(metric))
        parts.append(part.assign(lossless=study.sums(f"{metric}_lossless").ratio, metric=metric))
    return _joined(parts, [*CONDITION, "metric"])


def tokens(study: Study) -> pd.DataFrame:
    """Share of missing tokens that were guessed exactly, where any were missing."""
    table = estimates(study, study.sums("tokens_correct", "tokens_missing"))
    return table[table["mean"].notna()].reset_index(drop=True)


def transport(study: Study) -> pd.DataFrame:
    """Freezes with intervals, bits a pixel, and means of the network's columns of summary.csv."""
    table = estimates(study, study.sums("frozen"))
    table = table.rename(columns={"mean": "freeze_ratio", "low": "freeze_low", "high": "freeze_high"})
    table["bpp"] = study.sums("bpp").ratio
    columns = [name for name in TRANSPORT if name in study.cells]
    means = study.cells.groupby(CONDITION, dropna=False, observed=True, sort=True)[columns].mean()
    return pd.concat([table, means.reset_index(drop=True)], axis=1)


def falls(study: Study, wanted: Sequence[Fall] = DEFAULT_FALLS) -> pd.DataFrame:
    """The loss rate at which a metric has become worse by an amount than with nothing lost.

    Between the loss rates that were run, the fall is taken to be linear; the first crossing counts.
    It is -inf if the fall is already there at the smallest loss rate, inf if not even at the largest.

    Returns:
        One row a scheme, rate and fall; no rows if fewer than two loss rates were run.

    Raises:
        OutputError: If a metric that was asked for was not measured.
    """
    rows: list[dict[str, Any]] = []
    for fall in wanted:
        if fall not in DEFAULT_FALLS and fall.metric not in study.metrics:
            measured = ", ".join(study.metrics) or "no quality"
            raise OutputError("--fall", f"here are measured {measured}", fall.metric)
        if fall.metric in study.metrics and len(study.losses) > 1:
            rows += _fall_rows(study, fall)
    return pd.DataFrame(rows, columns=["scheme", "rate", "metric", "fall", "mean", "low", "high", "units", "cells"])


def _fall_rows(study: Study, fall: Fall) -> list[dict[str, Any]]:
    shown, best = study.sums(fall.metric), study.sums(f"{fall.metric}_lossless")
    point = _worse(shown.ratio, best.ratio, fall)[:, None]
    draws = _worse(resample(shown, study.weights), resample(best, study.weights), fall)
    rows = []
    for (scheme, rate), group in study.conditions.groupby(["scheme", "rate"], observed=True):
        at, loss = group.index.to_numpy(), group["loss"].to_numpy(dtype=float)
        units = int(shown.units[at].min())
        low, high = interval(crossing(loss, draws[at], fall.amount), units)
        rows.append({
            "scheme": scheme, "rate": rate, "metric": fall.metric, "fall": fall.words,
            "mean": float(crossing(loss, point[at], fall.amount)[0]), "low": low, "high": high,
            "units": units, "cells": int(group["cells"].sum()),
        })  # fmt: skip
    return rows


def _worse(shown: Floats, best: Floats, fall: Fall) -> Floats:
    """How much worse than with nothing lost, positive if worse."""
    worse = shown - best if fall.metric.startswith(LOWER_IS_BETTER) else best - shown
    return np.asarray(worse / np.abs(best) if fall.relative else worse)


def crossing(loss: Floats, worse: Floats, amount: float) -> Floats:
    """Where curves first reach an amount.

    Args:
        loss: Rising, float64 [L].
        worse: One curve a column, float64 [L, B]; nan where nothing is known.
        amount: The height looked for.

    Returns:
        float64 [B]: interpolated; -inf or inf if the curve starts above, or stays below.

    >>> crossing(np.array([0.0, 0.1, 0.2]), np.array([[0.0, 2.0, 0.0], [1.0, 3.0, 0.1], [3.0, 4.0, 0.2]]), 2.0)
    array([0.15, -inf,  inf])
    """
    above = worse >= amount
    first = above.argmax(axis=0)
    column = np.arange(worse.shape[1])
    after, before = worse[first, column], worse[np.maximum(first - 1, 0), column]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (amount - before) / (after - before)
        between = loss[np.maximum(first - 1, 0)] * (1 - share) + loss[first] * share
    return np.where(~above.any(axis=0), math.inf, np.where(first == 0, -math.inf, between))


def differences(study: Study) -> pd.DataFrame:
    """Scheme minus baseline, unit by unit: what the scheme adds on the same clip, seed, loss and rate.

    Returns:
        One row a metric and condition that has a baseline: mean, low and high of the difference,
        `units` compared, and `better`, in how many of them the scheme was better.
    """
    parts = []
    for metric in study.metrics if study.partners else ():
        sums = study.sums(metric)
        here, there = _with_partners(study)
        paired = _paired(sums, here, there)
        sign = -1 if metric.startswith(LOWER_IS_BETTER) else 1
        table = estimates(study, _spread(paired, here, len(study.conditions))).iloc[here]
        table = table.assign(metric=metric, baseline=study.conditions["scheme"].to_numpy()[there])
        parts.append(table.assign(better=(sign * paired.top > 0).sum(axis=1)))
    return _joined(parts, ["scheme", "baseline", "rate", "loss", "metric"])


def _with_partners(study: Study) -> tuple[list[int], list[int]]:
    """Rows of conditions that can be compared, and the rows of what each is compared with."""
    keys = study.conditions[CONDITION].astype({"scheme": str, "rate": str})
    keys["loss"] = keys["loss"].fillna(-1.0)
    rows = {(scheme, rate, loss): row for row, (scheme, rate, loss) in enumerate(keys.itertuples(index=False))}
    found = [
        (row, rows.get((study.partners.get(scheme, ""), rate, loss), -1)) for (scheme, rate, loss), row in rows.items()
    ]
    return [row for row, other in found if other >= 0], [other for _, other in found if other >= 0]


def _paired(sums: Sums, here: list[int], there: list[int]) -> Sums:
    both = (sums.bottom[here] > 0) & (sums.bottom[there] > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums.top / sums.bottom
    return Sums(np.where(both, means[here] - means[there], 0.0), both.astype(float))


def _spread(sums: Sums, rows: list[int], count: int) -> Sums:
    """Sums of some conditions among empty ones of the others."""
    top, bottom = np.zeros((count, sums.top.shape[1])), np.zeros((count, sums.top.shape[1]))
    top[rows], bottom[rows] = sums.top, sums.bottom
    return Sums(top, bottom)


def _joined(parts: list[pd.DataFrame], first: list[str]) -> pd.DataFrame:
    """One table, its key columns in front."""
    if not parts:
        return pd.DataFrame(columns=[*first, "mean", "low", "high", "units", "better"])
    table = pd.concat(parts, ignore_index=True)
    return table[[*first, *(name for name in table.columns if name not in first)]]
