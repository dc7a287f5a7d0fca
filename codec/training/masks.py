"""What a training picture lacks: blocks lost, as packetizer and channel do (5 to 100 %); tokens not coded yet."""

import numpy as np
from numpy.typing import NDArray

from codec.interleave import partition


def lost_blocks(grid: tuple[int, int], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw one loss pattern, bool [h*w] in raster order.

    Half of the draws lose single blocks at a rate U(0.05, 0.9); the others lose whole packets of
    a low-discrepancy or raster partition into 2 to 8, or runs of blocks in raster order; one in
    fifty loses all.
    """
    count = grid[0] * grid[1]
    kind = rng.random()
    if kind < 0.5:
        return rng.random(count) < rng.uniform(0.05, 0.9)
    if kind < 0.85:
        packets = int(rng.integers(2, 9))
        parts = partition(grid, packets, "low_discrepancy" if rng.random() < 0.75 else "raster")
        lost = rng.permutation(packets)[: rng.integers(1, packets)]
        mask = np.zeros(count, dtype=bool)
        mask[np.concatenate([parts[i] for i in lost])] = True
        return mask
    if kind < 0.98:
        mask = np.zeros(count, dtype=bool)
        for _ in range(int(rng.integers(1, 6))):
            start = int(rng.integers(count))
            mask[start : start + int(rng.integers(1, max(count // 4, 2)))] = True
        return mask
    return np.ones(count, dtype=bool)


def coded_tokens(count: int, rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Draw what `context` asks about a slice: tokens coded by now, and those to be coded next, bool [count] each.

    A slice that is 1/s of the picture knows from nothing to 1/s of it; all that is in neither set is absent.
    """
    slices = int(rng.choice((1, 1, 1, 2, 4)))
    order = rng.random(count) * slices
    upto = rng.random()
    coded = order < upto
    asked = (order < upto + (1 - upto) * rng.uniform(0.1, 1)) & ~coded
    some = rng.integers(count)
    asked[some], coded[some] = True, False
    return coded, asked
