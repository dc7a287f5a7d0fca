"""Neighbour tables: the probabilities of a token by what is known around it, fixed when weights are exported.

    embedding   each codeword is a point of four small integers, one for each level it may stand beside
    class       the weighted mean of the known points around a token, cut into cells, and how much is known
    table       of a class: an integer network from the middle of its cell to logarithms of probabilities

All of it is integers, so every machine has the same tables; they are made when a class is first met.
The network is trained on photographs when weights are exported (codec/training/neighbour_tables.py).
"""

import threading
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codec.config import LEVELS
from codec.entropy import SymbolReader, SymbolWriter, spans
from codec.errors import BitstreamError, CheckpointError
from codec.neighbour_classes import CLASSES, DIMENSIONS, RANGE, SIDE, SURENESS, classes_of, packed
from codec.neighbour_rows import Rows, weights_of
from codec.neighbours import MANY, Canvases, Stack, Stage, stacks, stages
from codec.parts import Known

HIDDEN_BITS = 11  # a hidden unit of 1.0 is 2^11
OUTPUT_BITS = 4  # a weight of 2^4 is 1/256 bit for a hidden unit of 1.0
RUNS = 256  # tokens of a slice and a pass from which those of a class are read in one call: fewer are alone there

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


class NeighbourTables:
    """Probabilities of indices by class, for codebooks of K codewords and the smaller coarse ones."""

    def __init__(self, weights: NeighbourWeights, codes: int, smaller: list[int]) -> None:
        weights.check(codes, sum(smaller))
        self._weights, self._codes = weights, codes
        self._book_start = np.concatenate([[0], codes + np.cumsum([0, *smaller])])
        self._points = packed(weights.embedding)
        coarse = codes + sum(smaller)
        self._level_start = np.array([0, coarse, coarse + codes])
        starts = [[begin + level for level in self._level_start] for begin in (0, coarse, 2 * coarse + codes)]
        self._point_starts = [[start + self._book_start for start in canvas] for canvas in starts]
        self._rows: dict[tuple[int, int], Rows] = {}
        self._adding = threading.Lock()

    def points(self, canvas: int, level: int, book: NDArray[np.uint8] | int, index: NDArray[Any]) -> NDArray[np.int64]:
        """Points of indices of a level, in books if coarse, for the canvas of a level; packed, see `packed`."""
        points: NDArray[np.int64] = self._points.take(self._point_starts[canvas][level].take(book) + index)
        return points

    def turns(self, known: Known, index: NDArray[np.int32]) -> Iterator[tuple[Stage, NDArray[np.int64]]]:
        """Stages with the sums around each token; once a stage is asked for, `index` [M] must hold those before."""
        canvases = Canvases(known.grid, np.flatnonzero(np.bincount(known.level)).tolist(), (), np.int64)
        for stage in stages(known.grid, known.blocks, known.level):
            yield stage, canvases.around(stage)
            book, sent = known.book[stage.at], index[stage.at]
            canvases.put(stage, partial(self.points, level=stage.level, book=book, index=sent))

    def write(
        self, writers: Sequence[SymbolWriter], known: Sequence[Known], index: Sequence[NDArray[np.int32]]
    ) -> NDArray[np.int64]:
        """Append the indices of each slice, all of one grid; returns their costs in units of 2^-16 bits."""
        cost = np.zeros(len(writers), np.int64)
        for stack in stacks(known):
            sent = np.concatenate(index[stack.slices])
            cost[stack.slices] = self._write_stack(writers[stack.slices], stack, sent)
        return cost

    def _write_stack(
        self, writers: Sequence[SymbolWriter], stack: Stack, index: NDArray[np.int32]
    ) -> NDArray[np.int64]:
        """Append the indices of slices in lockstep; returns their costs."""
        cost = np.zeros(len(writers), np.int64)
        for level, turns in groupby(self.turns(stack.known, index), lambda turn: turn[0].level):
            found = [(stage.at, np.full(len(stage.at), stage.number), sums) for stage, sums in turns]
            at, number, sums = (np.concatenate(column) for column in zip(*found, strict=True))
            classes, owner, book = classes_of(level, number, sums), stack.of_token[at], stack.known.book[at]
            order = _order(level, owner, number, book, classes)  # first, so that each table is looked up in a row
            for start in range(0, len(order), MANY):
                some = order[start : start + MANY]
                cost += self._write_some(writers, level, owner[some], book[some], classes[some], index[at[some]])
        return cost

    def _write_some(
        self,
        writers: Sequence[SymbolWriter],
        level: int,
        owner: NDArray[np.int64],
        book: NDArray[np.uint8],
        classes: NDArray[np.int64],
        index: NDArray[np.int32],
    ) -> NDArray[np.int64]:
        """Append tokens of a level as they come, slice by slice (`owner`, ascending); returns the costs."""
        found, cost = np.empty((3, len(index)), np.int32), np.empty(len(index), np.int32)
        for one, mine in _by_book(book):
            (rows, row), codes = self._rows_of(level, one, classes[mine]), self._codes >> one
            cost[mine] = rows.cost.ravel().take(row * codes + index[mine])
            first, below = row * (codes + 1), rows.below.ravel()
            at = first + index[mine]
            found[:, mine] = below.take(at), below.take(at + 1), below.take(first + codes)
        symbols, models = spans(index, self._codes >> book.astype(np.int32), *found)
        for writer, start, end in zip(writers, *_ends(owner, len(writers)), strict=True):
            if start < end:
                writer.write_spans(symbols[start:end], models[start:end])
        return np.bincount(owner, cost, len(writers)).astype(np.int64)  # exact below 2^53

    def read(self, readers: Sequence[SymbolReader], known: Sequence[Known]) -> list[NDArray[np.int32] | BitstreamError]:
        """Inverse of `write`: the indices of each slice, or an error if none have these bytes."""
        found: list[NDArray[np.int32] | BitstreamError] = []
        for stack in stacks(known):
            found += self._read_stack(readers[stack.slices], stack)
        return found

    def _read_stack(self, readers: Sequence[SymbolReader], stack: Stack) -> list[NDArray[np.int32] | BitstreamError]:
        """The indices of slices in lockstep, or errors."""
        index, errors = np.zeros(len(stack.of_token), np.int32), dict[int, BitstreamError]()
        for stage, sums in self.turns(stack.known, index):
            classes = classes_of(stage.level, stage.number, sums)
            for book, mine in _by_book(stack.known.book[stage.at]):
                rows, row = self._rows_of(stage.level, book, classes[mine])
                at = stage.at[mine]
                owner = stack.of_token[at]
                order = _by_slice(owner, classes[mine])
                starts, ends = _ends(owner, len(readers))
                index[at[order]] = _read_rows(readers, starts, ends, rows, row[order], errors)
        each = enumerate(zip(*_ends(stack.of_token, len(readers)), strict=True))
        return [errors.get(number, index[start:end]) for number, (start, end) in each]

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
            rows, row = self._rows_of(level, one, classes[mine])
            cost[mine] = rows.cost[row, index[mine]]
        return cost

    def _rows_of(self, level: int, book: int, classes: NDArray[np.int64]) -> tuple[Rows, NDArray[np.int64]]:
        """The tables of a codebook, and where those of `classes` are in them."""
        rows = self._rows.get((level, book))
        if rows is not None:
            row = rows.row.take(classes)
            if not len(row) or row.min() >= 0:
                return rows, row
        with self._adding:  # pictures are coded side by side
            rows = self._rows.setdefault((level, book), Rows(CLASSES[level], self._codes >> book))
            missing = np.unique(classes[rows.row[classes] < 0])
            for start in range(0, len(missing), 256):
                some = missing[start : start + 256]
                rows.add(some, self._tables(level, book, some))
        return rows, rows.row.take(classes)

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


def _by_book(book: NDArray[np.uint8]) -> list[tuple[int, Any]]:
    """The codebooks of tokens, the smaller first, and which tokens are of each."""
    if not len(book) or not (book != book[0]).any():
        return [(int(book[0]), slice(None))] if len(book) else []
    return [(int(one), book == one) for one in np.unique(book)[::-1]]


def _order(
    level: int,
    owner: NDArray[np.int64],
    number: NDArray[np.int64],
    book: NDArray[np.uint8],
    classes: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Tokens of a level in the order of payloads: by slice, pass, then the smaller codebook first, then by class."""
    if (book != book[0]).any():
        return np.lexsort((classes, -book.astype(np.int64), number, owner))
    return _by_slice(owner, number * CLASSES[level] + classes)


def _by_slice(owner: NDArray[np.int64], key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order of tokens by slice, then by a key below 2^16; equal ones stay as they are. Radix sorts both."""
    order = np.argsort(key.astype(np.uint16), kind="stable")
    if owner[0] == owner[-1] and not (owner != owner[0]).any():
        return order
    return order[np.argsort(owner[order].astype(np.uint16), kind="stable")]


def _ends(owner: NDArray[np.int64], slices: int) -> tuple[list[int], list[int]]:
    """Where the tokens of each slice begin and end; `owner` is ascending."""
    ends = np.bincount(owner, minlength=slices).cumsum().tolist()
    return [0, *ends[:-1]], ends


def _read_rows(
    readers: Sequence[SymbolReader],
    starts: Sequence[int],
    ends: Sequence[int],
    rows: Rows,
    row: NDArray[np.int64],
    errors: dict[int, BitstreamError],
) -> NDArray[np.int32]:
    """Read symbols of each slice with the tables of some rows; zeros where it fails, or failed before."""
    symbols = np.zeros(len(row), np.int32)
    models = rows.models(row) if len(row) < RUNS * len(readers) else None
    for number, (reader, start, end) in enumerate(zip(readers, starts, ends, strict=True)):
        if start == end or number in errors:
            continue
        try:
            if models is not None:
                symbols[start:end] = reader.read_each(models[start:end])
            else:
                counts, some = _runs(row[start:end])
                symbols[start:end] = reader.read_runs(counts, rows.models(some))
        except BitstreamError as error:
            errors[number] = error
    return symbols


def _runs(rows: NDArray[np.int64]) -> tuple[list[int], NDArray[np.int64]]:
    """Of each run of equal numbers how many they are, and the number."""
    last = np.append(np.flatnonzero(rows[1:] != rows[:-1]), len(rows) - 1)
    return np.diff(last, prepend=-1).tolist(), rows[last]
