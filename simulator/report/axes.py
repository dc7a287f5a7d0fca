"""Lines, dots, ticks and legends that the figures of estimates share."""

import math
import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from simulator.report.bootstrap import Floats
from simulator.report.style import GREY, MARKERS, SCHEMES

MOST_SCHEMES = len(SCHEMES)
LINE = 52  # characters of a label that stand side by side under a figure


def new_figure(labels: Sequence[str]) -> tuple[Figure, Axes]:
    """One panel, with room below for a legend of these labels."""
    lines = sum(len(textwrap.wrap(label, LINE)) for label in labels[:MOST_SCHEMES])
    rows = math.ceil(lines / _columns(labels))
    figure = Figure(figsize=(4.2, 2.8 + 0.2 * rows), layout="constrained")
    return figure, figure.subplots()


def _columns(labels: Sequence[str]) -> int:
    return max(1, min(4, len(labels), 58 // (max(map(len, labels)) + 7)))


def draw_lines(axes: Axes, table: pd.DataFrame, schemes: Sequence[str], x: str = "loss") -> None:
    """A line a scheme with its intervals; a scheme keeps its colour and marker in all figures.

    Each is thinner than the one beneath it, so that of two that coincide both are seen.
    """
    shown = [name for name in schemes[:MOST_SCHEMES] if (table["scheme"].astype(str) == name).any()]
    looks = {name: (SCHEMES[i], MARKERS[i]) for i, name in enumerate(schemes[:MOST_SCHEMES])}
    beside = shifts(table[x].to_numpy(dtype=float), len(shown)) if x == "loss" else [0.0] * len(shown)
    for size, name, shift in zip(np.linspace(1.0, 0.6, len(shown)), shown, beside, strict=True):
        colour, marker = looks[name]
        part = table[table["scheme"].astype(str) == name].sort_values(x)
        if part["low"].notna().any():
            axes.vlines(part[x] + shift, part["low"], part["high"], color=colour, linewidth=1.2, alpha=0.75)
        sns.lineplot(
            x=part[x], y=part["mean"], ax=axes, color=colour, marker=marker, markersize=7 * size, markeredgewidth=0,
            linewidth=1.9 * size, label=name, errorbar=None, legend=False,
        )  # fmt: skip


def shifts(places: Floats, count: int) -> list[float]:
    """Shifts that set so many bars side by side around each place, narrow enough not to meet those of the next."""
    apart = np.diff(np.unique(places))
    if not apart.size:
        return [0.0] * count
    step = min(0.014 * apart.sum(), 0.7 * apart.min() / count)
    return [step * (number - (count - 1) / 2) for number in range(count)]


def draw_dots(axes: Axes, table: pd.DataFrame, schemes: Sequence[str]) -> None:
    """A row a scheme, with its interval as a bar."""
    shown = [name for name in schemes[:MOST_SCHEMES] if (table["scheme"].astype(str) == name).any()]
    for row, name in enumerate(shown):
        part, look = table[table["scheme"].astype(str) == name].iloc[0], schemes.index(name)
        axes.hlines(row, part["low"], part["high"], color=SCHEMES[look], linewidth=2)
        axes.plot(part["mean"], row, color=SCHEMES[look], marker=MARKERS[look], linestyle="none")
    axes.set_yticks(range(len(shown)), ["\n".join(textwrap.wrap(name, LINE // 2)) for name in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)


def draw_ceiling(axes: Axes, table: pd.DataFrame) -> None:
    """What is reached with nothing lost, where that is the same for all."""
    best = table["lossless"]
    if best.max() - best.min() <= 0.005 * abs(best.mean()):
        axes.axhline(best.mean(), color=GREY, linewidth=1, linestyle=":", label="nothing lost")


def label_losses(axes: Axes, losses: Sequence[float]) -> None:
    """With a tick at each loss rate that was run, if they stand apart."""
    if np.diff(losses).min() > 0.06 * (losses[-1] - losses[0]):
        axes.set_xticks(losses)
    label_percent(axes.xaxis, "loss rate set (%)")


def label_percent(axis: Axis, label: str) -> None:
    """Ticks of shares as percentages."""
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:g}"))
    axis.set_label_text(label)


def draw_legend(figure: Figure, axes: Axes) -> None:
    """The labels, wrapped, below the panel."""
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        whole = ["\n".join(textwrap.wrap(label, LINE)) for label in labels]
        figure.legend(handles, whole, loc="outside lower center", ncols=_columns(labels), frameon=False)
