"""A picture of how sure the guesses are: 255 received, 0 nothing known, grey between."""

import numpy as np
from numpy.typing import NDArray

from codec.config import BLOCK
from codec.tokens import Tokens, cell_of


def confidence_map(tokens: Tokens, confidence: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Confidence of each token over the area it covers.

    Args:
        tokens: N tokens.
        confidence: float32 [N] in [0, 1], from `Codec.complete` or `Concealed.confidence`.
        size: (H, W) of the picture in pixels.

    Returns:
        uint8 [H, W]: round(255 x confidence).
    """
    height, width = tokens.grid
    shades = np.zeros((height * BLOCK, width * BLOCK), np.uint8)
    rows, cols = cell_of(tokens)
    sides = BLOCK >> tokens.level.astype(np.int64)
    values = np.rint(255 * confidence.clip(0, 1)).astype(np.uint8)
    for side in np.unique(sides):
        at = sides == side
        cells = shades.reshape(shades.shape[0] // side, side, shades.shape[1] // side, side)
        cells[rows[at], :, cols[at], :] = values[at, None, None]
    return shades[: size[0], : size[1]]
