"""Tokens: what a picture has become, between encoder and bitstream, and again before the decoder.

Blocks follow in raster order, the tokens of a block in the order of codec/quadtree.py.
A lost token is `known = False`, never a magic index. A block of which nothing is known, not even
its granularity, is one coarse token with `known = False`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codec.config import LEVELS
from codec.quadtree import CELLS, check_quad_tree, expand, levels_of_quarters, starts

MAX_BOOK = 14  # four bits on the wire, of which 15 says something else
CUTS = 255  # shares of blocks are counted in 1/255


# The bits of a cell's number in its block are y1 x1 y0 x0: quarter, then cell of the quarter.
CELL_ROW = np.array([2 * (cell >> 3) + (cell >> 1 & 1) for cell in range(CELLS)])
CELL_COL = np.array([2 * (cell >> 2 & 1) + (cell & 1) for cell in range(CELLS)])


class Books(NamedTuple):
    """Which codebooks the coarse tokens of a picture belong to; book b has K >> b codewords.

    One record serves every block, the lost ones too; which block has which: codec/books.py.

    Attributes:
        book: 0 is the full codebook.
        cut: Share of blocks, in 1/255, that belong to book - 1 instead; 0 to 254, and 0 with book 0.
    """

    book: int = 0
    cut: int = 0

    def check(self) -> None:
        """Book and cut must be in range.

        Raises:
            ValueError: If one is not.
        """
        if not (0 <= self.book <= MAX_BOOK and 0 <= self.cut < CUTS and (self.book or not self.cut)):
            raise ValueError(f"books must be (0, 0) or (1 to {MAX_BOOK}, 0 to {CUTS - 1}), got {tuple(self)}")


FULL = Books()


@dataclass(frozen=True, eq=False)
class Tokens:
    """Tokens of one picture in canonical order, checked at birth.

    Attributes:
        grid: (h, w) in blocks.
        level: uint8 [N], 0 coarse, 1 medium, 2 fine.
        index: int32 [N] in [0, K), or within the smaller codebook that `books` gives to a coarse token;
            without meaning where not known (a concealer may leave a guess).
        known: bool [N], False where the token was lost.
        books: The codebooks of the coarse tokens.

    Raises:
        ValueError: If types or lengths differ, an index is negative, or the levels are no quad-tree
            over the grid, or `books` are none.
    """

    grid: tuple[int, int]
    level: NDArray[np.uint8]
    index: NDArray[np.int32]
    known: NDArray[np.bool_]
    books: Books = FULL

    def __post_init__(self) -> None:
        for name, dtype in (("level", np.uint8), ("index", np.int32), ("known", np.bool_)):
            array = getattr(self, name)
            if array.dtype != dtype or array.shape != self.level.shape or array.ndim != 1:
                raise ValueError(f"tokens.{name} must be {np.dtype(dtype)} [N], got {array.dtype} {array.shape}")
        if min(self.grid) < 1:
            raise ValueError(f"tokens.grid must be at least one block each way, got {self.grid}")
        check_quad_tree(self.level, self.grid[0] * self.grid[1])
        self.books.check()
        if len(self.index) and self.index.min() < 0:
            raise ValueError(f"tokens.index must not be negative, got {self.index.min()}")

    def __len__(self) -> int:
        return len(self.level)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tokens):
            return NotImplemented
        return (
            self.grid == other.grid
            and np.array_equal(self.level, other.level)
            and np.array_equal(self.index, other.index)
            and np.array_equal(self.known, other.known)
            and self.books == other.books
        )

    __hash__ = None  # type: ignore[assignment]  # arrays inside

    @cached_property
    def start(self) -> NDArray[np.int64]:
        """Cells before each token, int64 [N]."""
        return starts(self.level)


def block_of(tokens: Tokens) -> NDArray[np.int64]:
    """Block (raster number) of each token, int64 [N]."""
    return tokens.start // CELLS


def cell_of(tokens: Tokens) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of each token on the grid of its own level, int64 [N] each."""
    return cell_at(tokens.start, tokens.level, tokens.grid[1])


def cell_at(
    start: NDArray[np.int64], level: NDArray[np.uint8], width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same for tokens that begin at these cells of a picture `width` blocks wide; int64 [M], uint8 [M]."""
    block, cell = start // CELLS, start & CELLS - 1
    block_row = block // width
    row, col = 4 * block_row + CELL_ROW[cell], 4 * (block - block_row * width) + CELL_COL[cell]
    shift = LEVELS - 1 - level
    return row >> shift, col >> shift


def positions(tokens: Tokens) -> NDArray[np.float32]:
    """Centre (y, x) of each token in blocks, float32 [N, 2]; a coarse token at the origin is (0.5, 0.5)."""
    centres = np.stack(cell_of(tokens), axis=1) + 0.5
    return (centres / (1 << tokens.level)[:, None]).astype(np.float32)


def quarters_of(tokens: Tokens) -> NDArray[np.uint8]:
    """Level of every quarter, uint8 [2h, 2w]; the inverse of `levels_of_quarters`."""
    height, width = tokens.grid
    quarters = expand(tokens.level).reshape(height, width, 2, 2)
    return quarters.transpose(0, 2, 1, 3).reshape(2 * height, 2 * width)


def from_dense(index: Sequence[NDArray[np.integer[Any]]], quarters: NDArray[np.uint8], books: Books = FULL) -> Tokens:
    """Pick from the index maps of all levels those the granularity asks for.

    Args:
        index: Integers [h_l, w_l] for each level, anything where the level is not used.
        quarters: uint8 [2h, 2w] of levels, see `levels_of_quarters`.
        books: The codebooks that the coarse indices belong to.
    """
    level = levels_of_quarters(quarters)
    grid = (quarters.shape[0] // 2, quarters.shape[1] // 2)
    tokens = Tokens(grid, level, np.zeros(len(level), np.int32), np.ones(len(level), np.bool_), books)
    rows, cols = cell_of(tokens)
    for number, dense in enumerate(index):
        at = np.flatnonzero(level == number)
        tokens.index[at] = dense[rows[at], cols[at]]
    return tokens


@dataclass(frozen=True)
class DenseLevel:
    """One level on its own grid [h_l, w_l]: index int64, present bool (a token sits there), known bool."""

    index: NDArray[np.int64]
    present: NDArray[np.bool_]
    known: NDArray[np.bool_]


def to_dense(tokens: Tokens) -> list[DenseLevel]:
    """Scatter tokens onto the three grids, 0 and False elsewhere; undone by `from_dense`."""
    rows, cols = cell_of(tokens)
    dense = []
    for number in range(LEVELS):
        shape = (tokens.grid[0] << number, tokens.grid[1] << number)
        level = DenseLevel(np.zeros(shape, np.int64), np.zeros(shape, np.bool_), np.zeros(shape, np.bool_))
        at = np.flatnonzero(tokens.level == number)
        where = rows[at], cols[at]
        level.index[where], level.present[where], level.known[where] = (
            tokens.index[at],
            True,
            tokens.known[at],
        )
        dense.append(level)
    return dense


def with_lost_blocks(tokens: Tokens, lost: NDArray[np.bool_]) -> Tokens:
    """What a receiver has when blocks are lost, bool [h*w]: each becomes one unknown coarse token."""
    gone = lost[block_of(tokens)]
    kept = ~gone | (tokens.start % CELLS == 0)
    level, index = np.where(gone, 0, tokens.level)[kept], np.where(gone, 0, tokens.index)[kept]
    known = (tokens.known & ~gone)[kept]
    return Tokens(tokens.grid, level.astype(np.uint8), index.astype(np.int32), known, tokens.books)
