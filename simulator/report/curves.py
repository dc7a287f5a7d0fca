"""Figures of estimates: quality, differences and tokens against loss; quality against rate.

One panel a figure, so that it is as readable on a phone as in a column of a paper. A bar is the 95 %
interval of `bootstrap`; where it is missing there was one clip and seed only. Bars of several schemes
stand side by side: as bands they would overlap and mix their colours into one that is nobody's.
"""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from simulator.metrics import LOWER_IS_BETTER
from simulator.report.bootstrap import Floats
from simulator.report.study import Study
from simulator.report.style import GREY, MARKERS, SCHEMES, words

T = TypeVar("T")

MOST_SCHEMES = len(SCHEMES)
MOST_FACETS = 3
LINE = 52  # characters of a label that stand side by side under a figure


@dataclass(frozen=True)
class Drawing:
    """A figure with its words.

    Attributes:
        name: Of its files.
        title, caption: Above and below it.
        alt: What it shows, for those who cannot see it.
        figure: The figure, until it is saved.
        cells: The cells it was made of; empty for all.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure | None
    cells: tuple[str, ...] = field(default=())


def quality_drawings(study: Study, quality: pd.DataFrame) -> list[Drawing]:
    """Each metric against loss, a figure for each of at most three rates; without loss rates, by scheme."""
    drawings = []
    for metric in study.metrics:
        for rate in spread_out(study.rates, MOST_FACETS):
            table = quality[(quality["metric"] == metric) & (quality["rate"].astype(str) == rate)]
            drawings.append(_quality(study, table, metric, rate))
    return drawings


def _quality(study: Study, table: pd.DataFrame, metric: str, rate: str) -> Drawing:
    figure, axes = _new(study.schemes)
    at = f", {study.roles.rate} {rate}" if rate else ""
    if len(study.losses) > 1:
        _lines(axes, table, study.schemes)
        _ceiling(axes, table)
        _loss_axis(axes, study.losses)
        axes.set_ylabel(words(metric))
        title = f"{words(metric)} against loss{at}"
    else:
        _dots(axes, table, study.schemes)
        axes.set_xlabel(words(metric))
        title = f"{words(metric)} by scheme{at}"
    _legend(figure, axes)
    sent = _wire_words(study, rate)
    caption = f"Mean over all frames of a condition. {_interval_words(table)}{sent}{_too_many(study)}"
    return Drawing(_file("quality", metric, rate), title, caption, _told(table, title), figure)


def difference_drawings(study: Study, differences: pd.DataFrame) -> list[Drawing]:
    """Scheme minus baseline against loss, one figure a metric and rate; above zero is more."""
    drawings = []
    for metric in study.metrics if len(differences) else ():
        for rate in spread_out(study.rates, MOST_FACETS):
            table = differences[(differences["metric"] == metric) & (differences["rate"].astype(str) == rate)]
            if len(table):
                drawings.append(_difference(study, table, metric, rate))
    return drawings


def _difference(study: Study, table: pd.DataFrame, metric: str, rate: str) -> Drawing:
    figure, axes = _new(list(dict.fromkeys(table["scheme"].astype(str))))
    baseline = study.baseline_words
    at = f", {study.roles.rate} {rate}" if rate else ""
    label = f"{words(metric).split(' (lower')[0]}\nminus baseline"
    if len(study.losses) > 1:
        _lines(axes, table, study.schemes)
        axes.axhline(0, color=GREY, linewidth=1, linestyle=":", label=f"baseline ({baseline})")
        _loss_axis(axes, study.losses)
        axes.set_ylabel(label)
    else:
        _dots(axes, table, study.schemes)
        axes.axvline(0, color=GREY, linewidth=1, linestyle=":", label=f"baseline ({baseline})")
        axes.set_xlabel(label.replace("\n", " "))
    _legend(figure, axes)
    sides = ("below", "above") if len(study.losses) > 1 else ("left of", "right of")
    side = sides[not metric.startswith(LOWER_IS_BETTER)]
    title = f"{words(metric).split(' (')[0]}: difference from {baseline}{at}"
    caption = (
        f"Each clip and seed against the same one of the baseline; {side} zero a scheme is better. "
        f"{_interval_words(table)}{_wire_words(study, rate)}{_too_many(study)}"
    )
    return Drawing(_file("difference", metric, rate), title, caption, _told(table, title), figure)


def token_drawings(study: Study, tokens: pd.DataFrame) -> list[Drawing]:
    """Share of the missing tokens that were guessed exactly."""
    drawings = []
    for rate in spread_out(study.rates, MOST_FACETS):
        table = tokens[tokens["rate"].astype(str) == rate]
        if table.empty or not table["mean"].any():
            continue
        figure, axes = _new(study.schemes)
        many = table["loss"].nunique() > 1
        (_lines if many else _dots)(axes, table, study.schemes)
        value_axis = axes.yaxis if many else axes.xaxis
        _percent(value_axis, "lost tokens guessed exactly (%)")
        if many:
            _loss_axis(axes, study.losses)
        _legend(figure, axes)
        title = "Tokens guessed exactly" + (f", {study.roles.rate} {rate}" if rate else "")
        caption = f"Of the tokens that were missing when their frame was due. {_interval_words(table)}"
        drawings.append(Drawing(_file("tokens", "", rate), title, caption, _told(table, title), figure))
    return drawings


def rate_drawings(study: Study, quality: pd.DataFrame) -> list[Drawing]:
    """Each metric against bits a pixel on the wire, for at most three loss rates.

    None if all conditions have nearly the same rate (within 2 %).
    """
    bpp = study.sums("bpp").ratio
    if not np.nanmax(bpp) > 1.02 * np.nanmin(bpp):
        return []
    rates = study.conditions.assign(bpp=bpp)[["scheme", "rate", "loss", "bpp"]]
    drawings = []
    for metric in study.metrics:
        table = quality[quality["metric"] == metric].merge(rates, on=["scheme", "rate", "loss"])
        for loss in spread_out(study.losses, MOST_FACETS):
            part = table if math.isnan(loss) else table[table["loss"] == loss]
            drawings.append(_rate(study, part, metric, loss))
    return drawings


def _rate(study: Study, table: pd.DataFrame, metric: str, loss: float) -> Drawing:
    figure, axes = _new(study.schemes)
    _lines(axes, table, study.schemes, x="bpp")
    if table["bpp"].max() > 4 * table["bpp"].min():
        axes.set_xscale("log")
    axes.set_xlabel("bits a pixel on the wire, headers and repair included")
    axes.set_ylabel(words(metric))
    _legend(figure, axes)
    at = "" if math.isnan(loss) else f" at {loss * 100:.3g} % packet loss"
    title = f"{words(metric).split(' (')[0]} against rate{at}"
    caption = f"Every byte sent counts. {_interval_words(table)}{_too_many(study)}"
    name = _file("rate", metric, "" if math.isnan(loss) else f"loss_{loss * 100:g}")
    return Drawing(name, title, caption, _told(table, title), figure)


def spread_out(values: Sequence[T], most: int) -> list[T]:
    """At most `most` of the values, evenly chosen, first and last among them.

    >>> spread_out([1, 2, 3, 4, 5], 3)
    [1, 3, 5]
    """
    if len(values) <= most:
        return list(values)
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]


def _new(labels: Sequence[str]) -> tuple[Figure, Axes]:
    lines = sum(len(textwrap.wrap(label, LINE)) for label in labels[:MOST_SCHEMES])
    rows = math.ceil(lines / _columns(labels))
    figure = Figure(figsize=(4.2, 2.8 + 0.2 * rows), layout="constrained")
    return figure, figure.subplots()


def _columns(labels: Sequence[str]) -> int:
    return max(1, min(4, len(labels), 58 // (max(map(len, labels)) + 7)))


def _lines(axes: Axes, table: pd.DataFrame, schemes: Sequence[str], x: str = "loss") -> None:
    """A line a scheme with its intervals; a scheme keeps its colour and marker in all figures.

    Each is thinner than the one beneath it, so that of two that coincide both are seen.
    """
    shown = [name for name in schemes[:MOST_SCHEMES] if (table["scheme"].astype(str) == name).any()]
    looks = {name: (SCHEMES[i], MARKERS[i]) for i, name in enumerate(schemes[:MOST_SCHEMES])}
    beside = _beside(table[x].to_numpy(dtype=float), len(shown)) if x == "loss" else [0.0] * len(shown)
    for size, name, shift in zip(np.linspace(1.0, 0.6, len(shown)), shown, beside, strict=True):
        colour, marker = looks[name]
        part = table[table["scheme"].astype(str) == name].sort_values(x)
        if part["low"].notna().any():
            axes.vlines(part[x] + shift, part["low"], part["high"], color=colour, linewidth=1.2, alpha=0.75)
        sns.lineplot(
            x=part[x], y=part["mean"], ax=axes, color=colour, marker=marker, markersize=7 * size, markeredgewidth=0,
            linewidth=1.9 * size, label=name, errorbar=None, legend=False,
        )  # fmt: skip


def _beside(places: Floats, count: int) -> list[float]:
    """Shifts that set so many bars side by side around each place, narrow enough not to meet those of the next."""
    apart = np.diff(np.unique(places))
    if not apart.size:
        return [0.0] * count
    step = min(0.014 * apart.sum(), 0.7 * apart.min() / count)
    return [step * (number - (count - 1) / 2) for number in range(count)]


def _dots(axes: Axes, table: pd.DataFrame, schemes: Sequence[str]) -> None:
    """A row a scheme, with its interval as a bar."""
    shown = [name for name in schemes[:MOST_SCHEMES] if (table["scheme"].astype(str) == name).any()]
    for row, name in enumerate(shown):
        part, look = table[table["scheme"].astype(str) == name].iloc[0], schemes.index(name)
        axes.hlines(row, part["low"], part["high"], color=SCHEMES[look], linewidth=2)
        axes.plot(part["mean"], row, color=SCHEMES[look], marker=MARKERS[look], linestyle="none")
    axes.set_yticks(range(len(shown)), ["\n".join(textwrap.wrap(name, LINE // 2)) for name in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)


def _ceiling(axes: Axes, table: pd.DataFrame) -> None:
    """What is reached with nothing lost, where that is the same for all."""
    best = table["lossless"]
    if best.max() - best.min() <= 0.005 * abs(best.mean()):
        axes.axhline(best.mean(), color=GREY, linewidth=1, linestyle=":", label="nothing lost")


def _loss_axis(axes: Axes, losses: Sequence[float]) -> None:
    """With a tick at each loss rate that was run, if they stand apart."""
    if np.diff(losses).min() > 0.06 * (losses[-1] - losses[0]):
        axes.set_xticks(losses)
    _percent(axes.xaxis, "loss rate set (%)")


def _percent(axis: Axis, label: str) -> None:
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:g}"))
    axis.set_label_text(label)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        whole = ["\n".join(textwrap.wrap(label, LINE)) for label in labels]
        figure.legend(handles, whole, loc="outside lower center", ncols=_columns(labels), frameon=False)


def _wire_words(study: Study, rate: str) -> str:
    """What each scheme sent, where they differ by more than 5 %: what was asked for says less."""
    here = study.conditions["rate"].astype(str) == rate
    bpp = pd.Series(study.sums("bpp").ratio)[here].groupby(study.conditions["scheme"][here].astype(str), sort=False)
    sent = bpp.mean()
    if not sent.max() > 1.05 * sent.min():
        return ""
    return " Bits a pixel on the wire: " + "; ".join(f"{name}: {value:.3g}" for name, value in sent.items()) + "."


def _file(kind: str, metric: str, facet: str) -> str:
    plain = "".join(c if c.isalnum() or c in "._-" else "-" for c in facet)
    return "_".join(part for part in (kind, metric, plain) if part).replace(".", "p")


def _interval_words(table: pd.DataFrame) -> str:
    units = sorted(set(table["units"]))
    if not units or units[-1] < 2:
        return "One clip and seed: no interval can be given."
    count = f"{units[0]}" if len(units) == 1 else f"{units[0]} to {units[-1]}"
    return f"Bars: 95 % intervals, bootstrap over {count} units (clip, seed)."


def _too_many(study: Study) -> str:
    hidden = len(study.schemes) - MOST_SCHEMES
    return f" {hidden} further schemes are in the table only." if hidden > 0 else ""


def _told(table: pd.DataFrame, title: str) -> str:
    """The figure in words: each scheme from its first to its last value."""
    parts = []
    for name, part in table.groupby("scheme", observed=True):
        first, last = part["mean"].iloc[0], part["mean"].iloc[-1]
        parts.append(f"{name}: {first:.3g}" + (f" to {last:.3g}" if len(part) > 1 else ""))
    return f"{title}. " + "; ".join(parts) + "."
