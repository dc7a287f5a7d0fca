"""Payload of a slice: the granularity and the indices of its blocks, range coded.

    splits      number of split blocks, uniform in 0..blocks           only if the
    fines       number of fine quarters, uniform in 0..4 splits        granularity
    is_split    one flag for each block, P(1) = splits / blocks        is mixed
    is_fine     one flag for each quarter of a split block, P(1) = fines / (4 splits)
    indices     those of the coarse tokens, then of the medium, then of the fine ones

The two counts come first, so they are the probabilities of the flags, tell the number of tokens
before anything else is decoded, and must agree with the flags.
"""

import numpy as np
from numpy.typing import NDArray

from codec import entropy
from codec.config import LEVELS
from codec.entropy import SymbolReader, SymbolWriter, Tables
from codec.errors import BitstreamError
from codec.quadtree import collapse, expand
from codec.tokens import Part


def write_payload(part: Part, mixed: bool, entropy_model: str, tables: Tables) -> bytes:
    """Blocks of a slice to bytes.

    Args:
        part: Blocks, levels and indices.
        mixed: Whether granularity is sent; without it all tokens are coarse.
        entropy_model: One of `entropy.MODELS`.
        tables: Probabilities of the indices.
    """
    writer = SymbolWriter()
    if mixed:
        _write_granularity(writer, part.level)
    for level in range(LEVELS):
        index = part.index[part.level == level]
        if len(index):
            writer.write(index, tables.model(entropy_model, level))
    return writer.getvalue()


def read_payload(payload: bytes, blocks: NDArray[np.int64], mixed: bool, entropy_model: str, tables: Tables) -> Part:
    """Inverse of `write_payload`, given the numbers of the blocks.

    Raises:
        BitstreamError: If no blocks have these bytes.
    """
    reader = SymbolReader(payload)
    level = _read_granularity(reader, len(blocks)) if mixed else np.zeros(len(blocks), np.uint8)
    index = np.zeros(len(level), np.int32)
    for number in range(LEVELS):
        at = np.flatnonzero(level == number)
        if len(at):
            index[at] = reader.read(len(at), tables.model(entropy_model, number))
    assert 0 <= index.min() <= index.max() < tables.codes, (index.min(), index.max(), tables.codes)
    return Part(blocks, level, index)


def declared_tokens(payload: bytes, blocks: int, mixed: bool) -> int:
    """Tokens of so many blocks, as the counts of a payload say; needs no tables.

    Raises:
        BitstreamError: If no blocks have these bytes.
    """
    splits, fines = _read_counts(SymbolReader(payload), blocks) if mixed else (0, 0)
    return blocks + 3 * splits + 3 * fines


def _write_granularity(writer: SymbolWriter, level: NDArray[np.uint8]) -> None:
    quarters = expand(level)
    is_split = quarters[:, 0] > 0
    is_fine = quarters[is_split].ravel() == 2
    splits = int(is_split.sum())
    writer.write(splits, entropy.uniform(len(quarters) + 1))
    if splits:
        writer.write(int(is_fine.sum()), entropy.uniform(4 * splits + 1))
    for flags in (is_split, is_fine):
        if flags.any() and not flags.all():
            writer.write(flags.astype(np.int32), entropy.bernoulli(int(flags.sum()), len(flags)))


def _read_granularity(reader: SymbolReader, blocks: int) -> NDArray[np.uint8]:
    splits, fines = _read_counts(reader, blocks)
    is_split = _read_flags(reader, splits, blocks)
    quarters = np.zeros((blocks, 4), np.uint8)
    quarters[is_split] = 1 + _read_flags(reader, fines, 4 * splits).reshape(-1, 4)
    return collapse(quarters)


def _read_counts(reader: SymbolReader, blocks: int) -> tuple[int, int]:
    """Numbers of split blocks and of fine quarters."""
    splits = int(reader.read(1, entropy.uniform(blocks + 1))[0])
    return splits, int(reader.read(1, entropy.uniform(4 * splits + 1))[0]) if splits else 0


def _read_flags(reader: SymbolReader, ones: int, total: int) -> NDArray[np.bool_]:
    if not 0 < ones < total:
        return np.full(total, ones > 0)
    flags = reader.read(total, entropy.bernoulli(ones, total)) > 0
    if int(flags.sum()) != ones:
        raise BitstreamError("granularity", f"{ones} of {total} flags must be set", int(flags.sum()))
    return flags
