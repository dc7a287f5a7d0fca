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
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codec.config import LEVELS
from codec.entropy import TOTAL_BITS, UNIT_BITS, SymbolReader, SymbolWriter, categorical
from codec.errors import CheckpointError
from codec.neighbours import MANY, MOST_WEIGHT, PASSES, Canvases, Stage, stages
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

CLASSES = [1 + SURENESS * side**DIMENSIONS for side in SIDE]
FIELDS = FIELD * np.arange(1, DIMENSIONS + 1)[:, None]  # where the coordinates of a packed point begin
FIELD_MASK = (1 << FIELD) - 1

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
        below: int32 [rows, K' + 1], sums of the weights of all indices below.
    """

    def __init__(self, classes: int, codes: int) -> None:
        self.row = np.full(classes, -1)
        self.cost = np.zeros((0, codes), np.int32)
        self.below = np.zeros((0, codes + 1), np.int32)
        self._models: list[Any] = []

    def add(self, classes: NDArray[np.int64], weights: NDArray[np.int64]) -> None:
        """Tables of more classes, weights [m, K']."""
        start, end = len(self._models), len(self._models) + len(classes)
        bits = np.log2(weights.sum(axis=1, keepdims=True)) - np.log2(weights)
        self.cost, self.below = _with_room(self.cost, end), _with_room(self.below, end)
        self.cost[start:end] = np.ceil(bits * (1 << UNIT_BITS))
        self.below[start:end, 1:] = weights.cumsum(axis=1)
        self._models += [None] * len(classes)
        self.row[classes] = np.arange(start, end)  # last: who sees a place finds its table

    def models(self, classes: NDArray[np.int64]) -> list[Any]:
        """The coder's models of some classes."""
        places = self.row[classes].tolist()
        for place in places:
            if self._models[place] is None:
                self._models[place] = categorical(np.diff(self.below[place]))
        return [self._models[place] for place in places]


def _with_room(rows: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """At least so many rows, the first as given; half as many again, for more will come."""
    if count <= len(rows):
        return rows
    wider = np.zeros((count + count // 2, rows.shape[1]), np.int32)
    wider[: len(rows)] = rows
    return wider


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
        self._rows: dict[tuple[int, int], Rows] = {}
        self._adding = threading.Lock()

    def points(self, canvas: int, level: int, book: NDArray[np.uint8] | int, index: NDArray[Any]) -> NDArray[np.int64]:
        """Points of indices of a level, in books if coarse, for the canvas of a level; packed, see `_packed`."""
        start = self._canvas_start[canvas] + self._level_start[level] + self._book_start[book]
        points: NDArray[np.int64] = self._points[start + index]
        return points

    def turns(self, known: Known, index: NDArray[np.int32]) -> Iterator[tuple[Stage, NDArray[np.int64]]]:
        """Stages with the sums around each token; once a stage is asked for, `index` [M] must hold those before."""
        canvases = Canvases(known.grid, np.flatnonzero(np.bincount(known.level)).tolist(), (), np.int64)
        for stage in stages(known.grid, known.blocks, known.level):
            yield stage, canvases.around(stage)
            book, sent = known.book[stage.at], index[stage.at]
            canvases.put(stage, partial(self.points, level=stage.level, book=book, index=sent))

    def write(self, writer: SymbolWriter, known: Known, index: NDArray[np.int32]) -> int:
        """Append the indices of a slice; returns their cost in units of 2^-16 bits."""
        total = 0
        for level, turns in groupby(self.turns(known, index), lambda turn: turn[0].level):
            found = [(stage.at, np.full(len(stage.at), stage.number), sums) for stage, sums in turns]
            at, number, sums = (np.concatenate(column) for column in zip(*found, strict=True))
            total += self._write_level(writer, level, number, known.book[at], sums, index[at])
        return total

    def _write_level(
        self,
        writer: SymbolWriter,
        level: int,
        number: NDArray[np.int64],
        book: NDArray[np.uint8],
        sums: NDArray[np.int64],
        index: NDArray[np.int32],
    ) -> int:
        """Append the tokens of a level, [m] of each, pass by pass; returns their cost."""
        classes = classes_of(level, number, sums)
        order = _order(level, number, book, classes)  # first, so that each table is looked up in a row
        parts = (order[start : start + MANY] for start in range(0, len(order), MANY))
        return sum(self._write_some(writer, level, book[some], classes[some], index[some]) for some in parts)

    def _write_some(
        self,
        writer: SymbolWriter,
        level: int,
        book: NDArray[np.uint8],
        classes: NDArray[np.int64],
        index: NDArray[np.int32],
    ) -> int:
        """Append tokens of a level as they come; returns their cost."""
        spans, total = np.empty((3, len(index)), np.int32), 0
        for one, mine in _by_book(book):
            rows, codes = self._rows_of(level, one, classes[mine]), self._codes >> one
            row, below = rows.row[classes[mine]], rows.below.ravel()
            total += int(rows.cost.ravel().take(row * codes + index[mine]).sum())
            first = row * (codes + 1)
            at = first + index[mine]
            spans[:, mine] = below.take(at), below.take(at + 1), below.take(first + codes)
        writer.write_spans(index, self._codes >> book.astype(np.int32), *spans)
        return total

    def read(self, reader: SymbolReader, known: Known) -> NDArray[np.int32]:
        """Inverse of `write`.

        Raises:
            BitstreamError: If no indices have these bytes.
        """
        index = np.zeros(len(known.level), np.int32)
        for stage, sums in self.turns(known, index):
            classes = classes_of(stage.level, stage.number, sums)
            for book, mine in _by_book(known.book[stage.at]):
                rows = self._rows_of(stage.level, book, classes[mine])
                order, counts, some = _runs(classes[mine])
                index[stage.at[mine][order]] = reader.read_runs(counts, rows.models(some))
        return index

    def costs(
        self,
        level: int,
        number: NDArray[np.int64],
        book: NDArray[np.uint8],
        sums: NDArray[np.int64],
        index: NDArray[Any],
    ) -> NDArray[np.int64]:
        """Cost of each token of a level, [m] of each: pass, book, sums around it, index; in units of 2^-16 bits."""
        classes, cost = classes_of(level, number, sums), np.empty(len(index), np.int64)
        for one, mine in _by_book(book):
            rows = self._rows_of(level, one, classes[mine])
            cost[mine] = rows.cost[rows.row[classes[mine]], index[mine]]
        return cost

    def _rows_of(self, level: int, book: int, classes: NDArray[np.int64]) -> Rows:
        """The tables of a codebook, with those of `classes` in them."""
        rows = self._rows.get((level, book))
        if rows is not None and (not len(classes) or rows.row[classes].min() >= 0):
            return rows
        with self._adding:  # pictures are coded side by side
            rows = self._rows.setdefault((level, book), Rows(CLASSES[level], self._codes >> book))
            missing = np.unique(classes[rows.row[classes] < 0])
            for start in range(0, len(missing), 256):
                some = missing[start : start + 256]
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


def classes_of(level: int, number: NDArray[np.int64] | int, sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """Class of each token of a level, int64 [m], by its pass and the packed sums around it.

    0 if nothing is known, else 1 + sureness and cell as one number.
    """
    if len(sums) > MANY:
        cuts = range(MANY, len(sums), MANY)
        numbers = np.broadcast_to(number, len(sums))
        parts = zip(np.split(numbers, cuts), np.split(sums, cuts), strict=True)
        return np.concatenate([classes_of(level, *part) for part in parts])
    weight = sums & FIELD_MASK
    cells = CELLS[level].take(sums >> FIELDS & FIELD_MASK | weight << FIELD).astype(np.int64)
    side = SIDE[level]
    cell = ((cells[0] * side + cells[1]) * side + cells[2]) * side + cells[3]
    classes: NDArray[np.int64] = FIRST[level].take(number * (MOST_WEIGHT + 1) + weight) + cell
    return classes


def _by_book(book: NDArray[np.uint8]) -> list[tuple[int, Any]]:
    """The codebooks of tokens, the smaller first, and which tokens are of each."""
    if not len(book) or not (book != book[0]).any():
        return [(int(one), slice(None)) for one in book[:1]]
    return [(int(one), book == one) for one in np.unique(book)[::-1]]


def _order(
    level: int, number: NDArray[np.int64], book: NDArray[np.uint8], classes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Tokens of a level in the order of a payload: by pass, then the smaller codebook first, then by class."""
    if (book != book[0]).any():
        return np.lexsort((classes, -book.astype(np.int64), number))
    key = number * CLASSES[level] + classes
    return np.argsort(key.astype(np.uint16), kind="stable")


def _runs(classes: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[int], NDArray[np.int64]]:
    """Tokens sorted by class: their order, and of each run of one class how many they are and the class."""
    order = np.argsort(classes.astype(np.uint16), kind="stable")
    ascending = classes[order]
    last = np.append(np.flatnonzero(ascending[1:] != ascending[:-1]), len(classes) - 1)
    ends = (last + 1).tolist()
    return order, [end - start for start, end in zip([0, *ends], ends, strict=False)], ascending[last]


def sureness_of(level: int, number: int, weight: NDArray[np.int64]) -> NDArray[np.int64]:
    """How much is known around tokens: by weight if they are coarse, else by pass; 0 to 2, and -1 for nothing."""
    if level:
        sure = np.full(len(weight), max(0, number - (PASSES - SURENESS)))
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
    packed: NDArray[np.int64] = 1 + (raised << FIELDS[:, 0]).sum(axis=1)
    return packed


def _cells(side: int) -> NDArray[np.uint8]:
    """Cell of a mean coordinate, uint8 [41 x 4096], by weight << 12 | weighted sum of raised coordinates."""
    weight, value = np.mgrid[: MOST_WEIGHT + 1, : 1 << FIELD]
    above = value - weight  # the mean is above / weight, from 0 to 100; half a step is added to it
    cell = (2 * above + weight) * side // (np.maximum(weight, 1) * 2 * (2 * RANGE + 1))
    cells: NDArray[np.uint8] = cell.clip(0, side - 1).astype(np.uint8).ravel()
    return cells


def _first(level: int) -> NDArray[np.int64]:
    """Class of cell 0, int64 [5 x 41], by pass x 41 + weight."""
    weight = np.arange(MOST_WEIGHT + 1)
    sure = np.concatenate([sureness_of(level, number, weight) for number in range(PASSES)])
    return np.where(sure >= 0, 1 + sure * SIDE[level] ** DIMENSIONS, 0)


CELLS = [_cells(side) for side in SIDE]
FIRST = [_first(level) for level in range(LEVELS)]
