"""Payload of a slice: the granularity and the indices of its blocks, range coded.

    map         see codec/granularity_map.py; only if the granularity is mixed
    indices     of the coarse tokens of the picture's book, then of those of the larger book before it,
                then of the medium, then of the fine tokens

With tables, a payload has as many bytes as its symbols cost (`entropy.size_bytes`), even where luck would
let the coder do with one less: so sizes follow from counting, and a rate can be met without coding.

With the model `context` the indices come in another order, that of a `Context`.

Slices are coded side by side, those by neighbours in lockstep (codec/neighbours.py).
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from codec import granularity_map
from codec.books import book_of_block
from codec.config import LEVELS
from codec.entropy import CONTEXT, LEAST_BITS, NEIGHBOURS, SymbolReader, SymbolWriter, size_bytes
from codec.errors import BitstreamError
from codec.parts import Known, Part, known_of
from codec.quadtree import collapse, expand
from codec.tables import Tables


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


def write_payloads(
    parts: Sequence[Part],
    grid: tuple[int, int],
    mixed: Sequence[bool],
    entropy_model: str,
    tables: Tables,
    context: Context | None = None,
) -> list[bytes]:
    """The blocks of each slice, of pictures of one size, to bytes.

    Args:
        parts: Blocks, levels and indices.
        grid: (h, w) of the pictures in blocks.
        mixed: Of each, whether granularity is sent; without it all tokens are coarse.
        entropy_model: One of `entropy.WIRE`.
        tables: Probabilities of the indices.
        context: Those of the model `context`.

    Raises:
        BitstreamError: If the model is `context` and there is none.
    """
    writers = [SymbolWriter() for _ in parts]
    kinds = np.stack([_write_kinds(*each) for each in zip(writers, parts, mixed, strict=True)])
    known = [known_of(part.level, grid, part.blocks, book_of_block(grid, part.books)[part.blocks]) for part in parts]
    index = [part.index for part in parts]
    if entropy_model == CONTEXT:
        least = [_write_context(*each, _needed(context)) for each in zip(writers, known, index, strict=True)]
    elif entropy_model == NEIGHBOURS:
        cost = tables.by_neighbours().write(writers, known, index)
        least = payload_bytes(kinds, cost, np.array(mixed)).tolist()
    else:
        cost = np.array(
            [_write_tabled(*each, entropy_model, tables) for each in zip(writers, known, index, strict=True)]
        )
        least = payload_bytes(kinds, cost, np.array(mixed)).tolist()
    return [writer.getvalue().ljust(size, b"\0") for writer, size in zip(writers, least, strict=True)]


def _write_kinds(writer: SymbolWriter, part: Part, mixed: bool) -> NDArray[np.int64]:
    """Append the granularity of a slice, if it is sent; returns the blocks of each kind, int64 [6]."""
    return granularity_map.write(writer, expand(part.level)) if mixed else _all_coarse(len(part.blocks))


def _all_coarse(blocks: int) -> NDArray[np.int64]:
    kinds = np.zeros(granularity_map.KINDS, np.int64)
    kinds[0] = blocks
    return kinds


def _write_context(writer: SymbolWriter, known: Known, index: NDArray[np.int32], context: Context) -> int:
    """Append the indices of a slice; returns the bytes that its payload must have."""
    for at, weights in context.distributions(known, index):
        writer.write_rows(index[at], weights)
    return math.ceil(LEAST_BITS * len(index) / 8)  # readers refuse less, but luck may give it


def _write_tabled(
    writer: SymbolWriter, known: Known, index: NDArray[np.int32], entropy_model: str, tables: Tables
) -> int:
    """Append the indices of a slice; returns their cost in units of 2^-16 bits."""
    cost = 0
    for at, level, book in _groups(known):
        writer.write(index[at], tables.model(entropy_model, level, book))
        cost += int(tables.cost(entropy_model, level, book)[index[at]].sum())
    return cost


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


class Begun(NamedTuple):
    """A payload whose granularity is read, its indices not yet; of so many bytes."""

    reader: SymbolReader
    known: Known
    entropy_model: str
    size_bytes: int


def begin(
    payload: bytes,
    grid: tuple[int, int],
    blocks: NDArray[np.int64],
    book: NDArray[np.uint8],
    mixed: bool,
    entropy_model: str,
) -> Begun:
    """Read the granularity of a payload, given the numbers and books of the blocks.

    Raises:
        BitstreamError: If no blocks have these bytes.
    """
    reader = SymbolReader(payload)
    level = np.zeros(len(blocks), np.uint8)
    if mixed:
        level = collapse(granularity_map.read(reader, len(blocks)))
    return Begun(reader, known_of(level, grid, blocks, book), entropy_model, len(payload))


def read_indices(
    begun: Sequence[Begun], tables: Tables, context: Context | None = None
) -> list[NDArray[np.int32] | BitstreamError]:
    """The indices of each payload, all of one grid, int32; in place of them an error, if no indices have these bytes.

    With `begin` the inverse of `write_payloads`.
    """
    near = [one for one in begun if _is_near(one, tables)]
    found = tables.by_neighbours().read([one.reader for one in near], [one.known for one in near]) if near else []
    in_turn = iter(found)
    return [next(in_turn) if _is_near(one, tables) else _read_alone(one, tables, context) for one in begun]


def _is_near(begun: Begun, tables: Tables) -> bool:
    return begun.entropy_model == NEIGHBOURS and tables.neighbours is not None


def _read_alone(begun: Begun, tables: Tables, context: Context | None) -> NDArray[np.int32] | BitstreamError:
    """The indices of a payload that is not read in lockstep with others."""
    try:
        if begun.entropy_model == CONTEXT:
            return _read_context(begun, _needed(context))
        if begun.entropy_model == NEIGHBOURS:
            tables.by_neighbours()  # there are none, as it says
        return _read_tabled(begun, tables)
    except BitstreamError as error:
        return error


def _read_context(begun: Begun, context: Context) -> NDArray[np.int32]:
    index = np.zeros(len(begun.known.level), np.int32)
    if 8 * begun.size_bytes < LEAST_BITS * len(index):
        raise BitstreamError("payload", f"too short for {len(index)} tokens", begun.size_bytes)
    for at, weights in context.distributions(begun.known, index):
        index[at] = begun.reader.read_rows(weights)
    return index


def _read_tabled(begun: Begun, tables: Tables) -> NDArray[np.int32]:
    index = np.zeros(len(begun.known.level), np.int32)
    for at, level, book in _groups(begun.known):
        index[at] = begun.reader.read(len(at), tables.model(begun.entropy_model, level, book))
    return index


def declared_kinds(payload: bytes, blocks: int, mixed: bool) -> NDArray[np.int64]:
    """Blocks of each kind (codec/granularity_map.py), int64 [6], as the counts of a payload say; needs no tables.

    Raises:
        BitstreamError: If no blocks have these bytes.
    """
    if mixed:
        return granularity_map.read_counts(SymbolReader(payload), blocks)
    return _all_coarse(blocks)


def _groups(known: Known) -> Iterator[tuple[NDArray[np.int64], int, int]]:
    """The tokens of one codebook after another: where they are, level, book. Empty groups are left out."""
    coarse = np.flatnonzero(known.level == 0)
    book = known.book[coarse]
    for number in np.unique(book)[::-1]:
        yield coarse[book == number], 0, int(number)
    for level in range(1, LEVELS):
        at = np.flatnonzero(known.level == level)
        if len(at):
            yield at, level, 0


def _needed(context: Context | None) -> Context:
    if context is None:
        raise BitstreamError("payload", "the entropy model context needs the masked transformer")
    return context
