"""Books: which block takes which coarse codebook, when the rate lies between two of them.

Of the low-discrepancy order of the blocks, the first `cut` / 255 take the larger codebook, the
others the smaller. Both ends compute that from two numbers, so no block needs a flag, a slice decodes
alone, and a lost block's codebook is known. Decision: docs/decisions/0005-books-without-flags.md.

The order is that of the transposed picture. Slices are dealt along the order of the picture itself:
with that one, the first slices would get all of the larger indices.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from codec.interleave import low_discrepancy
from codec.tokens import CUTS, Books, Tokens, block_of


def blocks_before(cut: int, blocks: int) -> int:
    """How many of a picture's blocks a cut takes, to the nearest; 0 for cut 0, all for cut 255.

    >>> blocks_before(51, 10)
    2
    """
    return (cut * blocks + CUTS // 2) // CUTS


@lru_cache(maxsize=64)
def rank_of_block(grid: tuple[int, int]) -> NDArray[np.int64]:
    """Place of each block (raster number) in the order in which blocks take the larger codebook, int64 [h*w]."""
    column, row = np.divmod(low_discrepancy((grid[1], grid[0])), grid[0])
    rank = np.empty(len(row), np.int64)
    rank[row * grid[1] + column] = np.arange(len(row))
    rank.flags.writeable = False  # shared by all callers
    return rank


@lru_cache(maxsize=64)
def book_of_block(grid: tuple[int, int], books: Books) -> NDArray[np.uint8]:
    """Book of each block, uint8 [h*w]: what its coarse token belongs to, or would."""
    larger = rank_of_block(grid) < blocks_before(books.cut, grid[0] * grid[1])
    book = (books.book - larger).astype(np.uint8)
    book.flags.writeable = False  # shared by all callers
    return book


def book_of(tokens: Tokens) -> NDArray[np.uint8]:
    """Book of each token, uint8 [N]; 0 for tokens that are not coarse, known for lost ones too."""
    of_block = book_of_block(tokens.grid, tokens.books)[block_of(tokens)]
    return np.where(tokens.level == 0, of_block, 0).astype(np.uint8)


def check_codes(tokens: Tokens, codes: int) -> None:
    """Every known index must be within its codebook; the full ones have `codes` codewords.

    Raises:
        ValueError: If one does not, saying which token.
    """
    most = codes >> book_of(tokens).astype(np.int64)
    wrong = np.flatnonzero(tokens.known & (tokens.index >= most))
    if len(wrong):
        at = wrong[0]
        raise ValueError(f"index of token {at} must be below {most[at]}, got {tokens.index[at]}")
