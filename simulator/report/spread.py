"""Distributions: how long frames and packets took, how long the picture stood still.

An empirical distribution function says at each time which share took no longer. Delays and freezes
do not depend on concealment, so schemes that differ in nothing else share a line, and what they share
is counted once.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from simulator.report.drawing import MOST_FACETS, Drawing, spread_out
from simulator.report.labels import three_digits
from simulator.report.read import packet_delays_ms
from simulator.report.study import Study
from simulator.report.style import SCHEMES

MOST_LINES = 6
MOST_CELLS = 200  # whose packets are read
POINTS = 500  # quantiles that stand for a distribution: finer than a line's width
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))


def spread_drawings(study: Study) -> tuple[list[Drawing], list[str]]:
    """Distributions of delays and of freezes, and sentences where there is nothing to draw."""
    sent = networks(study)
    labels = sent.set_index("cell")[["network", "loss"]]
    frames = study.results.frames.join(labels, on="cell", how="inner")
    drawings: list[Drawing] = []
    notes: list[str] = []
    packets = packet_delays(study, sent)
    if packets["value"].round(3).nunique() > 1:
        words = ("delay of packets", "sent to received (ms)", "of packets received")
        drawings += _facets(study, packets, "packet_delay", words)
    shown = frames[frames["delay_ms"].notna()].rename(columns={"delay_ms": "value"})
    delays = shown["value"].round(3).unique()
    if len(delays) == 1:
        notes.append(f"Each frame that was shown was shown {delays[0]:g} ms after it was filmed: a fixed deadline.")
    elif len(delays):
        words = ("delay of frames", "capture to screen (ms)", "of frames shown")
        drawings += _facets(study, shown, "delay", words)
    freezes = freeze_lengths(frames)
    lengths = freezes["value"].round(3).unique()
    if len(lengths) < 2:
        notes.append(_few_freezes(freezes["value"], len(sent)))
    else:
        words = ("length of freezes", "picture stands still (ms)", "of freezes")
        drawings += _facets(study, freezes, "freeze", words)
    return drawings, notes


def networks(study: Study) -> pd.DataFrame:
    """One row of `study.cells` for each transmission: cells that differ in concealment alone share one."""
    return study.cells.drop_duplicates(["network", "rate", "loss", "unit"])


def packet_delays(study: Study, cells: pd.DataFrame) -> pd.DataFrame:
    """`value` in ms of each packet that arrived, with `network` and `loss`; of at most MOST_CELLS of the cells."""
    parts = []
    for row in spread_out(list(cells.itertuples()), MOST_CELLS):
        delays_ms = packet_delays_ms(study.results, str(row.cell))
        parts.append(pd.DataFrame({"value": delays_ms, "network": str(row.network), "loss": row.loss}))
    return pd.concat(parts, ignore_index=True)


def _few_freezes(lengths_ms: pd.Series, networks: int) -> str:
    """Freezes of one length, or none, in words."""
    where = f" in {networks} transmissions" if networks > 1 else ""
    if lengths_ms.empty:
        return f"The picture never froze{where}."
    often, each = ("once", "") if len(lengths_ms) == 1 else (f"{len(lengths_ms)} times", " each")
    return f"The picture froze {often}{where}, for {lengths_ms.iloc[0]:.3g} ms{each}."


def freeze_lengths(frames: pd.DataFrame) -> pd.DataFrame:
    """Runs of frozen frames: one row each, `value` in ms, with `cell`, `network`, `loss`.

    Args:
        frames: Of any number of cells; a run never goes from one cell into the next.
    """
    ordered = frames.sort_values(["cell", "frame"], kind="stable")
    step_ms = ordered.groupby("cell")["time_capture_ms"].diff()
    period_ms = step_ms.groupby(ordered["cell"]).transform("median")
    frozen = ordered["frozen"].to_numpy(dtype=bool)
    same_cell = (ordered["cell"] == ordered["cell"].shift()).to_numpy()
    starts = frozen & ~(np.append(False, frozen[:-1]) & same_cell)
    runs = ordered.assign(value=period_ms, run=starts.cumsum())[frozen]
    columns = {"value": "sum", "cell": "first", "network": "first", "loss": "first"}
    return runs.groupby("run").agg(columns).reset_index(drop=True)


def _facets(study: Study, table: pd.DataFrame, name: str, words: tuple[str, str, str]) -> list[Drawing]:
    """One figure a network (three at most) with a line a loss rate, or one with a line a network."""
    cells = () if study.results.is_sweep else tuple(study.cells["cell"].astype(str))
    networks = [str(label) for label in study.cells["network"].cat.categories]
    if len(study.losses) == 1:
        lines = {label: table.loc[table["network"].astype(str) == label, "value"] for label in networks[:MOST_LINES]}
        return [_draw(name, words, "", lines, cells)]
    drawings = []
    for number, label in enumerate(networks[:MOST_FACETS]):
        part = table[table["network"].astype(str) == label]
        by_loss = {loss: part.loc[part["loss"] == loss, "value"] for loss in study.losses}
        there = [loss for loss, values in by_loss.items() if len(values)]
        lines = {f"{loss * 100:.3g} % loss": by_loss[loss] for loss in spread_out(there, MOST_LINES)}
        if lines:
            drawings.append(_draw(f"{name}_{number + 1}" if label else name, words, label, lines))
    return drawings


def _draw(
    name: str, words: tuple[str, str, str], network: str, lines: dict[str, pd.Series], cells: Sequence[str] = ()
) -> Drawing:
    what, x_words, of = words
    figure = Figure(figsize=(4.2, 3.1), layout="constrained")
    axes = figure.subplots()
    shown = {label: values for label, values in lines.items() if len(values)}
    colours = SCHEMES if len(shown) == 1 else sns.color_palette("viridis", len(shown) + 1)[:-1]
    for (label, values), colour, dash in zip(shown.items(), colours, DASHES, strict=False):
        sns.ecdfplot(x=thin(values.to_numpy(dtype=float)), ax=axes, color=colour, linestyle=dash, label=label or None)
    axes.set(xlabel=x_words, ylabel=f"share {of}", ylim=(0, 1.02))
    if any(shown):
        figure.legend(loc="outside lower center", ncols=min(3, len(shown)), frameon=False)
    title = f"Distribution of the {what}" + (f", {network}" if network else "")
    each = (f"{label} {three_digits(np.median(v))} ms ({len(v):,})".lstrip() for label, v in shown.items())
    medians = f"Medians (of how many): {', '.join(each)}"
    caption = f"Share {of} that took no longer. {medians}."
    return Drawing(name, title, caption, f"{title}. {medians}.", figure, tuple(cells))


def thin(values: np.ndarray) -> np.ndarray:
    """At most POINTS quantiles of the values, so that a figure does not grow with the sweep."""
    if len(values) <= POINTS:
        return values
    return np.asarray(np.quantile(values, np.linspace(0, 1, POINTS), method="inverted_cdf"))
