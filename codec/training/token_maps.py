"""Photographs as tokens: what the predictor learns from, and what the probability tables count."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from codec.config import BLOCK, LEVELS
from codec.device import to_tensor
from codec.encoder import Encoder
from codec.granularity import density, grey, rank
from codec.quantizer import Quantizer
from codec.training.data import load_photographs
from codec.training.run import autocast, write_whole

# Ratios (fine, medium, coarse) whose indices make the histograms of the split blocks. Coarse tokens are
# counted over whole pictures: mixed ones leave the flat blocks coarse, which would bias the table of the
# rate that is used most.
HISTOGRAM_RATIOS = ((0.0, 0.5, 0.5), (0.1, 0.4, 0.5), (0.3, 0.5, 0.2))


@torch.no_grad()
def features_of(encoder: Encoder, frames: NDArray[np.uint8]) -> list[Tensor]:
    """What the encoder makes of frames [B, H, W, 3], in bf16 where that is fast: float32 [B, D, h_l, w_l] a level."""
    device = encoder.stem.weight.device
    with autocast(device):
        return [z.float() for z in encoder(to_tensor(frames, device))]


@torch.no_grad()
def index_maps(encoder: Encoder, quantizer: Quantizer, frames: NDArray[np.uint8]) -> list[NDArray[np.int16]]:
    """Indices of all levels for frames [B, H, W, 3]: int16 [B, h_l, w_l] each."""
    features = features_of(encoder, frames)
    return [quantizer.nearest(level, z).cpu().numpy().astype(np.int16) for level, z in enumerate(features)]


def crop_to_blocks(photograph: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest top-left part whose sides are multiples of 16."""
    height, width = (side // BLOCK * BLOCK for side in photograph.shape[:2])
    return np.ascontiguousarray(photograph[:height, :width])


class TokenMaps(NamedTuple):
    """A photograph as indices: int16 [h_l, w_l] a level; densities [h, w] and [2h, 2w] in bits."""

    indices: list[NDArray[np.int16]]
    block_density: NDArray[np.float32]
    quarter_density: NDArray[np.float32]


def token_maps(encoder: Encoder, quantizer: Quantizer, photograph: NDArray[np.uint8]) -> TokenMaps:
    """All three levels of a photograph, and the densities that choose between them."""
    frame = crop_to_blocks(photograph)
    return maps_of(quantizer, features_of(encoder, frame[None]), frame)


def maps_of(quantizer: Quantizer, features: list[Tensor], frame: NDArray[np.uint8]) -> TokenMaps:
    """The same for a frame of whole blocks whose features [1, D, h_l, w_l] are at hand."""
    luma = grey(frame)
    return TokenMaps(
        [quantizer.nearest(level, z)[0].cpu().numpy().astype(np.int16) for level, z in enumerate(features)],
        density(luma, BLOCK).astype(np.float32),
        density(luma, BLOCK // 2).astype(np.float32),
    )


def token_pool(
    cache: Path, encoder: Encoder, quantizer: Quantizer, folder: Path, window: int, variants: int, seed: int
) -> list[TokenMaps]:
    """Token maps of all photographs and their variants; kept in a file, since they cost minutes.

    Args:
        cache: The file.
        encoder: Makes the features.
        quantizer: Its codebooks make the indices.
        folder: PNG, JPEG or WebP files, searched recursively.
        window: Least side of a photograph in blocks.
        variants: Copies of each photograph; see `variant`.
        seed: Of the variants.

    Raises:
        ImageError: If there are no photographs.
    """
    if cache.exists():
        return [from_rows(row) for row in torch.load(cache, weights_only=True)]
    least, rng = window * BLOCK, np.random.default_rng(seed)
    pool = [
        token_maps(encoder, quantizer, np.ascontiguousarray(variant(photograph, number, least, rng)))
        for photograph in load_photographs(folder, least)
        for number in range(variants)
    ]
    write_whole(cache, [to_rows(maps) for maps in pool])
    return pool


def to_rows(maps: TokenMaps) -> tuple[Any, ...]:
    """Arrays as tensors, which can be stored."""
    return (list(map(torch.from_numpy, maps.indices)), *map(torch.from_numpy, maps[1:]))


def from_rows(rows: tuple[Any, ...]) -> TokenMaps:
    """Inverse of `to_rows`."""
    indices, block_density, quarter_density = rows
    return TokenMaps([t.numpy() for t in indices], block_density.numpy(), quarter_density.numpy())


def variant(photograph: NDArray[np.uint8], number: int, least: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Variant 0 is the photograph; others are scaled by 0.6 to 1, shifted by up to a block, every second flipped.

    No side falls below `least`.
    """
    if number == 0:
        return photograph
    height, width = photograph.shape[:2]
    scale = max(float(rng.uniform(0.6, 1.0)), least / min(height, width))
    size = (max(round(width * scale), least), max(round(height * scale), least))
    y, x = (int(rng.integers(min(BLOCK, side - least + 1))) for side in (size[1], size[0]))
    scaled = np.asarray(Image.fromarray(photograph).resize(size, Image.Resampling.LANCZOS))[y:, x:]
    return scaled[:, ::-1] if number % 2 else scaled


def histograms(pool: Iterable[TokenMaps], codes: int) -> NDArray[np.int32]:
    """How often each codeword is chosen at each level, int32 [L, K], plus one so that none is impossible."""
    counts = np.ones((LEVELS, codes), dtype=np.int64)
    for maps in pool:
        counts[0] += np.bincount(maps.indices[0].ravel(), minlength=codes)
        for ratios in HISTOGRAM_RATIOS:
            quarters = rank(maps.block_density, maps.quarter_density, ratios)
            for level, present in ((1, quarters == 1), (2, np.kron(quarters == 2, np.ones((2, 2))) > 0)):
                counts[level] += np.bincount(maps.indices[level][present], minlength=codes)
    return counts.astype(np.int32)
