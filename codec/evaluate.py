"""Rate, distortion and robustness of a folder of pictures, as a table with one row for each case.

Rates are sizes of whole .vqs files. Losses are single blocks drawn iid, the same for every method of
one (image, seed), so methods can be compared in pairs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from codec.bitstream import write_vqs
from codec.errors import ImageError
from codec.images import open_image
from codec.model import Codec
from codec.perceptual import Squeeze
from codec.quality import measure
from codec.rate import Packing
from codec.tokens import Tokens, block_of, with_lost_blocks

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}


@dataclass(frozen=True)
class Cases:
    """What to try on every picture.

    Attributes:
        bpp: Requested rates in bits per pixel; None is all coarse.
        loss: Shares of blocks lost, in [0, 1].
        methods: Concealment methods for the lossy cases.
        seeds: Loss patterns drawn for each lossy case.
        slices: Slices of the .vqs file whose size gives the rate.
    """

    bpp: Sequence[float | None] = (None,)
    loss: Sequence[float] = (0.0,)
    methods: Sequence[str] = ("expected",)
    seeds: int = 1
    slices: int = 1


def drop_blocks(tokens: Tokens, rate: float, seed: int) -> Tokens:
    """Lose each block with probability `rate`; a higher rate loses a superset."""
    blocks = tokens.grid[0] * tokens.grid[1]
    return with_lost_blocks(tokens, np.random.default_rng(seed).random(blocks) < rate)


def _lossy(tokens: Tokens, cases: Cases) -> Iterator[tuple[float, int, str, Tokens]]:
    for loss in cases.loss:
        if loss == 0:
            yield 0.0, 0, "none lost", tokens
            continue
        for seed in range(1, cases.seeds + 1):
            holes = drop_blocks(tokens, loss, seed)
            yield from ((loss, seed, method, holes) for method in cases.methods)


def evaluate_picture(
    codec: Codec, picture: NDArray[np.uint8], cases: Cases, squeeze: Squeeze | None
) -> list[dict[str, object]]:
    """Rows of one picture uint8 [H, W, 3]."""
    size = (picture.shape[0], picture.shape[1])
    rows: list[dict[str, object]] = []
    for bpp in cases.bpp:
        tokens = codec.encode(picture, bpp=bpp, packing=Packing(cases.slices))
        file = write_vqs(size, codec.to_slices(tokens, cases.slices), codec.hash)
        for loss, seed, method, received in _lossy(tokens, cases):
            filled = codec.conceal([received], "zero" if method == "none lost" else method)[0]
            shown = codec.decode([filled], size)
            quality = {name: float(v[0]) for name, v in measure(picture[None], shown).items()}
            if squeeze is not None:
                quality["squeeze"] = _squeeze(squeeze, picture, shown[0])
            block_holes = ~filled.tokens.known
            true_index = _coarse_truth(tokens)[block_of(filled.tokens)[block_holes]]
            right = float((filled.tokens.index[block_holes] == true_index).mean()) if block_holes.any() else np.nan
            rows.append(
                {
                    "bpp_requested": bpp,
                    "bytes": len(file),
                    "bpp": 8 * len(file) / (size[0] * size[1]),
                    "loss": loss,
                    "seed": seed,
                    "concealment": method,
                    "holes": float(block_holes.mean()),
                    "holes_right": right,
                    **quality,
                }
            )
    return rows


def _coarse_truth(tokens: Tokens) -> NDArray[np.int64]:
    truth = np.full(tokens.grid[0] * tokens.grid[1], -1, np.int64)
    coarse = tokens.level == 0
    truth[block_of(tokens)[coarse]] = tokens.index[coarse]
    return truth


@torch.inference_mode()
def _squeeze(squeeze: Squeeze, reference: NDArray[np.uint8], shown: NDArray[np.uint8]) -> float:
    pair = [torch.from_numpy(p.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1 for p in (shown, reference)]
    return float(squeeze(*pair))


def evaluate_folder(codec: Codec, folder: Path, cases: Cases, squeeze: Squeeze | None = None) -> pd.DataFrame:
    """Every case of every picture of a folder.

    Returns:
        Columns image, bpp_requested, bytes, bpp (whole file x 8 / pixels), loss, seed, concealment,
        holes (share of tokens lost), holes_right (share of those guessed exactly), quality columns.

    Raises:
        ImageError: If the folder has no picture, or one cannot be read.
    """
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ImageError(str(folder), "no PNG, JPEG or WebP files here")
    rows = []
    for path in paths:
        rows += [{"image": path.stem, **row} for row in evaluate_picture(codec, open_image(path), cases, squeeze)]
    return pd.DataFrame(rows)
