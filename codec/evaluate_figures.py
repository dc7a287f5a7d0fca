"""Figures of an evaluation: rate against quality, and loss against quality lost.

Colours are those of Okabe and Ito, which remain distinct under all common colour blindness; every
curve has a marker of its own too.
"""

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from codec.evaluate_bootstrap import NONE_LOST
from codec.evaluate_pictures import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOKS = (  # colour and marker, by order of appearance
    ("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#E69F00", "D"),
    ("#CC79A7", "v"), ("#56B4E9", "P"), ("#000000", "X"),
)  # fmt: skip
UNITS = {
    "psnr_db": "PSNR (dB)",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "squeeze": "SqueezeNet distance\n(lower is better)",
}
COSTS = {
    "psnr_db": "PSNR lost (dB)",
    "ssim": "SSIM lost",
    "ms_ssim": "MS-SSIM lost",
    "squeeze": "SqueezeNet distance\nadded",
}
STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3,
    "axes.titlesize": 9, "svg.hashsalt": "vqstream", "svg.fonttype": "none",
}  # fmt: skip


def rate_figure(means: pd.DataFrame) -> "Figure":
    """Quality against true bits a pixel, one panel a metric, one curve a codec.

    Args:
        means: From `rate_means`.
    """
    import matplotlib

    metrics = _metrics(means)
    with matplotlib.rc_context(STYLE):
        figure, panels = _panels(1, len(metrics))
        for panel, metric in zip(panels[0], metrics, strict=True):
            for (codec, curve), look in zip(means.groupby("codec", sort=False), LOOKS, strict=False):
                ordered = curve.sort_values("bpp")
                _curve(panel, ordered["bpp"], ordered[metric], str(codec), look)
            panel.set(xscale="log", xlabel="bits per pixel, whole files (log)", ylabel=UNITS[metric])
            panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            panel.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "25" else "")
        panels[0][0].legend(frameon=False)
        figure.suptitle(f"mean of {means['images'].max()} pictures at each setting")
    return figure


def loss_figure(means: pd.DataFrame) -> "Figure":
    """Quality lost against blocks lost, a column a metric, a row a rate; bands are 95 % by image.

    Args:
        means: From `loss_means`.
    """
    import matplotlib

    metrics, rates = _metrics(means), list(means["bpp_requested"].unique())
    with matplotlib.rc_context(STYLE):
        figure, panels = _panels(len(rates), len(metrics))
        for row, rate in zip(panels, rates, strict=True):
            part = means[means["bpp_requested"].isna() if pd.isna(rate) else means["bpp_requested"] == rate]
            for panel, metric in zip(row, metrics, strict=True):
                _losses(panel, part, metric)
            row[0].set_title("all coarse" if pd.isna(rate) else f"{rate:g} bpp asked for", loc="left")
        panels[0][0].legend(frameon=False)
        figure.suptitle(f"{means['images'].max()} pictures, the same holes for every method; bands: 95 %, by image")
    return figure


def film_figure(means: pd.DataFrame) -> "Figure":
    """Quality lost of each clip by each method, a column a metric, a row a loss and rate; bars are 95 %.

    Args:
        means: From `film_means`.
    """
    import matplotlib

    metrics, lossy = _metrics(means), means[means["concealment"] != NONE_LOST]
    cases = list(lossy.groupby(["bpp_requested", "loss"], dropna=False, sort=False))
    with matplotlib.rc_context(STYLE):
        figure, panels = _panels(len(cases), len(metrics))
        for row, ((rate, loss), part) in zip(panels, cases, strict=True):
            for panel, metric in zip(row, metrics, strict=True):
                _films(panel, part, metric)
            words = "all coarse" if pd.isna(rate) else f"{rate:g} bpp asked for"
            row[0].set_title(f"{words}, {loss:.0%} of the packets lost", loc="left")
            row[0].set_yticks(range(part["clip"].nunique()), list(part["clip"].unique()))
        panels[0][-1].legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        figure.suptitle("the same packets lost for every method; bars: 95 %, by clip and loss pattern")
    return figure


def _films(panel: "Axes", means: pd.DataFrame, metric: str) -> None:
    methods = list(means.groupby("concealment", sort=False))
    for place, ((method, cell), (colour, marker)) in enumerate(zip(methods, LOOKS, strict=False)):
        rows = [row + 0.6 * (place / max(len(methods) - 1, 1) - 0.5) for row in range(len(cell))]
        middle, low, high = (cell[f"{metric}_lost{bound}"] for bound in ("", "_low", "_high"))
        panel.hlines(rows, low.fillna(middle), high.fillna(middle), color=colour, linewidth=1.2)
        panel.plot(middle, rows, marker, color=colour, markersize=4, label=str(method))
    panel.set(xlabel=COSTS[metric], yticks=range(means["clip"].nunique()), yticklabels=[])
    panel.invert_yaxis()


def _losses(panel: "Axes", means: pd.DataFrame, metric: str) -> None:
    lossy = means[means["concealment"] != NONE_LOST]
    for (method, curve), look in zip(lossy.groupby("concealment", sort=False), LOOKS, strict=False):
        at = pd.concat([pd.Series([0.0]), curve["loss"] * 100])
        low, middle, high = (
            pd.concat([pd.Series([0.0]), curve[f"{metric}_lost{bound}"]]) for bound in ("_low", "", "_high")
        )
        _curve(panel, at, middle, str(method), look)
        panel.fill_between(at, low, high, color=look[0], alpha=0.15, linewidth=0)
    panel.set(xlabel="blocks lost (%)", ylabel=COSTS[metric])


def _curve(panel: "Axes", x: Iterable[float], y: Iterable[float], label: str, look: tuple[str, str]) -> None:
    panel.plot(list(x), list(y), color=look[0], marker=look[1], markersize=4, linewidth=1.4, label=label)


def _metrics(means: pd.DataFrame) -> list[str]:
    return [name for name in METRICS if name in means and means[name].notna().any()]


def _panels(rows: int, columns: int) -> tuple["Figure", Sequence[Sequence["Axes"]]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.1 * columns, 3.0 * rows + 0.4), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False).tolist()


def image_bytes(figure: "Figure", kind: str) -> bytes:
    """A figure as the bytes of a "png" or "svg" file, the same when made twice."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()
