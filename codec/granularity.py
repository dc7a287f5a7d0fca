"""Granularity: which block is sent coarse, which parts of it medium or fine.

Local information density is the entropy of grey levels in a patch (Control-GIC, arXiv 2406.00758,
section 3.2). A 16x16 block is coarse (one token), or splits into four 8x8 quarters, each medium
(one token) or fine (four tokens). Ratios are shares of *area*, hold per image, and are met to the
nearest block: ranks come from a stable order, so ties (flat pictures, letterboxes) never tip a
whole picture into fine.
"""

import numpy as np
from numpy.typing import NDArray

from codec.config import BLOCK
from codec.errors import RequestError

BINS = 32  # grey levels of the histogram, as in Control-GIC


def grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma of a picture, uint8 [H, W, 3] -> uint8 [H, W] (BT.601, integer arithmetic)."""
    r, g, b = (frame[..., c].astype(np.uint32) for c in range(3))
    return ((77 * r + 150 * g + 29 * b + 128) >> 8).astype(np.uint8)


def density(luma: NDArray[np.uint8], patch: int) -> NDArray[np.float64]:
    """Entropy of grey levels per patch, in bits (0 flat, at most 5).

    Args:
        luma: uint8 [H, W], H and W multiples of `patch`.
        patch: Side of a patch in pixels.

    Returns:
        float64 [H/patch, W/patch].
    """
    rows, cols = luma.shape[0] // patch, luma.shape[1] // patch
    bins = (luma.reshape(rows, patch, cols, patch) >> 3).transpose(0, 2, 1, 3)
    cell = np.arange(rows * cols)[:, None] * BINS + bins.reshape(rows * cols, -1)
    counts = np.bincount(cell.ravel(), minlength=rows * cols * BINS).reshape(rows, cols, BINS)
    n = np.arange(patch * patch + 1)
    n_log_n = n * np.log2(np.maximum(n, 1))
    total: NDArray[np.float64] = np.log2(patch * patch) - n_log_n[counts].sum(-1) / (patch * patch)
    return total


def is_flat(frame: NDArray[np.uint8]) -> bool:
    """Whether a picture uint8 [H, W, 3] has one colour."""
    return bool((frame[0] == frame[0, 0]).all() and (frame == frame[0, 0]).all())


def flat_blocks(frame: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which blocks have one colour: uint8 [H, W, 3] -> bool [h, w]."""
    rows, cols = frame.shape[0] // BLOCK, frame.shape[1] // BLOCK
    blocks = frame.reshape(rows, BLOCK, cols, BLOCK, 3)
    flat: NDArray[np.bool_] = (blocks == blocks[:, :1, :, :1]).all(axis=(1, 3, 4))
    return flat


def check_ratios(ratios: tuple[float, float, float]) -> None:
    """Ratios (fine, medium, coarse) must be shares of area that sum to one.

    Raises:
        RequestError: If one is negative or their sum is not 1 (to 1e-6).
    """
    if not (min(ratios) >= 0 and abs(sum(ratios) - 1) <= 1e-6):  # so put, NaN is refused too
        raise RequestError("ratios", "fine, medium, coarse must be >= 0 and sum to 1", ratios, "Example: 0.1,0.3,0.6")


def allocate(frame: NDArray[np.uint8], ratios: tuple[float, float, float]) -> NDArray[np.uint8]:
    """Level of each 8x8 quarter for given area ratios.

    Args:
        frame: uint8 [H, W, 3], H and W multiples of 16.
        ratios: (fine, medium, coarse), as Control-GIC orders them.

    Returns:
        uint8 [H/8, W/8] of levels; the quarters of a coarse block are all 0, those of a split
        block are 1 or 2.

    Raises:
        RequestError: If the ratios are no shares.
    """
    check_ratios(ratios)
    if ratios[2] == 1:  # all coarse: nothing to rank
        return np.zeros((frame.shape[0] * 2 // BLOCK, frame.shape[1] * 2 // BLOCK), np.uint8)
    luma = grey(frame)
    return rank(density(luma, BLOCK), density(luma, BLOCK // 2), ratios)


def rank(
    block_density: NDArray[np.floating],
    quarter_density: NDArray[np.floating],
    ratios: tuple[float, float, float],
) -> NDArray[np.uint8]:
    """`allocate` from densities at hand: [h, w] and [2h, 2w] -> uint8 [2h, 2w]."""
    check_ratios(ratios)
    fine, _, coarse = ratios
    rows, cols = block_density.shape
    order = np.argsort(block_density.ravel(), kind="stable")
    split = np.ones(rows * cols, dtype=bool)
    split[order[: round(coarse * rows * cols)]] = False
    quarters = np.kron(split.reshape(rows, cols), np.ones((2, 2), dtype=bool))
    levels = quarters.astype(np.uint8)
    candidates = np.flatnonzero(quarters)
    densest = np.argsort(-quarter_density.ravel()[candidates], kind="stable")
    levels.ravel()[candidates[densest[: round(fine * 4 * rows * cols)]]] = 2
    return levels
