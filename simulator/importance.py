"""How important a slice is: what it would cost to lose it, next to the others of its frame or film.

    picture --block_costs--> error of each block if it were lost --sum over a slice's blocks--> cost
    costs   --importances--> 0 up to half the highest cost, 1 up to a quarter of it, 2 up to an eighth ...

The sender knows the picture, so it can tell beforehand. A lost block is guessed from those around it;
the stand-in for all ways of guessing is their mean colour. So what counts is the area of a slice, and
how little its blocks follow from their neighbours; not how many tokens they took.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simulator.blocks import BLOCK, block_means, block_sums

LEAST = 7  # importance of what costs 1/128 of the highest, or nothing


def block_costs(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Squared error of each block if it showed the mean colour of the up to eight around it.

    Args:
        frame: uint8 [H, W, 3].

    Returns:
        float64 [h, w], summed over pixels and colours; edges are repeated outwards to whole blocks.
    """
    means = block_means(frame).astype(np.float64)
    rows, cols = means.shape[:2]
    around, count = np.zeros_like(means), np.zeros((rows, cols, 1))
    padded = np.pad(np.concatenate([means, np.ones((rows, cols, 1))], axis=2), ((1, 1), (1, 1), (0, 0)))
    for dy, dx in np.ndindex(3, 3):
        if (dy, dx) != (1, 1):
            shifted = padded[dy : dy + rows, dx : dx + cols]
            around, count = around + shifted[..., :3], count + shifted[..., 3:]
    guess = np.where(count > 0, around / np.maximum(count, 1), means)
    # sum (x - g)^2 = sum x^2 - 2 g sum x + n g^2, over the n values x of a block in one colour and their guess g
    errors = block_sums(frame, 2) - 2 * guess * block_sums(frame) + BLOCK * BLOCK * guess**2
    costs: NDArray[np.float64] = errors.sum(axis=2)
    return costs


def importances(costs: Sequence[float] | NDArray[np.float64]) -> list[int]:
    """From what it costs to lose each slice to how important it is: each step down is half the cost.

    >>> importances([8.0, 5.0, 4.0, 1.0, 0.0])
    [0, 0, 1, 3, 7]
    """
    highest = max(costs, default=0.0)
    return [min(int(np.log2(highest / cost)), LEAST) if cost else LEAST if highest else 0 for cost in costs]
