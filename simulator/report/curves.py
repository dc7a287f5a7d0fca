"""Figures of estimates: quality, differences and tokens against loss; quality against rate.

One panel a figure, so that it is as readable on a phone as in a column of a paper. A bar is the 95 %
interval of `bootstrap`; where it is missing there was one clip and seed only. Bars of several schemes
stand side by side: as bands they would overlap and mix their colours into one that is nobody's.
"""

import math

import numpy as np
import pandas as pd

from simulator.metrics import LOWER_IS_BETTER
from simulator.report.axes import (
    MOST_SCHEMES,
    draw_ceiling,
    draw_dots,
    draw_legend,
    draw_lines,
    label_losses,
    label_percent,
    new_figure,
)
from simulator.report.drawing import MOST_FACETS, Drawing, spread_out
from simulator.report.study import Study
from simulator.report.style import GREY, words


def quality_drawings(study: Study, quality: pd.DataFrame) -> list[Drawing]:
    """Each metric against loss, a figure for each of at most three rates; without loss rates, by scheme."""
    drawings = []
    for metric in study.metrics:
        for rate in spread_out(study.rates, MOST_FACETS):
            table = quality[(quality["metric"] == metric) & (quality["rate"].astype(str) == rate)]
            drawings.append(_quality(study, table, metric, rate))
    return drawings


def _quality(study: Study, table: pd.DataFrame, metric: str, rate: str) -> Drawing:
    figure, axes = new_figure(study.schemes)
    at = f", {study.roles.rate} {rate}" if rate else ""
    if len(study.losses) > 1:
        draw_lines(axes, table, study.schemes)
        draw_ceiling(axes, table)
        label_losses(axes, study.losses)
        axes.set_ylabel(words(metric))
        title = f"{words(metric)} against loss{at}"
    else:
        draw_dots(axes, table, study.schemes)
        axes.set_xlabel(words(metric))
        title = f"{words(metric)} by scheme{at}"
    draw_legend(figure, axes)
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
    figure, axes = new_figure(list(dict.fromkeys(table["scheme"].astype(str))))
    baseline = study.baseline_words
    at = f", {study.roles.rate} {rate}" if rate else ""
    label = f"{words(metric).split(' (lower')[0]}\nminus baseline"
    if len(study.losses) > 1:
        draw_lines(axes, table, study.schemes)
        axes.axhline(0, color=GREY, linewidth=1, linestyle=":", label=f"baseline ({baseline})")
        label_losses(axes, study.losses)
        axes.set_ylabel(label)
    else:
        draw_dots(axes, table, study.schemes)
        axes.axvline(0, color=GREY, linewidth=1, linestyle=":", label=f"baseline ({baseline})")
        axes.set_xlabel(label.replace("\n", " "))
    draw_legend(figure, axes)
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
        figure, axes = new_figure(study.schemes)
        many = table["loss"].nunique() > 1
        (draw_lines if many else draw_dots)(axes, table, study.schemes)
        value_axis = axes.yaxis if many else axes.xaxis
        label_percent(value_axis, "lost tokens guessed exactly (%)")
        if many:
            label_losses(axes, study.losses)
        draw_legend(figure, axes)
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
    figure, axes = new_figure(study.schemes)
    draw_lines(axes, table, study.schemes, x="bpp")
    if table["bpp"].max() > 4 * table["bpp"].min():
        axes.set_xscale("log")
    axes.set_xlabel("bits a pixel on the wire, headers and repair included")
    axes.set_ylabel(words(metric))
    draw_legend(figure, axes)
    at = "" if math.isnan(loss) else f" at {loss * 100:.3g} % packet loss"
    title = f"{words(metric).split(' (')[0]} against rate{at}"
    caption = f"Every byte sent counts. {_interval_words(table)}{_too_many(study)}"
    name = _file("rate", metric, "" if math.isnan(loss) else f"loss_{loss * 100:g}")
    return Drawing(name, title, caption, _told(table, title), figure)


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
