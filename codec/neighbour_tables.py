"""Neighbour tables: the probabilities of a token by what is known around it, fixed when weights are exported.

    embedding   each codeword is a point of four small integers, one for each level it may stand beside
    class       the weighted mean of the known points around a token, cut into cells, and how much is known
    table       of a class: an integer network from the middle of its cell to logarithms of probabilities

All of it is integers, so every machine has the same tables; they are made when a class is first met.
The network is trained on photographs when weights are exported (codec/training/neighbour_tables.py).
"""

import math
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codec.config import LEVELS
from codec.entropy import TOTAL_BITS, UNIT_BITS, SymbolReader, SymbolWriter, categorical
from codec.errors import CheckpointError
from codec.neighbours import MOST_WEIGHT, PASSES, Canvases, Stage, stages
from codec.tokens import Known

DIMENSIONS = 4  # of a point
RANGE = 50  # points are -50 to 50 in each
SIDE = (8, 6, 4)  # cells a dimension, for each level
FIELD = 12  # bits of a sum: 40 x 101 < 2^12
KNOWN = (4, 12)  # weights from which a coarse token has some, and close neighbours
SURENESS = 1 + len(KNOWN)
HIDDEN_BITS = 11  # a hidden unit of 1.0 is 2^11
OUTPUT_BITS = 4  # a weight of 2^4 is 1/256 bit for a hidden unit of 1.0
LOG_BITS = 8  # logarithms are counted in 1/256 bit
DEEPEST = 20  # bits below the likeliest index: less is taken for so much
MOST_SURE = 15  # sixteenths: no index is taken for surer, so none costs less than `entropy.LEAST_BITS`

NAMES = ("neighbour_embedding", "neighbour_hidden", "neighbour_output")


class NeighbourWeights(NamedTuple):
    """As stored with the tokenizer; S codewords are those of the smaller coarse codebooks together.

    Attributes:
        embedding: int8 [3 (K + S) + 3 K, 4], points of the coarse codewords of all books, then of the finer
            codewords, for the coarse canvas, then the medium, then the fine.
        hidden: int32 [3, 3, H, 5], for each level and sureness: weights of a cell's middle, then the bias.
        output: int16 [H + 1, S + 3 K], weights of the hidden units, then the bias; coarse of all books, medium, fine.
    """

    embedding: NDArray[np.int8]
    hidden: NDArray[np.int32]
    output: NDArray[np.int16]

    def check(self, codes: int, smaller: int) -> None:
        """Shapes and ranges must be those of K codewords and S smaller ones.

        Raises:
            CheckpointError: If one is not.
        """
        units = self.hidden.shape[2] if self.hidden.ndim == 4 else 0
        shapes = (6 * codes + 3 * smaller, DIMENSIONS), (LEVELS, SURENESS, units, DIMENSIONS + 1)
        arrays: list[NDArray[Any]] = [*self]
        for name, array, shape in zip(NAMES, arrays, (*shapes, (units + 1, smaller + LEVELS * codes)), strict=True):
            if array.shape != shape:
                raise CheckpointError(name, f"must be {list(shape)}", list(array.shape))
        if np.abs(self.embedding).max() > RANGE or np.abs(self.hidden).max() >= 1 << 20:
            raise CheckpointError(NAMES[0], f"must be from {-RANGE} to {RANGE}", int(np.abs(self.embedding).max()))


class Rows:
    """Tables of the classes of one codebook, made as they are needed.

    Attributes:
        row: int64 [classes], where the table of a class is, or -1.
        cost: int32 [rows, K'], in units of 2^-16 bits.
    """

    def __init__(self, classes: int, codes: int) -> None:
        self.row = np.full(classes, -1)
        self.cost = np.zeros((0, codes), np.int32)
        self._weights: list[NDArray[np.int64]] = []
        self._models: list[Any] = []

    def add(self, classes: NDArray[np.int64], weights: NDArray[np.int64]) -> None:
        """Tables of more classes, weights [m, K']."""
        places = len(self._weights) + np.arange(len(classes))
        bits = np.log2(weights.sum(axis=1, keepdims=True)) - np.log2(weights)
        self.cost = np.concatenate([self.cost, np.ceil(bits * (1 << UNIT_BITS)).astype(np.int32)])
        self._weights += list(weights.astype(np.int32))
        self._models += [None] * len(classes)
        self.row[classes] = places  # last: who sees a place finds its table

    def model(self, one: int) -> Any:
        """The coder's model of a class."""
        place = self.row[one]
        if self._models[place] is None:
            self._models[place] = categorical(self._weights[place])
        return self._models[place]


class NeighbourTables:
    """Probabilities of indices by class, for codebooks of K codewords and the smaller coarse ones."""

    def __init__(self, weights: NeighbourWeights, codes: int, smaller: list[int]) -> None:
        weights.check(codes, sum(smaller))
        self._weights, self._codes = weights, codes
        self._book_start = np.concatenate([[0], codes + np.cumsum([0, *smaller])])
        self._points = _packed(weights.embedding)
        coarse = codes + sum(smaller)
        self._canvas_start = np.array([0, coarse, 2 * coarse + codes])
        self._level_start = np.array([0, coarse, coarse + codes])
        self._cells = [_cells(side) for side in SIDE]
        self._rows: dict[tuple[int, int], Rows] = {}
        self._adding = threading.Lock()

    def turns(self, known: Known, index: NDArray[np.int32]) -> Iterator[tuple[Stage, NDArray[np.int64]]]:
        """Stages with the class of each token; once a stage is asked for, `index` [M] must hold those before."""
        canvases = Canvases(known.grid, np.unique(known.level).tolist(), (), np.int64)
        for stage in stages(known.grid, known.blocks, known.level):
            yield stage, self._classes(stage, canvases.around(stage))
            code = self._book_start[known.book[stage.at]] + index[stage.at] + self._level_start[stage.level]
            canvases.put(stage, partial(self._points_of, code))

    def _points_of(self, code: NDArray[np.int64], level: int) -> NDArray[np.int64]:
        """Points of codewords, packed, for the canvas of a level."""
        points: NDArray[np.int64] = self._points[self._canvas_start[level] + code]
        return points

    def write(self, writer: SymbolWriter, known: Known, index: NDArray[np.int32]) -> int:
        """Append the indices of a slice; returns their cost in units of 2^-16 bits."""
        total = 0
        for stage, classes in self.turns(known, index):
            for at, rows, of_token in self._by_book(stage, classes, known.book):
                sent = index[at]
                total += int(rows.cost[rows.row[of_token], sent].sum())
                order, runs = _runs(of_token)
                sent = sent[order]
                for start, end, one in runs:
                    writer.write(sent[start:end], rows.model(one))
        return total

    def read(self, reader: SymbolReader, known: Known) -> NDArray[np.int32]:
        """Inverse of `write`.

        Raises:
            BitstreamError: If no indices have these bytes.
        """
        index = np.zeros(len(known.level), np.int32)
        for stage, classes in self.turns(known, index):
            for at, rows, of_token in self._by_book(stage, classes, known.book):
                order, runs = _runs(of_token)
                found = [reader.read(end - start, rows.model(one)) for start, end, one in runs]
                index[at[order]] = np.concatenate(found)
        return index

    def cost(self, known: Known, index: NDArray[np.int32]) -> int:
        """Cost of a slice's indices in units of 2^-16 bits."""
        total = 0
        for stage, classes in self.turns(known, index):
            for at, rows, of_token in self._by_book(stage, classes, known.book):
                total += int(rows.cost[rows.row[of_token], index[at]].sum())
        return total

    def _by_book(
        self, stage: Stage, classes: NDArray[np.int64], books: NDArray[np.uint8]
    ) -> Iterator[tuple[NDArray[np.int64], Rows, NDArray[np.int64]]]:
        """The tokens of a stage codebook by codebook, the smaller first: numbers, tables, the class of each."""
        book_of = books[stage.at]
        if not book_of.any():
            yield stage.at, self._rows_of(stage.level, 0, classes), classes
            return
        for book in np.unique(book_of)[::-1]:
            mine = book_of == book
            rows = self._rows_of(stage.level, int(book), classes[mine])
            yield stage.at[mine], rows, classes[mine]

    def _classes(self, stage: Stage, sums: NDArray[np.int64]) -> NDArray[np.int64]:
        """Class of each token: 0 if nothing is known, else 1 + sureness and cell as one number."""
        mask, side = (1 << FIELD) - 1, SIDE[stage.level]
        weight = sums & mask
        cell = np.zeros(len(sums), np.int64)
        for dimension in range(DIMENSIONS):
            value = sums >> (FIELD * (dimension + 1)) & mask
            cell = cell * side + self._cells[stage.level][weight << FIELD | value]
        sure = sureness_of(stage, weight)
        return np.where(weight > 0, 1 + sure * side**DIMENSIONS + cell, 0)

    def _rows_of(self, level: int, book: int, classes: NDArray[np.int64]) -> Rows:
        """The tables of a codebook, with those of `classes` in them."""
        codes = self._codes >> book
        with self._adding:  # pictures are coded side by side
            if (level, book) not in self._rows:
                self._rows[level, book] = Rows(1 + SURENESS * SIDE[level] ** DIMENSIONS, codes)
            rows = self._rows[level, book]
            missing = np.unique(classes[rows.row[classes] < 0])
            for some in np.split(missing, range(256, len(missing), 256)):
                if len(some):
                    rows.add(some, self._tables(level, book, some))
        return rows

    def _tables(self, level: int, book: int, classes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Integer weights [m, K'] of some classes. The floats hold integers below 2^53: exact in any order."""
        side = SIDE[level]
        sure, cell = np.divmod(classes - 1, side**DIMENSIONS)
        places = np.stack([cell // side**d % side for d in reversed(range(DIMENSIONS))], axis=1)
        middle = ((2 * places + 1) * (2 * RANGE + 1) - side * (2 * RANGE + 1)) // (2 * side)
        middle = np.append(middle, np.ones((len(middle), 1), np.int64), axis=1)
        hidden = np.einsum("mi,mji->mj", middle, self._weights.hidden[level, np.maximum(sure, 0)].astype(np.int64))
        hidden = np.maximum(hidden, 0) * (classes > 0)[:, None]
        start = self._level_start[level] + self._book_start[book]
        output = self._weights.output[:, start : start + (self._codes >> book)].astype(np.float64)
        shift = HIDDEN_BITS + OUTPUT_BITS
        logs = (hidden.astype(np.float64) @ output[:-1]).astype(np.int64) >> shift
        return weights_of(logs + output[-1].astype(np.int64))


def _runs(classes: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[tuple[int, int, int]]]:
    """Tokens sorted by class: their order, and of each run of one class its start, its end and the class."""
    short = classes.astype(np.uint16)
    order = np.argsort(short, kind="stable")
    ascending = short[order]
    ends = np.append(np.flatnonzero(ascending[1:] != ascending[:-1]) + 1, len(short))
    starts = np.append(0, ends[:-1])
    return order, list(zip(starts.tolist(), ends.tolist(), ascending[starts].tolist(), strict=True))


def sureness_of(stage: Stage, weight: NDArray[np.int64]) -> NDArray[np.int64]:
    """How much is known around tokens: by weight if they are coarse, else by pass; 0 to 2, and -1 for nothing."""
    if stage.level:
        sure = np.full(len(weight), max(0, stage.number - (PASSES - SURENESS)))
    else:
        sure = np.searchsorted(KNOWN, weight, side="right")
    return np.where(weight > 0, sure, -1)


def weights_of(logs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Logarithms of probabilities in 1/256 bit, [m, K], to integer weights, at least 1, of a sum up to 2^20."""
    below = logs.max(axis=1, keepdims=True) - logs
    shares = POWERS[np.minimum(below, DEEPEST << LOG_BITS)]
    codes = logs.shape[1]
    weights: NDArray[np.int64] = 1 + shares * ((1 << TOTAL_BITS) - codes) // shares.sum(axis=1, keepdims=True)
    excess = np.maximum(weights.max(axis=1) - (MOST_SURE << (TOTAL_BITS - 4)), 0)
    rows, top = np.arange(len(weights)), weights.argmax(axis=1)
    weights[rows, top] -= excess
    weights += -(-excess // codes)[:, None]
    return weights


def _powers() -> NDArray[np.int64]:
    """2^32 x 2^(-n/256), n from 0 to 20 x 256, rounded down; with integer roots, so the same everywhere."""
    roots, root = [], 2 << 60
    for _ in range(LOG_BITS):  # 2^60 x 2^(1/2), 2^(1/4), ...
        root = math.isqrt(root << 60)
        roots.append(root)
    fractions = []
    for n in range(1 << LOG_BITS):
        value = 1 << 60
        for bit, factor in enumerate(roots):
            if n >> (LOG_BITS - 1 - bit) & 1:
                value = value * factor >> 60
        fractions.append(value)  # 2^60 x 2^(n/256)
    powers = [(1 << 92) // fractions[n & 255] >> (n >> LOG_BITS) for n in range((DEEPEST << LOG_BITS) + 1)]
    return np.array(powers, np.int64)


POWERS = _powers()


def _packed(embedding: NDArray[np.int8]) -> NDArray[np.int64]:
    """Points [n, 4] as one number each: 1, then the coordinates raised to 1..101, in fields of 12 bits."""
    raised = embedding.astype(np.int64) + RANGE + 1
    packed: NDArray[np.int64] = 1 + (raised << FIELD * np.arange(1, DIMENSIONS + 1)).sum(axis=1)
    return packed


def _cells(side: int) -> NDArray[np.uint8]:
    """Cell of a mean coordinate, uint8 [41 x 4096], by weight << 12 | weighted sum of raised coordinates."""
    weight, value = np.mgrid[: MOST_WEIGHT + 1, : 1 << FIELD]
    above = value - weight  # the mean is above / weight, from 0 to 100; half a step is added to it
    cell = (2 * above + weight) * side // (np.maximum(weight, 1) * 2 * (2 * RANGE + 1))
    cells: NDArray[np.uint8] = cell.clip(0, side - 1).astype(np.uint8).ravel()
    return cells
