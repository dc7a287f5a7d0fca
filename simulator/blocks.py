"""Blocks of a picture: their colours, and unknown ones filled from their neighbours."""

import numpy as np
from numpy.typing import NDArray

BLOCK = 16  # pixels a side of one token's block
HOLE = 128  # mid grey: what a viewer sees where nothing is known


def block_means(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean colour of each block, uint8 [H, W, 3] -> uint8 [h, w, 3]; edges are repeated outwards."""
    means: NDArray[np.uint8] = ((block_sums(frame) + BLOCK * BLOCK // 2) // (BLOCK * BLOCK)).astype(np.uint8)
    return means


def block_sums(frame: NDArray[np.uint8], power: int = 1) -> NDArray[np.uint32]:
    """Sums of the values of each block, or of their squares, uint8 [H, W, 3] -> uint32 [h, w, 3]; edges likewise."""
    height, width = frame.shape[:2]
    padded = np.pad(frame, ((0, -height % BLOCK), (0, -width % BLOCK), (0, 0)), mode="edge")
    rows, cols = padded.shape[0] // BLOCK, padded.shape[1] // BLOCK
    lines = (padded.astype(np.uint32) ** power).reshape(rows, BLOCK, -1).sum(axis=1, dtype=np.uint32)
    sums: NDArray[np.uint32] = lines.reshape(rows, cols, BLOCK, 3).sum(axis=2, dtype=np.uint32)
    return sums


def fill_from_neighbours(
    tokens: NDArray[np.uint8], known: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Fill unknown blocks with the mean of their known neighbours, ring by ring.

    Args:
        tokens: uint8 [h, w, 3].
        known: bool [h, w].

    Returns:
        The filled tokens, and a confidence float32 [h, w]: 1 where known; for a guess half the
        share of its eight neighbours it was made from, halved again with each further ring.
    """
    values, have = tokens.astype(np.float64), known.copy()
    confidence = known.astype(np.float32)
    weight = 0.5
    while have.any() and not have.all():
        total, count = np.zeros_like(values), np.zeros(have.shape)
        padded = np.pad(np.where(have[..., None], values, 0), ((1, 1), (1, 1), (0, 0)))
        mask = np.pad(have.astype(np.float64), 1)
        for dy, dx in np.ndindex(3, 3):
            total += padded[dy : dy + have.shape[0], dx : dx + have.shape[1]]
            count += mask[dy : dy + have.shape[0], dx : dx + have.shape[1]]
        fresh = ~have & (count > 0)
        values[fresh] = total[fresh] / count[fresh, None]
        confidence[fresh] = weight * count[fresh] / 8
        have |= fresh
        weight /= 2
    filled = np.rint(values).astype(np.uint8) if have.any() else np.full_like(tokens, HOLE)
    return filled, confidence
