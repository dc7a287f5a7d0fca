"""Payload of a slice: the granularity and the indices of its blocks, range coded.

    map         see codec/granularity_map.py; only if the granularity is mixed
    indices     of the coarse tokens of the picture's book, then of those of the larger book before it,
                then of the medium, then of the fine tokens

With tables, a payload has as many bytes as its symbols cost (`entropy.size_bytes`), even where luck would
let the coder do with one less: so sizes follow from counting, and a rate can be met without coding.

With the model `context` the indices come in another order, that of a `Context`.
"""

import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from codec import granularity_map
from codec.config import LEVELS
from codec.entropy import CONTEXT, LEAST_BITS, NEIGHBOURS, SymbolReader, SymbolWriter, Tables, size_bytes
from codec.errors import BitstreamError
from codec.quadtree import CELLS, collapse, expand, starts
from codec.tokens import Known, Part, known_of


class Context(Protocol):
    """A distribution for each token, given those of its slice that were coded before; see codec/context_model.py."""

    @property
    def hash(self) -> bytes:
        """Digest of all that the distributions depend on, beside the weights of the tokenizer."""

    def distributions(
        self, known: Known, index: NDArray[np.int32]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Token numbers [m] and their integer weights [m, K'], until every token has had its turn.

        Args:
            known: The tokens.
            index: int32 [M], which the caller may still be filling: read only where tokens had their turn.
        """


def write_payload(
    part: Part,
    grid: tuple[int, int],
    book: NDArray[np.uint8],
    mixed: bool,
    entropy_model: str,
    tables: Tables,
    context: Context | None = None,
) -> bytes:
    """Blocks of a slice to bytes.

    Args:
        part: Blocks, levels and indices.
        grid: (h, w) of the picture in blocks.
        book: uint8, the book of each block.
        mixed: Whether granularity is sent; without it all tokens are coarse.
        entropy_model: One of `entropy.MODELS`.
        tables: Probabilities of the indices.
        context: Those of the model `context`.

    Raises:
        BitstreamError: If the model is `context` and there is none.
    """
    writer = SymbolWriter()
    if mixed:
        granularity_map.write(writer, expand(part.level))
    if entropy_model == CONTEXT:
        for at, weights in _needed(context).distributions(known_of(part.level, grid, part.blocks, book), part.index):
            writer.write_rows(part.index[at], weights)
        least = math.ceil(LEAST_BITS * len(part.level) / 8)  # readers refuse less, but luck may give it
        return writer.getvalue().ljust(least, b"\0")
    if entropy_model == NEIGHBOURS:
        cost = tables.by_neighbours().write(writer, known_of(part.level, grid, part.blocks, book), part.index)
    else:
        cost = _cost(part, book, entropy_model, tables)
        for at, level, number in _groups(part.level, book):
            writer.write(part.index[at], tables.model(entropy_model, level, number))
    kinds = np.bincount(granularity_map.kinds_of(expand(part.level)), minlength=granularity_map.KINDS)
    return writer.getvalue().ljust(int(payload_bytes(kinds, np.array(cost), np.bool_(mixed))), b"\0")


def _cost(part: Part, book: NDArray[np.uint8], entropy_model: str, tables: Tables) -> int:
    """Cost of the indices in units of 2^-16 bits."""
    groups = _groups(part.level, book)
    return sum(int(tables.cost(entropy_model, level, number)[part.index[at]].sum()) for at, level, number in groups)


def payload_bytes(
    kinds: NDArray[np.int64], cost: NDArray[np.int64], mixed: NDArray[np.bool_] | np.bool_
) -> NDArray[np.int64]:
    """Bytes of payloads with tables, int64 [...].

    Args:
        kinds: Blocks of each kind (codec/granularity_map.py), int64 [..., 6].
        cost: Of the indices, int64 [...], in units of 2^-16 bits.
        mixed: Whether granularity is sent, of a shape that fits [...].
    """
    symbols = (kinds * (1 + 3 * np.arange(granularity_map.KINDS))).sum(-1)  # the tokens
    if mixed.any():
        map_cost, map_symbols = granularity_map.cost(kinds)
        cost, symbols = cost + mixed * map_cost, symbols + mixed * map_symbols
    return size_bytes(cost, symbols)


def read_payload(
    payload: bytes,
    grid: tuple[int, int],
    blocks: NDArray[np.int64],
    book: NDArray[np.uint8],
    mixed: bool,
    entropy_model: str,
    tables: Tables,
    context: Context | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Inverse of `write_payload`, given the numbers and books of the blocks: level and index.

    Raises:
        BitstreamError: If no blocks have these bytes, or the model is `context` and there is none.
    """
    reader = SymbolReader(payload)
    level = np.zeros(len(blocks), np.uint8)
    if mixed:
        level = collapse(granularity_map.read(reader, len(blocks)))
    if entropy_model == NEIGHBOURS:
        return level, tables.by_neighbours().read(reader, known_of(level, grid, blocks, book))
    index = np.zeros(len(level), np.int32)
    if entropy_model == CONTEXT:
        if 8 * len(payload) < LEAST_BITS * len(level):
            raise BitstreamError("payload", f"too short for {len(level)} tokens", len(payload))
        for at, weights in _needed(context).distributions(known_of(level, grid, blocks, book), index):
            index[at] = reader.read_rows(weights)
        return level, index
    for at, number, of_book in _groups(level, book):
        index[at] = reader.read(len(at), tables.model(entropy_model, number, of_book))
    return level, index


def declared_kinds(payload: bytes, blocks: int, mixed: bool) -> NDArray[np.int64]:
    """Blocks of each kind (codec/granularity_map.py), int64 [6], as the counts of a payload say; needs no tables.

    Raises:
        BitstreamError: If no blocks have these bytes.
    """
    if mixed:
        return granularity_map.read_counts(SymbolReader(payload), blocks)
    kinds = np.zeros(granularity_map.KINDS, np.int64)
    kinds[0] = blocks
    return kinds


def _groups(level: NDArray[np.uint8], book: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.int64], int, int]]:
    """The tokens of one codebook after another: where they are, level, book. Empty groups are left out."""
    coarse = np.flatnonzero(level == 0)
    number = book[starts(level)[coarse] // CELLS] if len(coarse) < len(level) else book
    for of_book in np.unique(number)[::-1]:
        yield coarse[number == of_book], 0, int(of_book)
    for finer in range(1, LEVELS):
        at = np.flatnonzero(level == finer)
        if len(at):
            yield at, finer, 0


def _needed(context: Context | None) -> Context:
    if context is None:
        raise BitstreamError("payload", "the entropy model context needs the masked transformer")
    return context
