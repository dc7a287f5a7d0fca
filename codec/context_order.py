"""The order in which the entropy model `context` codes the tokens of a slice: tiles, and groups within them.

    tile     at most 2048 tokens that lie together; all that is looked at for any of them
    group    tokens of a tile that are coded at once, given the groups before; few first, then more and more

Group i of P ends at the share (i / P)^2 of the tile, as the first tokens tell most (M2T, Mentzer et al., ICCV 2023,
arXiv 2304.07313, section 3.3, takes a power too). Within a tile tokens go by v = x/g + y/g^2 (mod 1) on the grid
of their own level, see codec/interleave.py, so that every group is spread evenly; each group has the same
share of every level. All in integers and ordered fractions: both ends agree.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from codec.config import LEVELS
from codec.interleave import STEP_DOWN, STEP_RIGHT

TILE_TOKENS = 2048  # bounds time and memory of attention, which grow with the square
MOST_GROUPS = 12


def tiles(row: NDArray[np.int64], col: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Halve a slice along its longer side until no part has more than 2048 tokens.

    Args:
        row: Block row of each token, int64 [M]; no block has more than 16 tokens.
        col: Its block column, int64 [M].

    Returns:
        Ascending token numbers of each tile; every token is in exactly one.
    """
    place, done = np.stack([row, col]), []
    todo = [np.arange(len(row))] if len(row) else []
    while todo:
        at = todo.pop()
        if len(at) <= TILE_TOKENS:
            done.append(at)
            continue
        low, high = place[:, at].min(1), place[:, at].max(1)
        axis = int((high - low).argmax())
        second = place[axis, at] > (low[axis] + high[axis]) // 2
        todo += [at[second], at[~second]]
    return done


def groups(level: NDArray[np.uint8], row: NDArray[np.int64], col: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The groups of a tile in their order.

    Args:
        level: uint8 [M].
        row: Row of each token on the grid of its level, int64 [M].
        col: Its column there, int64 [M].

    Returns:
        Ascending numbers below M for each group; none is empty.
    """
    share = np.zeros(len(level))
    for number in range(LEVELS):
        at = np.flatnonzero(level == number)
        v = (col[at].astype(np.uint64) * np.uint64(STEP_RIGHT) + row[at].astype(np.uint64) * np.uint64(STEP_DOWN)) % (
            np.uint64(2**32)
        )
        share[at[np.argsort(v, kind="stable")]] = (np.arange(len(at)) + 0.5) / max(1, len(at))
    order = np.argsort(share, kind="stable")
    return [np.sort(order[a:b]) for a, b in pairwise(borders(len(level)))]


def borders(count: int) -> list[int]:
    """Where groups of so many tokens begin, and the last one ends.

    >>> borders(1536)
    [0, 10, 42, 96, 170, 266, 384, 522, 682, 864, 1066, 1290, 1536]
    >>> borders(5)
    [0, 1, 5]
    """
    steps = min(MOST_GROUPS, math.isqrt(count))
    return sorted({count * i * i // steps**2 for i in range(steps + 1)}) if count else [0]
