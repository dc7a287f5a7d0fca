"""Parts: some blocks of a picture that travel together, dealt out and put together again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codec.quadtree import CELLS, starts
from codec.tokens import FULL, Books, Tokens, block_of


@dataclass(frozen=True)
class Part:
    """Some blocks of a picture, all known: what a slice carries.

    Attributes:
        blocks: int64, ascending raster numbers of the blocks.
        level: uint8 [M], quad-trees of these blocks one after another.
        index: int32 [M].
        books: The codebooks of the picture's coarse tokens.
    """

    blocks: NDArray[np.int64]
    level: NDArray[np.uint8]
    index: NDArray[np.int32]
    books: Books = FULL


class Known(NamedTuple):
    """What both ends know of the tokens of a slice before any index.

    Attributes:
        grid: (h, w) of the picture in blocks.
        blocks: int64, ascending raster numbers of the slice's blocks.
        level: uint8 [M], quad-trees of these blocks one after another.
        book: uint8 [M], of each token; 0 where it is not coarse.
    """

    grid: tuple[int, int]
    blocks: NDArray[np.int64]
    level: NDArray[np.uint8]
    book: NDArray[np.uint8]


def deal(tokens: Tokens, groups: Sequence[NDArray[np.int64]]) -> list[Part]:
    """The tokens of each group of blocks (ascending raster numbers, none in two groups)."""
    owner = np.full(tokens.grid[0] * tokens.grid[1], len(groups), np.uint16)
    for number, blocks in enumerate(groups):
        owner[blocks] = number
    of_token = owner[block_of(tokens)]
    order = np.argsort(of_token, kind="stable")
    level, index = tokens.level[order], tokens.index[order]
    ends = np.bincount(of_token, minlength=len(groups)).cumsum().tolist()
    return [
        Part(blocks, level[start:end], index[start:end], tokens.books)
        for blocks, start, end in zip(groups, [0, *ends], ends[: len(groups)], strict=False)
    ]


def select(tokens: Tokens, blocks: NDArray[np.int64]) -> Part:
    """The tokens of some blocks (ascending raster numbers)."""
    return deal(tokens, [blocks])[0]


def known_of(
    level: NDArray[np.uint8], grid: tuple[int, int], blocks: NDArray[np.int64], book: NDArray[np.uint8]
) -> Known:
    """What is known of blocks of a picture, given their levels and the book of each block."""
    if len(level) == len(blocks):  # all coarse
        return Known(grid, blocks, level, book)
    return Known(grid, blocks, level, np.where(level == 0, book[starts(level) // CELLS], 0).astype(np.uint8))


def merge(grid: tuple[int, int], parts: Sequence[Part]) -> Tokens:
    """Put parts together; a block in none of them is lost, one in several counts once (the first).

    Raises:
        ValueError: If the parts are of different codebooks: no picture has such parts.
    """
    books = {part.books for part in parts} or {FULL}
    if len(books) > 1:
        raise ValueError(f"parts must be of the same codebooks, got {sorted(books)}")
    count = grid[0] * grid[1]
    unknown = Part(np.arange(count), np.zeros(count, np.uint8), np.zeros(count, np.int32))
    every = (*parts, unknown)
    blocks, level, index = (np.concatenate(column) for column in zip(*map(_arrays, every), strict=True))
    first = np.empty(count, np.int64)
    first[blocks[::-1]] = np.arange(len(blocks))[::-1]  # of those that write to one place the last stays
    number = starts(level) // CELLS  # of the block of each token, as they come
    fresh = np.flatnonzero(first[blocks[number]] == number)
    order = fresh[np.argsort(blocks[number[fresh]], kind="stable")]
    known = number[order] < len(blocks) - count
    return Tokens(grid, level[order], index[order], known, books.pop())


def _arrays(part: Part) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.int32]]:
    return part.blocks, part.level, part.index
