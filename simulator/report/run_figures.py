"""Figures of one run, made from its files alone: no simulation is asked, none is repeated.

frames.parquet                     -> figures/quality.{png,svg}    quality over time
packets.parquet, frames/blocks.npz -> figures/arrivals.{png,svg}   fate of each slice, state of blocks
frames/*.png, frames.parquet       -> figures/strip.png            what was sent and what was seen
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simulator.errors import OutputError
from simulator.report.labels import three_digits
from simulator.report.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, UNITS, VERMILLION, YELLOW, save, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FATES = {  # fate of a packet -> its colour
    "delivered": SKY,
    "late": YELLOW,
    "lost": VERMILLION,
    "queue_drop": BLACK,
    "corrupt": PURPLE,
    "duplicate": GREEN,
}
BLOCKS = (("received", SKY), ("concealed", ORANGE), ("lost", BLACK))
TITLE: dict[str, Any] = {"x": 0.01, "ha": "left", "fontsize": "medium"}
VERSIONS = (  # suffix of the column, colour, width, words
    ("_lossless", GREY, 1.0, "nothing lost"),
    ("_holes", ORANGE, 1.0, "lost, not concealed"),
    ("", BLUE, 1.6, "lost, concealed"),
)
ROWS = (("sent", "sent"), ("holes", "received,\nwith holes"), ("concealed", "concealed"), ("lossless", "nothing\nlost"))


WORDS = {  # figure -> its title and what it shows, where it stands in a page
    "quality": (
        "Quality of each frame",
        "Quality over capture time: nothing lost (grey), not concealed (orange), concealed (blue)",
    ),
    "arrivals": ("Packets and blocks", "Fate of each packet and state of the blocks of each frame over capture time"),
    "strip": ("Frames as sent and as seen", "Kept frames: sent, received with holes, concealed, nothing lost"),
}


def write_figures(folder: Path, target: Path | None = None) -> list[Path]:
    """All figures of one run.

    Args:
        folder: A results folder, as a run wrote it.
        target: Where to; default: `folder`/figures.

    Returns:
        The files written.

    Raises:
        OutputError: If the folder lacks what a figure needs, or cannot be written to.
    """
    import pandas as pd

    from simulator.report.provenance import source_of_run

    target = target or folder / "figures"
    try:
        frames = pd.read_parquet(folder / "frames.parquet")
        packets = pd.read_parquet(folder / "packets.parquet")
        with np.load(folder / "frames" / "blocks.npz") as arrays:
            states = arrays["block_state"]
        source = source_of_run(folder)
        target.mkdir(exist_ok=True)
        with style():
            return [
                *_save(quality_figure(frames), target / "quality", ("png", "svg"), source),
                *_save(arrivals_figure(frames, packets, states), target / "arrivals", ("png", "svg"), source),
                *_save(strip_figure(frames, folder / "frames"), target / "strip", ("png",), source),
            ]
    except OSError as error:
        raise OutputError(str(folder), f"no figures can be made ({error})") from error


def _save(figure: "Figure", path: Path, kinds: Sequence[str], source: str) -> list[Path]:
    title, alt = WORDS[path.name]
    return save(figure, path, kinds, {"Title": title, "Description": alt, "Source": source})


def quality_figure(frames: "pd.DataFrame") -> "Figure":
    """Quality over time: one panel a metric, three lines each; frozen frames are shaded."""
    metrics = quality_columns(frames)
    figure, panels = _panels(len(metrics), height=2.0)
    seconds = frames["time_capture_ms"].to_numpy() / 1000
    for panel, metric in zip(panels, metrics, strict=True):
        for suffix, colour, width, words in VERSIONS:
            if f"{metric}{suffix}" in frames:
                values = frames[f"{metric}{suffix}"].to_numpy()
                label = f"{words} (mean {three_digits(np.mean(values))})"
                panel.plot(seconds, values, color=colour, linewidth=width, label=label)
        _shade_frozen(panel, frames)
        panel.set_ylabel(UNITS.get(metric, metric))
        _legend_above(panel)
    figure.suptitle(_title(frames, "quality of each frame"), **TITLE)
    panels[-1].set_xlabel("capture time (s)")
    return figure


def quality_columns(frames: "pd.DataFrame") -> list[str]:
    """Metrics measured in this run: those that have a `_lossless` twin and are not empty."""
    twins = [str(name) for name in frames.columns if str(name).endswith("_lossless")]
    names = [name.removesuffix("_lossless") for name in twins if frames[name].notna().any()]
    return [name for name in names if name in frames.columns]


def arrivals_figure(frames: "pd.DataFrame", packets: "pd.DataFrame", states: NDArray[np.uint8]) -> "Figure":
    """What became of each slice (top) and of each frame's blocks (bottom), over time."""
    figure, (top, bottom) = _panels(2, height=2.2)
    present = _draw_fates(top, frames, packets)
    _legend(top, [(name.replace("_", " "), FATES[name]) for name in present])
    top.set_ylabel("packet of its frame")
    figure.suptitle(_title(frames, "fate of each packet"), **TITLE)
    shares = [(states == value).mean(axis=(1, 2)) * 100 for value in (2, 1, 0)]
    edges, below = _edges(frames), np.zeros(len(frames))
    for (_, colour), share in zip(BLOCKS, shares, strict=True):
        bottom.bar(edges[:-1], share, np.diff(edges), below, align="edge", color=colour, linewidth=0)
        below = below + share
    _legend(bottom, [(f"{name} (mean {s.mean():.1f} %)", c) for (name, c), s in zip(BLOCKS, shares, strict=True)])
    bottom.set(ylim=(0, 100), ylabel="blocks of the frame (%)", xlabel="capture time (s)")
    return figure


def _draw_fates(panel: "Axes", frames: "pd.DataFrame", packets: "pd.DataFrame") -> list[str]:
    """A raster, one row a packet of a frame, one column a frame; returns the fates that occur."""
    from matplotlib.colors import ListedColormap
    from matplotlib.ticker import MaxNLocator

    media = packets[packets["kind"] == "media"]
    place = media.groupby("frame").cumcount().to_numpy()
    kinds = list(FATES)
    raster = np.full((int(place.max(initial=0)) + 1, len(frames)), np.nan)
    first = int(frames["frame"].iloc[0])
    codes = media["fate"].map({fate: code for code, fate in enumerate(kinds)}).to_numpy(dtype=float)
    raster[place, media["frame"].to_numpy() - first] = codes
    colours = ListedColormap([FATES[kind] for kind in kinds])
    rows = np.arange(len(raster) + 1) + 0.5
    panel.pcolormesh(_edges(frames), rows, raster, cmap=colours, vmin=-0.5, vmax=len(kinds) - 0.5)
    panel.hlines(rows[1:-1], *panel.get_xlim(), color="white", linewidth=1.5)
    panel.set_ylim(rows[-1], rows[0])
    panel.yaxis.set_major_locator(MaxNLocator(integer=True))
    return [kind for kind in kinds if (media["fate"] == kind).any()]


def strip_figure(frames: "pd.DataFrame", folder: Path) -> "Figure":
    """The kept frames side by side, in four versions, with the share lost and the PSNR."""
    from matplotlib.figure import Figure
    from PIL import Image

    kept = sorted(int(path.name.split("_")[0]) for path in folder.glob("*_sent.png"))
    figure = Figure(figsize=(1.7 * max(len(kept), 2) + 0.9, 8.0), layout="constrained")
    if not kept:
        figure.text(0.5, 0.5, "no pictures were kept (output.frames: 0)", ha="center")
        return figure
    axes = figure.subplots(len(ROWS), len(kept), squeeze=False)
    by_frame = frames.set_index("frame")
    for column, number in enumerate(kept):
        row_of_table = by_frame.loc[number]
        for row, (version, _) in enumerate(ROWS):
            panel: Axes = axes[row, column]
            panel.imshow(np.asarray(Image.open(folder / f"{number:05d}_{version}.png")))
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
            panel.set_xlabel(_decibels(row_of_table, version))
        axes[0, column].set_title(_loss_words(number, row_of_table))
    for row, (_, words) in enumerate(ROWS):
        axes[row, 0].set_ylabel(words, fontsize=10)
    figure.suptitle(_title(frames, "frames as sent and as seen, with PSNR against the sent one"))
    return figure


def _decibels(row: Any, version: str) -> str:
    column = {"holes": "psnr_db_holes", "concealed": "psnr_db", "lossless": "psnr_db_lossless"}.get(version, "")
    return f"{row[column]:.1f} dB" if column in row.index else ""


def _loss_words(number: int, row: Any) -> str:
    if row["frozen"]:
        return f"frame {number}\nfrozen"
    return f"frame {number}\n{row['tokens_missing'] / row['tokens_total']:.0%} of tokens lost"


def _title(frames: "pd.DataFrame", what: str) -> str:
    first = frames.iloc[0]
    return f"{first['scenario']}, seed {first['seed']}, codec {first['codec']}: {what}"


def _edges(frames: "pd.DataFrame") -> NDArray[np.float64]:
    """Borders in time, in seconds, around each frame: [T + 1]."""
    seconds = frames["time_capture_ms"].to_numpy(dtype=float) / 1000
    step = seconds[1] - seconds[0] if len(seconds) > 1 else 1.0
    return np.append(seconds, seconds[-1] + step)


def _shade_frozen(panel: "Axes", frames: "pd.DataFrame") -> None:
    edges = _edges(frames)
    label = f"frozen ({frames['frozen'].mean():.1%} of frames)"
    for index in np.flatnonzero(frames["frozen"].to_numpy()):
        panel.axvspan(edges[index], edges[index + 1], color=PURPLE, alpha=0.35, linewidth=0, label=label)
        label = "_again"  # a leading underscore keeps it out of the legend


def _panels(count: int, height: float) -> tuple["Figure", Sequence["Axes"]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 0.9 + (height + 0.2) * count), layout="constrained")
    panels = figure.subplots(max(count, 1), 1, sharex=True, squeeze=False)[:, 0]
    return figure, list(panels)


def _legend(panel: "Axes", entries: Sequence[tuple[str, str]]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=colour, label=words) for words, colour in entries]
    _legend_above(panel, handles=handles)


def _legend_above(panel: "Axes", **handles: Any) -> None:
    """In a row at the left: a page that is narrower than the figure shows it first."""
    where: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.1}
    panel.legend(**handles, **where, ncols=len(FATES), frameon=False, columnspacing=1.2, handlelength=1.4)
