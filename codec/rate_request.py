"""What a request for a rate is made of: how tokens will be sent, what may be sent of a picture, what is."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codec.tokens import Books


class Packing(NamedTuple):
    """How tokens will be sent, and what of it a request weighs.

    Attributes:
        slices: Parts that decode alone.
        interleave: One of `interleave.METHODS`.
        entropy_model: One of `entropy.MODELS`.
        file: Weigh a whole .vqs file, and refuse what cannot be had; without it, the slices alone, and
            the nearest that can be had.
    """

    slices: int = 1
    interleave: str = "low_discrepancy"
    entropy_model: str = "static"
    file: bool = True


FILE = Packing()


class Densities(NamedTuple):
    """What decides where a picture is split.

    Attributes:
        block, quarter: [h, w] and [2h, 2w], in bits.
        flat: bool [h, w], blocks of one colour.
    """

    block: NDArray[np.float64]
    quarter: NDArray[np.float64]
    flat: NDArray[np.bool_]


class Candidates(NamedTuple):
    """All that may be sent of a picture; what is dear to make is asked for when it is needed.

    Attributes:
        coarse: Index maps [h, w] of the coarse books, book 0 (the full one) first.
        finer: Gives the index map of level 1, [2h, 2w], or 2, [4h, 4w]: it costs a search through a large map.
        densities: Gives these.
        flat: Whether the whole picture is of one colour.
        enough: For flat pictures: the book of fewest codewords that shows them as well as book 0.
    """

    coarse: Sequence[NDArray[np.int64]]
    finer: Callable[[int], NDArray[np.int64]]
    densities: Callable[[], Densities]
    flat: bool = False
    enough: int = 0


class Allocation(NamedTuple):
    """What is sent: levels of quarters, uint8 [2h, 2w], and the books of the coarse blocks."""

    quarters: NDArray[np.uint8]
    books: Books
