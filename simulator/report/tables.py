"""Tables as the page shows them: a number with its interval in one cell, which sorts by the number."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from simulator.report.estimates import TRANSPORT
from simulator.report.study import Study
from simulator.report.style import words

MOST_ROWS = 500

HEADS = {  # column of a table -> words, factor, decimals
    "loss_rate": ("packets lost (%)", 100, 1),
    "loss_rate_after_repair": ("useless at the deadline (%)", 100, 1),
    "mean_burst": ("mean burst (packets)", 1, 2),
    "delay_ms_p50": ("packet delay, median (ms)", 1, 1),
    "delay_ms_p95": ("95th percentile (ms)", 1, 1),
    "delay_ms_p98": ("98th percentile (ms)", 1, 1),
    "rendered_fps": ("frames shown a second", 1, 2),
    "goodput_kbps": ("payload in time (kbit/s)", 1, 1),
    "overhead": ("headers and repair / payload (%)", 100, 1),
    "bpp": ("bits a pixel", 1, 4),
}


@dataclass(frozen=True)
class Entry:
    """A cell of a table: text, small text behind it, what it sorts by, and where it leads."""

    text: str
    small: str = ""
    sort: float | str = ""
    link: str = ""
    anchor: str = ""

    @property
    def is_number(self) -> bool:
        """Whether it sorts, and stands, as a number."""
        return isinstance(self.sort, float)


@dataclass(frozen=True)
class Table:
    """A table of the page; `file` is the CSV with all of it."""

    name: str
    title: str
    caption: str
    heads: list[str]
    rows: list[list[Entry]]
    file: str = ""
    hidden: int = field(default=0)


def number(value: float, decimals: int = 2, low: float = math.nan, high: float = math.nan) -> Entry:
    """A number with its interval, if it has one."""
    if math.isnan(value):
        return Entry("-", sort=-math.inf)
    small = "" if math.isnan(low) else f"{low:.{decimals}f} to {high:.{decimals}f}"
    return Entry(f"{value:.{decimals}f}", small, float(value))


def table(name: str, title: str, caption: str, heads: Sequence[str], rows: Iterable[list[Entry]]) -> Table:
    """A table of at most MOST_ROWS rows."""
    every = list(rows)
    return Table(name, title, caption, list(heads), every[:MOST_ROWS], f"{name}.csv", max(0, len(every) - MOST_ROWS))


def quality_table(study: Study, quality: pd.DataFrame) -> Table:
    """One row a condition, one column a metric."""
    by_metric = {metric: part.reset_index(drop=True) for metric, part in quality.groupby("metric", sort=False)}
    heads = [*_condition_heads(study), "cells"]
    for metric in by_metric:
        heads += [words(metric), "nothing lost"]
    rows = []
    for place, condition in study.conditions.iterrows():
        row = [*_condition(study, condition), number(float(condition["cells"]), 0)]
        for metric, part in by_metric.items():
            one, decimals = part.loc[place], _decimals(metric)
            row += [number(one["mean"], decimals, one["low"], one["high"]), number(one["lossless"], decimals)]
        rows.append(row)
    return table("quality", "Quality", "Mean over frames, with 95 % interval.", heads, rows)


def falls_table(study: Study, falls: pd.DataFrame) -> Table:
    """How much loss a scheme bears."""
    heads = [*_condition_heads(study, loss=False), "metric", "worse by", "reached at loss (%)", "units"]
    rows = [
        [*_condition(study, row, loss=False), Entry(words(row["metric"])), Entry(_amount(row)), _reach(study, row),
         number(row["units"], 0)]
        for _, row in falls.iterrows()
    ]  # fmt: skip
    caption = "Loss rate at which mean quality is worse by this than with nothing lost; linear between loss rates run."
    return table("falls", "How much loss is borne", caption, heads, rows)


def _amount(row: "pd.Series") -> str:
    """By how much, with its unit: the table of numbers leaves that to the metric's name."""
    return f"{row['fall']} dB" if row["metric"] == "psnr_db" and "%" not in row["fall"] else str(row["fall"])


def _reach(study: Study, row: pd.Series) -> Entry:
    def say(value: float) -> str:
        if math.isinf(value):
            return f"{'under' if value < 0 else 'over'} {study.losses[0 if value < 0 else -1] * 100:.3g}"
        return f"{value * 100:.1f}"

    small = "" if math.isnan(row["low"]) else f"{say(row['low'])} to {say(row['high'])}"
    if math.isinf(row["low"]) and row["low"] == row["high"]:
        small = ""
    return Entry(say(row["mean"]), small, float(row["mean"]))


def differences_table(study: Study, differences: pd.DataFrame) -> Table:
    """Scheme minus baseline."""
    heads = [*_condition_heads(study), "against", "metric", "difference", "units", "better in"]
    rows = []
    for _, row in differences.iterrows():
        value = number(row["mean"], _decimals(row["metric"]) + 1, row["low"], row["high"])
        counts = [number(row["units"], 0), number(row["better"], 0)]
        rows.append([*_condition(study, row), Entry(str(row["baseline"])), Entry(words(row["metric"])), value, *counts])
    caption = "Scheme minus baseline on the same clips, seeds and losses, with 95 % interval."
    return table("differences", "Differences, pair by pair", caption, heads, rows)


def tokens_table(study: Study, tokens: pd.DataFrame) -> Table:
    """Lost tokens guessed exactly."""
    heads = [*_condition_heads(study), "guessed exactly (%)", "units"]
    rows = [
        [*_condition(study, row), number(row["mean"] * 100, 2, row["low"] * 100, row["high"] * 100),
         number(row["units"], 0)]
        for _, row in tokens.iterrows()
    ]  # fmt: skip
    return table("tokens", "Lost tokens", "Share of the missing tokens that were guessed exactly.", heads, rows)


def transport_table(study: Study, transport: pd.DataFrame) -> Table:
    """What the network did."""
    columns = [name for name in (*TRANSPORT, "bpp") if name in transport]
    heads = [*_condition_heads(study), "frames frozen (%)", *(HEADS[name][0] for name in columns)]
    rows = []
    for _, row in transport.iterrows():
        frozen = number(row["freeze_ratio"] * 100, 2, row["freeze_low"] * 100, row["freeze_high"] * 100)
        others = [number(row[name] * HEADS[name][1], HEADS[name][2]) for name in columns]
        rows.append([*_condition(study, row), frozen, *others])
    return table("transport", "Transport", "Means over the cells of a condition.", heads, rows)


def _condition_heads(study: Study, loss: bool = True) -> list[str]:
    rate = [study.roles.rate] if study.roles.rate else []
    return ["scheme", *rate, *(["loss (%)"] if loss and study.roles.loss else [])]


def _condition(study: Study, row: "pd.Series", loss: bool = True) -> list[Entry]:
    entries = [Entry(str(row["scheme"]), link=_cells_of(study, row, loss))]
    if study.roles.rate:
        entries.append(_word(row["rate"]))
    if loss and study.roles.loss:
        entries.append(Entry(f"{row['loss'] * 100:.3g}", sort=float(row["loss"])))
    return entries


def _cells_of(study: Study, row: "pd.Series", loss: bool) -> str:
    """Where in the table of cells those of a row begin; nowhere if they are not on the page."""
    at = float(row["loss"]) if loss and study.roles.loss else None
    place = study.first_cells[str(row["scheme"]), str(row["rate"]), at]
    return f"#cell-{study.cells['cell'].iloc[place]}" if place < MOST_ROWS else ""


def _word(value: Any) -> Entry:
    """A value of a key, which sorts as a number if it is one."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    try:
        return Entry(text, sort=float(text))
    except ValueError:
        return Entry(text)


def cells_table(study: Study, facts: dict[str, dict[str, str]], links: dict[str, str]) -> Table:
    """Where every number comes from.

    Args:
        study: The results.
        facts: Cell -> column -> what its own provenance says.
        links: Cell -> address of its folder, for those that exist.
    """
    columns = list(dict.fromkeys(name for found in facts.values() for name in found))
    heads = ["cell", *study.results.keys, "seed", *columns]
    rows = []
    for row in study.cells.to_dict("records"):
        cell = str(row["cell"])
        entries = [Entry(cell, link=links.get(cell, ""), anchor=f"cell-{cell}")]
        entries += [_word(row[key]) for key in (*study.results.keys, "seed")]
        rows.append([*entries, *(Entry(facts.get(cell, {}).get(name, "")) for name in columns)])
    caption = "Each cell is a run: its folder holds its scenario, its tables and its provenance."
    return table("cells", "Cells", caption, heads, rows)


def _decimals(metric: str) -> int:
    return 2 if metric in ("psnr_db", "ssimulacra2") else 4
