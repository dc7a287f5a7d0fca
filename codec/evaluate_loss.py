"""Robustness: what lost blocks cost, with every concealment, on a folder of pictures.

Losses are single blocks drawn iid from (seed), the same for every method of one (picture, seed), so
methods are compared in pairs; a higher share loses the same blocks and more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codec.conceal import METHODS
from codec.errors import RequestError
from codec.evaluate_bootstrap import NONE_LOST, interval
from codec.evaluate_pictures import LOWER_IS_BETTER, METRICS, Judge, Picture, Row, pictures
from codec.latents import Concealed
from codec.model import Codec
from codec.rate_request import Packing
from codec.refine import Refinement
from codec.surprise import ASKED, coarse_truth, static_bits
from codec.tokens import Tokens, block_of, with_lost_blocks
from codec.vqs import write_vqs

HONEST_BASELINE = "neighbour_mean"  # no transformer, and hard to beat
KEYS = ["bpp_requested", "loss", "concealment"]


@dataclass(frozen=True)
class Cases:
    """What to try on every picture.

    Attributes:
        bpp: Requested rates in bits per pixel; None is all coarse.
        loss: Shares of blocks lost, in [0, 1]; the case without loss is always there.
        methods: Concealment methods for the lossy cases.
        seeds: Loss patterns drawn for each lossy case.
        slices: Slices of the .vqs file whose size gives the rate.
        refinement: Seek the tokens, instead of taking the nearest.

    Raises:
        RequestError: If a method is unknown.
    """

    bpp: Sequence[float | None] = (None,)
    loss: Sequence[float] = (0.0,)
    methods: Sequence[str] = ("expected",)
    seeds: int = 1
    slices: int = 1
    refinement: Refinement | None = None

    def __post_init__(self) -> None:
        for method in self.methods:
            if method not in METHODS and ":" not in method:
                raise RequestError("--conceal", "unknown method", method, f"Available: {', '.join(METHODS)}")


def drop_blocks(tokens: Tokens, rate: float, seed: int) -> Tokens:
    """Lose each block with probability `rate`; a higher rate loses a superset."""
    blocks = tokens.grid[0] * tokens.grid[1]
    return with_lost_blocks(tokens, np.random.default_rng(seed).random(blocks) < rate)


def loss_table(codec: Codec, folder: Path, cases: Cases, judge: Judge) -> pd.DataFrame:
    """Every case of every picture of a folder.

    Returns:
        Columns image, bpp_requested, bytes, bpp (whole file x 8 / pixels), loss, seed, concealment,
        holes (share of tokens lost), holes_right (share of those guessed exactly), quality columns, bits_missing
        (measured cross-entropy of a lost token under the distribution that filled it), bits_static (the same of
        the static histogram; both of lost blocks that were coarse).

    Raises:
        ImageError: If the folder has no picture, or one cannot be read.
        RequestError: If a rate cannot be had.
    """
    rows: list[Row] = []
    for image, picture in pictures(folder):
        for bpp in cases.bpp:
            rows += ({"image": image, **row} for row in _rows(codec, picture, bpp, cases, judge))
    return pd.DataFrame(rows)


def _rows(codec: Codec, picture: Picture, bpp: float | None, cases: Cases, judge: Judge) -> Iterator[Row]:
    size = (picture.shape[0], picture.shape[1])
    tokens = codec.encode(picture, bpp=bpp, packing=Packing(cases.slices), refinement=cases.refinement)
    size_bytes = len(write_vqs(size, codec.to_slices(tokens, cases.slices), codec.hash))
    rate = {"bpp_requested": bpp, "bytes": size_bytes, "bpp": 8 * size_bytes / (size[0] * size[1])}
    truth = coarse_truth(tokens)
    for loss, seed, method, filled in _lossy(codec, tokens, cases):
        shown = codec.decode([filled], size)[0]
        case = {"loss": loss, "seed": seed, "concealment": method}
        yield {
            **rate,
            **case,
            **_guesses(truth, filled),
            **judge(picture, shown),
            **_bits(codec, filled, tokens, method),
        }


def _lossy(codec: Codec, tokens: Tokens, cases: Cases) -> Iterator[tuple[float, int, str, Concealed]]:
    """Each case, filled; all patterns of one loss and method go through the transformer together."""
    yield 0.0, 0, NONE_LOST, codec.conceal([tokens], "zero")[0]
    seeds = range(1, cases.seeds + 1)
    for loss in sorted(set(cases.loss) - {0.0}):
        holed = [drop_blocks(tokens, loss, seed) for seed in seeds]
        for method in cases.methods:
            for seed, filled in zip(seeds, codec.conceal(holed, method), strict=True):
                yield loss, seed, method, filled


def _guesses(truth: NDArray[np.int64], filled: Concealed) -> dict[str, float]:
    holes = ~filled.tokens.known
    right = filled.tokens.index[holes] == truth[block_of(filled.tokens)[holes]]
    return {"holes": float(holes.mean()), "holes_right": float(right.mean()) if holes.any() else float("nan")}


def _bits(codec: Codec, filled: Concealed, sent: Tokens, method: str) -> dict[str, float]:
    nothing, pair = np.full(1, np.nan), (filled.tokens, sent)
    asked = codec.missing_bits([filled.tokens], [sent])[0] if method in ASKED else nothing
    found = {"bits_missing": asked, "bits_static": static_bits(codec.tables, *pair)}
    return {name: float(values.mean()) if len(values) else float("nan") for name, values in found.items()}


def reference_method(methods: Sequence[str], wanted: str | None = None) -> str:
    """The method that others are compared with: the one wanted, else the neighbour mean, else the first.

    Raises:
        RequestError: If the one wanted is not among `methods`.
    """
    if wanted is not None and wanted not in methods:
        available = f"Available: {', '.join(methods)}"
        raise RequestError("--against", "must be one of the methods in --conceal", wanted, available)
    return wanted or (HONEST_BASELINE if HONEST_BASELINE in methods else methods[0])


def loss_means(table: pd.DataFrame, against: str) -> pd.DataFrame:
    """One row for each rate, loss and method: means, and their 95 % bootstrap intervals by image.

    Returns:
        Columns bpp_requested, loss, concealment, against, images, bpp, holes_right, bits_missing, bits_static;
        then for each metric m: m, m_low, m_high; m_lost with bounds: how much worse than the same picture with
        none lost; m_difference with bounds: to the method `against`, paired; empty where nothing is lost.
    """
    metrics = [name for name in METRICS if name in table]
    by_image = table.groupby(["image", *KEYS], dropna=False, sort=False).mean(numeric_only=True).reset_index()
    rows: list[Row] = []
    for (bpp, loss, method), cell in by_image.groupby(KEYS, dropna=False, sort=False):
        same_rate = by_image[by_image["bpp_requested"].isna() if pd.isna(bpp) else by_image["bpp_requested"] == bpp]
        whole = same_rate[same_rate["loss"] == 0]
        other = same_rate[(same_rate["loss"] == loss) & (same_rate["concealment"] == against)]
        row: Row = dict(zip(KEYS, (bpp, loss, method), strict=True))
        row |= {"against": against, "images": len(cell), "bpp": cell["bpp"].mean()}
        row |= {name: cell[name].mean() for name in ("holes_right", "bits_missing", "bits_static")}
        for name in metrics:
            row |= _with_interval(name, cell[name].dropna().to_numpy())
            worse = (cell, whole) if name in LOWER_IS_BETTER else (whole, cell)
            row |= _with_interval(f"{name}_lost", _paired(*worse, name))
            row |= _with_interval(f"{name}_difference", _paired(cell, other, name))
        rows.append(row)
    return pd.DataFrame(rows)


def _paired(cell: pd.DataFrame, other: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Difference picture by picture, [images]; empty if one of the two cells is."""
    difference = cell.set_index("image")[name] - other.set_index("image")[name]
    found: NDArray[np.float64] = difference.dropna().to_numpy(np.float64)
    return found


def _with_interval(name: str, values: NDArray[np.float64]) -> Row:
    low, high = interval(values)
    return {name: values.mean() if len(values) else float("nan"), f"{name}_low": low, f"{name}_high": high}
