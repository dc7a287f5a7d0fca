"""Quad-trees: the order of the tokens of a block, as a sequence of levels.

    block     16x16 pixels; coarse: 1 token, or split into
    quarter   8x8 pixels, four of a block in raster order; medium: 1 token, or fine:
    cell      4x4 pixels, four of a quarter in raster order, 1 token each

All of it follows from one number: how many cells come before a token. A coarse token covers 16
cells, a medium one 4, a fine one 1; a sequence of levels is a row of quad-trees if and only if every
token starts at a multiple of its own size and all cells are covered.
"""

import numpy as np
from numpy.typing import NDArray

from codec.config import LEVELS, cells

CELLS = cells(LEVELS - 1) ** 2  # cells of a block, 16
CELLS_OF_LEVEL = np.array([CELLS // cells(level) ** 2 for level in range(LEVELS)])  # 16, 4, 1


def starts(level: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Cells before each token, int64 [N]. Block number is start // 16.

    Args:
        level: uint8 [N] in canonical order.

    >>> starts(np.array([0, 1, 2, 2, 2, 2, 1, 1], np.uint8)).tolist()
    [0, 16, 20, 21, 22, 23, 24, 28]
    """
    covered = CELLS_OF_LEVEL[level]
    before: NDArray[np.int64] = np.cumsum(covered) - covered
    return before


def check_quad_tree(level: NDArray[np.uint8], blocks: int) -> None:
    """Levels [N] must be the quad-trees of so many blocks, one after another.

    Raises:
        ValueError: If a level is above 2, a token straddles a border, or cells are missing or left over.
    """
    if len(level) and level.max() >= LEVELS:
        raise ValueError(f"levels must be 0, 1 or 2, got {level.max()}")
    start = starts(level)
    astray = np.flatnonzero(start % CELLS_OF_LEVEL[level])
    if len(astray):
        raise ValueError(f"levels are no quad-tree: token {astray[0]} straddles the border of its parent")
    covered = int(CELLS_OF_LEVEL[level].sum())
    if covered != CELLS * blocks:
        raise ValueError(f"levels must cover {CELLS * blocks} cells of {blocks} blocks, got {covered}")


def expand(level: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Levels of tokens, uint8 [N], to the levels of the quarters of each block, uint8 [blocks, 4].

    >>> expand(np.array([0, 1, 2, 2, 2, 2, 1, 1], np.uint8)).tolist()
    [[0, 0, 0, 0], [1, 2, 1, 1]]
    """
    return np.repeat(level, CELLS_OF_LEVEL[level])[:: CELLS // 4].reshape(-1, 4)


def collapse(quarters: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Inverse of `expand`.

    Raises:
        ValueError: If a block is coarse in some of its quarters only.
    """
    coarse = quarters == 0
    if (coarse.any(axis=1) != coarse.all(axis=1)).any():
        raise ValueError("quarters: a block is coarse in all four quarters or in none")
    tokens_each = np.array([0, 1, 4])[quarters]
    tokens_each[coarse[:, 0], 0] = 1
    return np.repeat(quarters.ravel(), tokens_each.ravel())


def levels_of_quarters(quarters: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Level of every token, uint8 [N], from a map of quarters.

    Args:
        quarters: uint8 [2h, 2w]: 0 for all four quarters of a coarse block, else 1 or 2.

    Raises:
        ValueError: If a block is coarse in some of its quarters only.
    """
    rows, cols = quarters.shape[0] // 2, quarters.shape[1] // 2
    return collapse(quarters.reshape(rows, 2, cols, 2).transpose(0, 2, 1, 3).reshape(-1, 4))
