"""Bootstrap intervals by image: how far would a mean move with other pictures of the same kind?

Pictures are drawn with replacement, whole, with all their loss patterns: those of one picture are no
independent witnesses. Percentile intervals (Efron and Tibshirani, An Introduction to the Bootstrap,
1993, chapter 13). Every cell meets the same draws, so differences stay paired.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

NONE_LOST = "none lost"  # the case that losses are compared with
DRAWS = 2000
LEVEL = 0.95
SEED = 1


@cache
def draw_images(images: int) -> NDArray[np.intp]:
    """Which pictures each draw takes: int [DRAWS, images], the same for the same number of pictures."""
    return np.random.default_rng(SEED).integers(0, images, (DRAWS, images))


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Bounds of the mean of one value a picture, [images], at 95 %.

    Returns:
        (low, high); both NaN with fewer than two pictures, which say nothing of their spread.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    means = values[draw_images(len(values))].mean(axis=1)
    low, high = np.quantile(means, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


@cache
def nested_draws(clips: int, seeds: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draws of clips, and of seeds anew in each clip drawn (Davison and Hinkley 1997, section 3.8).

    Returns:
        int [DRAWS, clips, 1] and [DRAWS, clips, seeds]: together an index into values [clips, seeds].
    """
    rng = np.random.default_rng(SEED)
    return rng.integers(0, clips, (DRAWS, clips, 1)), rng.integers(0, seeds, (DRAWS, clips, seeds))
