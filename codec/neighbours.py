"""Neighbours: what a decoder knows around a token when its turn comes, in integers.

The tokens of a slice are coded level by level, each level in five passes over its grid, so that all
of a pass are known before the next begins and a pass is one array operation:

    0 4 2 4     passes 0, 1, 2: every second row and column, coarsely to finely
    4 3 4 3     pass 3: between them, four known diagonal neighbours
    2 4 1 4     pass 4: the other half, four known nearest neighbours
    4 3 4 3

Each level has a canvas: known tokens of this level and, enlarged, of the coarser ones; everything else is
0. A window of 5x5 places, weighted by nearness, is summed around a token. It never looks at other slices.

Slices are coded in lockstep: one below another on a tall grid, too far apart to see each other, they are as
many array operations together as one alone.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codec.config import LEVELS
from codec.parts import Known
from codec.quadtree import CELLS, starts
from codec.tokens import cell_at

PASSES = 5
PATTERN = np.array([0, 4, 2, 4, 4, 3, 4, 3, 2, 4, 1, 4, 4, 3, 4, 3], np.uint8)  # of 4x4 places, again and again
REACH = 2  # of the window, in places
NEARNESS = {1: 4, 2: 2, 4: 1, 5: 1, 8: 1}  # weight for each squared distance
OFFSETS = [(dy, dx) for dy in range(-REACH, REACH + 1) for dx in range(-REACH, REACH + 1) if dy or dx]
WEIGHTS = np.array([NEARNESS[dy**2 + dx**2] for dy, dx in OFFSETS])
MOST_WEIGHT = int(WEIGHTS.sum())  # 40
FEW = 1024  # tokens whose windows are looked up in one array operation: more, and memory is the bottleneck
MANY = 8192  # tokens that are worked on together, for the same reason
MOST_PLACES = 1 << 18  # of the finest canvas of slices in lockstep: 2 MB

Values = Callable[[int], NDArray[Any]]  # level of a canvas -> what tokens are there


class Stage(NamedTuple):
    """Tokens that are coded together: their numbers int64 [m], level and pass, row and column on their grid."""

    at: NDArray[np.int64]
    level: int
    number: int
    row: NDArray[np.int64]
    col: NDArray[np.int64]


def passes(row: NDArray[np.int64], col: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Pass of each place, uint8 [n].

    >>> passes(np.array([0, 2, 0, 1, 0]), np.array([0, 2, 2, 1, 1])).tolist()
    [0, 1, 2, 3, 4]
    """
    found: NDArray[np.uint8] = PATTERN.take((row & 3) << 2 | col & 3)
    return found


def _earlier() -> NDArray[np.bool_]:
    """Which places of the window are of an earlier pass, bool [24, 5]: the same around all places of a pass."""
    rows, cols = np.divmod([PATTERN.tolist().index(number) for number in range(PASSES)], 4)
    dy, dx = np.array(OFFSETS).T
    return passes(rows + dy[:, None], cols + dx[:, None]) < np.arange(PASSES)


EARLIER = _earlier()


def offsets(width: int) -> NDArray[np.int64]:
    """The places of the window from its upper left corner, int64 [24], on a canvas of this width."""
    return np.array([(dy + REACH) * width + dx + REACH for dy, dx in OFFSETS])


class Stack(NamedTuple):
    """Slices of pictures of one size, in lockstep.

    Attributes:
        slices: Which of those given.
        known: Their tokens, one slice after another, as if of one tall picture.
        of_token: Slice of each token, counted within the stack, int64 [M].
    """

    slices: slice
    known: Known
    of_token: NDArray[np.int64]


def stacks(known: Sequence[Known]) -> Iterator[Stack]:
    """Slices, at least one, all of one grid, as many together as their canvases allow."""
    height, width = known[0].grid
    apart = height + 2 * REACH + 1 & ~3  # at least 2 blocks between; passes repeat every 4
    many = max(1, MOST_PLACES // (apart * width << 2 * (LEVELS - 1)))
    for start in range(0, len(known), many):
        some = known[start : start + many]
        blocks = np.concatenate([one.blocks + number * apart * width for number, one in enumerate(some)])
        level, book = np.concatenate([one.level for one in some]), np.concatenate([one.book for one in some])
        tall = Known(((len(some) - 1) * apart + height, width), blocks, level, book)
        of_token = np.arange(len(some)).repeat([len(one.level) for one in some])
        yield Stack(slice(start, start + many), tall, of_token)


def stages(grid: tuple[int, int], blocks: NDArray[np.int64], level: NDArray[np.uint8]) -> Iterator[Stage]:
    """The tokens of a slice in coding order.

    Args:
        grid: (h, w) of the picture in blocks.
        blocks: int64, ascending raster numbers of the slice's blocks.
        level: uint8 [M], quad-trees of these blocks one after another.
    """
    if len(level) == len(blocks):  # all coarse
        row, col = np.divmod(blocks, grid[1])
    else:
        before = starts(level)
        row, col = cell_at(CELLS * blocks[before // CELLS] + (before & CELLS - 1), level, grid[1])
    key = passes(row, col) + PASSES * level
    order = np.argsort(key, kind="stable")
    row, col = row[order], col[order]
    ends = np.bincount(key, minlength=LEVELS * PASSES).cumsum().tolist()
    for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        if start < end:
            yield Stage(order[start:end], *divmod(number, PASSES), row[start:end], col[start:end])


def _summed(
    canvas: NDArray[Any], corner: NDArray[np.int64], places: NDArray[np.int64], weights: NDArray[np.int64]
) -> NDArray[Any]:
    """Weighted sums of a canvas [n, ...] at these places of the windows with these corners, [m, ...]."""
    if canvas.ndim == 1 and len(corner) < FEW:
        sums: NDArray[Any] = np.einsum("i,ij", weights, canvas.take(places[:, None] + corner, mode="clip"))
        return sums
    total = np.zeros((len(corner), *canvas.shape[1:]), canvas.dtype)
    for weight in np.unique(weights).tolist():
        ring = np.zeros_like(total)
        for place in places[weights == weight].tolist():
            ring += canvas[place:].take(corner, axis=0, mode="clip")
        total += weight * ring
    return total


class Canvases:
    """What is known of a slice, as maps.

    Args:
        grid: (h, w) of the picture in blocks.
        levels: Those that have tokens.
        channels: Shape of what stands at a place.
        dtype: Of these numbers.
    """

    def __init__(self, grid: tuple[int, int], levels: Sequence[int], channels: tuple[int, ...], dtype: Any) -> None:
        self._width = [(grid[1] << level) + 2 * REACH for level in range(LEVELS)]
        sizes = {level: ((grid[0] << level) + 2 * REACH) * self._width[level] for level in levels}
        self._maps = {level: np.zeros((size, *channels), dtype) for level, size in sizes.items()}
        self._first = min(levels, default=0)
        self._offsets = {level: offsets(self._width[level]) for level in levels}

    def around(self, stage: Stage) -> NDArray[Any]:
        """Weighted sums around the tokens of a stage, [m, ...]."""
        canvas = self._maps[stage.level]
        corner = stage.row * self._width[stage.level] + stage.col  # of the window
        seen = slice(None) if stage.level > self._first else EARLIER[:, stage.number]  # else the place holds 0
        places, weights = self._offsets[stage.level][seen], WEIGHTS[seen]
        if len(corner) <= MANY:
            return _summed(canvas, corner, places, weights)
        parts = range(0, len(corner), MANY)
        return np.concatenate([_summed(canvas, corner[start : start + MANY], places, weights) for start in parts])

    def put(self, stage: Stage, values: Values) -> None:
        """Enter the tokens of a stage, enlarged where the canvas is finer; values [m, ...] for each canvas."""
        for level, canvas in self._maps.items():
            if level < stage.level or (level == stage.level and stage.number == PASSES - 1):
                continue  # nobody looks there
            scale, width, entered = level - stage.level, self._width[level], values(level)
            corner = stage.row * (width << scale) + (stage.col << scale)
            for dy in range(REACH, REACH + (1 << scale)):
                for dx in range(REACH, REACH + (1 << scale)):
                    canvas[corner + (dy * width + dx)] = entered
