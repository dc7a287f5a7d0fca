"""Class of a token: the weighted mean of the known points around it, cut into cells, and how much is known.

Points come packed, one number each: a 1, which sums up to the weight, then the coordinates, raised so that none is
negative. So one sum over a window (codec/neighbours.py) gives the weight and the weighted sum of each coordinate.
"""

import numpy as np
from numpy.typing import NDArray

from codec.config import LEVELS
from codec.neighbours import MANY, MOST_WEIGHT, PASSES

DIMENSIONS = 4  # of a point
RANGE = 50  # points are -50 to 50 in each
SIDE = (8, 6, 4)  # cells a dimension, for each level
FIELD = 12  # bits of a sum: 40 x 101 < 2^12
KNOWN = (4, 12)  # weights from which a coarse token has some, and close neighbours
SURENESS = 1 + len(KNOWN)

CLASSES = [1 + SURENESS * side**DIMENSIONS for side in SIDE]
FIELDS = FIELD * np.arange(1, DIMENSIONS + 1)[:, None]  # where the coordinates of a packed point begin
FIELD_MASK = (1 << FIELD) - 1


def classes_of(level: int, number: NDArray[np.int64] | int, sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """Class of each token of a level, int64 [m], by its pass and the packed sums around it.

    0 if nothing is known, else 1 + sureness and cell as one number.
    """
    if len(sums) > MANY:
        cuts = range(MANY, len(sums), MANY)
        numbers = np.broadcast_to(number, len(sums))
        parts = zip(np.split(numbers, cuts), np.split(sums, cuts), strict=True)
        return np.concatenate([classes_of(level, *part) for part in parts])
    weight = sums & FIELD_MASK
    cells = CELLS[level].take(sums >> FIELDS & FIELD_MASK | weight << FIELD).astype(np.int64)
    first = FIRST[level].take(number * (MOST_WEIGHT + 1) + weight)
    classes: NDArray[np.int64] = first + np.einsum("i,ij", DIGITS[level], cells)
    return classes


def sureness_of(level: int, number: int, weight: NDArray[np.int64]) -> NDArray[np.int64]:
    """How much is known around tokens: by weight if they are coarse, else by pass; 0 to 2, and -1 for nothing."""
    if level:
        sure = np.full(len(weight), max(0, number - (PASSES - SURENESS)))
    else:
        sure = np.searchsorted(KNOWN, weight, side="right")
    return np.where(weight > 0, sure, -1)


def packed(embedding: NDArray[np.int8]) -> NDArray[np.int64]:
    """Points [n, 4] as one number each: 1, then the coordinates raised to 1..101, in fields of 12 bits."""
    raised = embedding.astype(np.int64) + RANGE + 1
    packed: NDArray[np.int64] = 1 + (raised << FIELDS[:, 0]).sum(axis=1)
    return packed


def _cells(side: int) -> NDArray[np.uint8]:
    """Cell of a mean coordinate, uint8 [41 x 4096], by weight << 12 | weighted sum of raised coordinates."""
    weight, value = np.mgrid[: MOST_WEIGHT + 1, : 1 << FIELD]
    above = value - weight  # the mean is above / weight, from 0 to 100; half a step is added to it
    cell = (2 * above + weight) * side // (np.maximum(weight, 1) * 2 * (2 * RANGE + 1))
    cells: NDArray[np.uint8] = cell.clip(0, side - 1).astype(np.uint8).ravel()
    return cells


def _first(level: int) -> NDArray[np.int64]:
    """Class of cell 0, int64 [5 x 41], by pass x 41 + weight."""
    weight = np.arange(MOST_WEIGHT + 1)
    sure = np.concatenate([sureness_of(level, number, weight) for number in range(PASSES)])
    return np.where(sure >= 0, 1 + sure * SIDE[level] ** DIMENSIONS, 0)


CELLS = [_cells(side) for side in SIDE]
FIRST = [_first(level) for level in range(LEVELS)]
DIGITS = [side ** np.arange(DIMENSIONS)[::-1] for side in SIDE]
