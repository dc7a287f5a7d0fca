"""Neighbour sizes: the bytes of any way to send a picture with tables by neighbours, without coding it.

All indices that may be sent are known here, so the tokens of a level, those of all slices together, are weighed
in one go. Each slice has two canvases of its own (codec/neighbours.py), one behind the other:

    everything   what stands there in the end: the token of this level, or the coarser one that covers the place
    coarser      only the latter

Of a neighbour whose pass comes before its own, a token sees what is in the first, else what is in the second.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codec.books import book_of_block
from codec.entropy import UNIT_BITS
from codec.granularity_map import KINDS, kinds_of
from codec.neighbour_tables import NeighbourTables
from codec.neighbours import EARLIER, FEW, PASSES, REACH, WEIGHTS, offsets, passes
from codec.payload import payload_bytes
from codec.tokens import FULL, Books

MOST_PLACES = 1 << 22  # of the canvases of slices that are weighed together: 64 MB


class Places(NamedTuple):
    """The n places of some slices on the grid of a level, int64 [n] each, pass by pass.

    Attributes:
        slice: Of their picture.
        within: For each level up to theirs, raster number of what they lie in on its grid; the last is their own.
        quarter: Raster number of the quarter that they lie in, or begin with.
        number: Pass.
        corner: Of the window around each, on the canvases.
    """

    slice: NDArray[np.int64]
    within: tuple[NDArray[np.int64], ...]
    quarter: NDArray[np.int64]
    number: NDArray[np.int64]
    corner: NDArray[np.int64]


class NeighbourSizes:
    """Sizes of all that may be sent of a picture.

    Args:
        tables: Probabilities of the indices.
        coarse: Index maps [h, w] of the coarse books, book 0 first.
        finer: Gives that of level 1, [2h, 2w], or 2, [4h, 4w]; asked when needed.
        slice_of_block: int64 [h w].
        slices: How many.
    """

    def __init__(
        self,
        tables: NeighbourTables,
        coarse: Sequence[NDArray[np.int64]],
        finer: Callable[[int], NDArray[np.int64]],
        slice_of_block: NDArray[np.int64],
        slices: int,
    ) -> None:
        self._tables, self._coarse, self._finer = tables, coarse, finer
        self._slice_of_block, self._slices = slice_of_block, slices
        self._grid = (coarse[0].shape[0], coarse[0].shape[1])
        self._places: dict[int, list[Places]] = {}
        self._points: dict[tuple[int, int, int, Books], NDArray[np.int64]] = {}

    def payloads(
        self, quarters: NDArray[np.uint8], books: Books, limit_bytes: float = math.inf
    ) -> NDArray[np.int64] | None:
        """Bytes of each slice's payload, int64 [slices].

        Args:
            quarters: uint8 [2h, 2w] of levels.
            books: Of the coarse tokens.
            limit_bytes: None is returned as soon as it is sure that all together are more.
        """
        (height, width), levels = self._grid, quarters.ravel()
        cost = np.zeros(self._slices, np.int64)
        for level in np.flatnonzero(np.bincount(levels)).tolist():
            if level not in self._places:
                self._places[level] = [*self._by_group(level)]
            for group in range(len(self._places[level])):
                cost += self._cost(level, group, levels, books)
                if cost.sum() > limit_bytes * (8 << UNIT_BITS):
                    return None
        kinds = kinds_of(quarters.reshape(height, 2, width, 2).transpose(0, 2, 1, 3).reshape(-1, 4))
        counts = np.bincount(self._slice_of_block * KINDS + kinds, minlength=self._slices * KINDS)
        return payload_bytes(counts.reshape(-1, KINDS), cost, levels.any())

    def _cost(self, level: int, group: int, levels: NDArray[np.uint8], books: Books) -> NDArray[np.int64]:
        """Cost of the tokens of a level in a group of slices, int64 [slices], in units of 2^-16 bits."""
        places = self._places[level][group]
        here, coarser = levels[places.quarter], np.zeros(len(places.slice), np.int64)
        for source in range(level):
            coarser = np.where(here == source, self._points_of(level, group, source, books), coarser)
        mine = here == level
        everything = np.where(mine, self._points_of(level, group, level, books), coarser)
        at = np.flatnonzero(mine)
        number, own = places.number[at], places.within[level][at]
        sums = self._around(level, places, at, everything, coarser)
        index, book = self._sent(level, books)
        cost = self._tables.costs(level, number, book[own], sums, index[own])
        return np.bincount(places.slice[at], cost, self._slices).astype(np.int64)  # exact below 2^53

    def _around(
        self,
        level: int,
        places: Places,
        at: NDArray[np.int64],
        everything: NDArray[np.int64],
        coarser: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Weighted sums around the places `at`, [m], for what stands at all places, [n] each."""
        width, plane = self._canvas(level)
        size, sums = (int(places.corner.max()) // plane + 1) * plane, np.empty(len(at), np.int64)
        canvas, middle = np.zeros(2 * size, np.int64), REACH * width + REACH
        canvas[places.corner + middle] = everything
        if level:
            canvas[places.corner + (size + middle)] = coarser
        window, corner = offsets(width), places.corner[at]
        ends = np.searchsorted(places.number[at], np.arange(PASSES + 1)).tolist()
        for number in range(PASSES):
            seen = EARLIER[:, number] if level == 0 else slice(None)  # elsewhere is nothing
            sight = (window + size * ~EARLIER[:, number])[seen, None]
            for start in range(ends[number], ends[number + 1], FEW):
                some = slice(start, min(start + FEW, ends[number + 1]))
                np.einsum("i,ij", WEIGHTS[seen], canvas.take(sight + corner[some], mode="clip"), out=sums[some])
        return sums

    def _points_of(self, level: int, group: int, source: int, books: Books) -> NDArray[np.int64]:
        """Points of the tokens of a level, `source`, at the places of a level, int64 [n]."""
        key = (level, group, source, FULL if source else books)
        if key not in self._points:
            index, book = self._sent(source, books)
            within = self._places[level][group].within[source]
            self._points[key] = self._tables.points(level, source, book[within], index[within])
        return self._points[key]

    def _sent(self, level: int, books: Books) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Index and book of what would be sent at each place of a level, in raster order."""
        if level:
            index = self._finer(level).ravel()
            return index, np.zeros(len(index), np.uint8)
        book = book_of_block(self._grid, books)
        numbers = np.unique(book).tolist()
        if len(numbers) == 1:
            return self._coarse[numbers[0]].ravel(), book
        return np.select([book == one for one in numbers], [self._coarse[one].ravel() for one in numbers]), book

    def _canvas(self, level: int) -> tuple[int, int]:
        """Width and places of the canvas of a slice."""
        width = (self._grid[1] << level) + 2 * REACH
        return width, width * ((self._grid[0] << level) + 2 * REACH)

    def _by_group(self, level: int) -> Iterator[Places]:
        """The places of a level, as many slices together as their canvases allow."""
        height, width = self._grid
        row, col = np.divmod(np.arange((height * width) << 2 * level), width << level)
        within = [(row >> up) * (width << level - up) + (col >> up) for up in range(level, -1, -1)]
        of_slice = self._slice_of_block[within[0]]
        quarter = within[1] if level else 4 * row * width + 2 * col
        number = passes(row, col)
        order = np.argsort(number, kind="stable")
        across, plane = self._canvas(level)
        count = max(1, MOST_PLACES // plane)
        for first in range(0, self._slices, count):
            at = order[(of_slice[order] >= first) & (of_slice[order] < first + count)]
            corner = (of_slice[at] - first) * plane + row[at] * across + col[at]
            here = tuple(numbers[at] for numbers in within)
            if len(at):
                yield Places(of_slice[at], here, quarter[at], number[at], corner)
