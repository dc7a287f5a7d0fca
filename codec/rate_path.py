"""The path from all coarse to all fine: which block splits, which quarter becomes fine, one after another."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.rate_request import Densities

ALL_COARSE = (0.0, 0.0, 1.0)
KNOTS = np.array(
    [
        ALL_COARSE,
        (0.0, 0.85, 0.15),
        (0.1, 0.9, 0.0),
        (1.0, 0.0, 0.0),
    ]
)  # fine, medium, coarse: nearly all is medium before much is fine, which looks best at each rate (docs/decisions/0015)
SPLIT_STEPS = 4096  # at most, from all coarse to all fine: 0.00015 bpp each


def ratios_at(way: float) -> tuple[float, float, float]:
    """(fine, medium, coarse) a share of the way from all coarse to all fine, in steps of equal area.

    >>> ratios_at(0.0), ratios_at(1.0)
    ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
    """
    fine, medium, coarse = (float(np.interp(way * (len(KNOTS) - 1), np.arange(len(KNOTS)), share)) for share in KNOTS.T)
    return fine, medium, coarse


def step_of(events: int) -> NDArray[np.int64]:
    """The step that each event of `order_of` belongs to, 1 to at most 4096."""
    return 1 + np.arange(events) * min(events, SPLIT_STEPS) // max(1, events)


def order_of(given: Densities) -> NDArray[np.int64]:
    """All events from all coarse to all fine in their order, those of flat blocks last; ties go by number.

    An event below the number of blocks splits that block; above, it makes the quarter fine that has
    the rest as its number (4 block + place).
    """
    flat = given.flat.ravel()
    blocks = len(flat)
    of_quarter = np.arange(4 * blocks) // 4
    end = len(KNOTS) - 1
    split_at = _when(given.block.ravel(), 1 - KNOTS[:-1, 2], np.arange(end))
    fine_at = _when(by_quarter(given.quarter, 1).ravel(), KNOTS[1:, 0], np.arange(1, end + 1))
    time = np.concatenate([split_at, np.maximum(fine_at, split_at[of_quarter])])
    time += (end + 1) * np.concatenate([flat, flat[of_quarter]])
    return np.argsort(time, kind="stable")


def _when(density: NDArray[np.floating], share: NDArray[np.float64], time: NDArray[np.int64]) -> NDArray[np.float64]:
    """When the path of shares reaches each place, the densest first, float64 [n]."""
    when = np.empty(len(density))
    when[np.argsort(-density, kind="stable")] = np.interp((np.arange(len(density)) + 0.5) / len(density), share, time)
    return when


def by_quarter(values: NDArray[Any], level: int) -> NDArray[Any]:
    """A map [h_l, w_l] of medium or fine tokens to the sums over quarters, [blocks, 4]."""
    side = 1 << (level - 1)
    rows, cols = values.shape[0] // side // 2, values.shape[1] // side // 2
    summed: NDArray[Any] = values.reshape(2 * rows, side, 2 * cols, side).sum((1, 3))
    return summed.reshape(rows, 2, cols, 2).transpose(0, 2, 1, 3).reshape(-1, 4)


def upgraded(events: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Levels of quarters, uint8 [2h, 2w], after these events."""
    blocks = shape[0] * shape[1] // 4
    quarters = np.zeros((blocks, 4), np.uint8)
    quarters[events[events < blocks]] = 1
    quarters.ravel()[events[events >= blocks] - blocks] = 2
    return quarters.reshape(shape[0] // 2, shape[1] // 2, 2, 2).transpose(0, 2, 1, 3).reshape(shape[0], shape[1])
