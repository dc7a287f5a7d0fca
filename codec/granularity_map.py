"""Granularity map: which blocks of a slice are split, which of their quarters fine, as symbols of the coder.

    counts      of the kinds 0 to 4, each uniform in 0..the blocks left over; kind 5 has the rest
    kinds       one symbol a block, with those counts as probabilities: 0 coarse, 1 + k split, k quarters fine
    patterns    of the blocks with 1 fine quarter, then 2, then 3: which of the 4, 6, 4 ways, uniform

The counts come first, so they tell the number of tokens before anything else is decoded, and must
agree with the kinds. Fine quarters keep company: of blocks with as many of them in all, this takes up
to a quarter less than a flag for each quarter.
"""

import numpy as np
from numpy.typing import NDArray

from codec import entropy
from codec.entropy import UNIT_BITS, SymbolReader, SymbolWriter
from codec.errors import BitstreamError

KINDS = 6
NUMBERS = np.arange(16)  # of the patterns: bit i is set if quarter i is fine
FINES = np.array([bin(number).count("1") for number in NUMBERS])
WAYS = tuple(NUMBERS[FINES == fines] for fines in range(5))  # 1, 4, 6, 4, 1
WAY_COST = np.array([0, *(int(np.ceil(np.log2(len(way)) * (1 << UNIT_BITS))) for way in WAYS)])
BITS = 1 << np.arange(4)


def kinds_of(quarters: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Kind of each block, int32 [blocks], from the levels of its quarters, uint8 [blocks, 4]."""
    return np.where(quarters[:, 0] > 0, 1 + (quarters == 2).sum(axis=1), 0).astype(np.int32)


def tokens_of(counts: NDArray[np.int64]) -> int:
    """Tokens of so many blocks of each kind: 1, 4, 7, 10, 13, 16."""
    return int((counts * (1 + 3 * np.arange(KINDS))).sum())


def cost(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cost of maps in units of 2^-16 bits, and their symbols, for counts int64 [..., 6] of the kinds."""
    total = counts.sum(-1)
    left = counts[..., ::-1].cumsum(-1)[..., :0:-1]  # blocks of this kind or a later one, for kinds 0 to 4
    logs = np.log2(np.maximum(counts, 1)) * counts
    bits = total * np.log2(np.maximum(total, 1)) - logs.sum(-1) + np.log2(left + 1).sum(-1)
    units = np.ceil(bits * (1 << UNIT_BITS)).astype(np.int64) + (counts * WAY_COST).sum(-1)
    return units, total + counts[..., 2:5].sum(-1) + KINDS - 1


def write(writer: SymbolWriter, quarters: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Append the map of blocks with these levels of quarters, uint8 [blocks, 4]; returns the blocks of each kind."""
    kinds = kinds_of(quarters)
    counts = np.bincount(kinds, minlength=KINDS)
    left = len(kinds)
    for count in counts[:-1]:
        if left:
            writer.write(int(count), entropy.uniform(left + 1))
        left -= int(count)
    if counts.max() < len(kinds):
        writer.write(kinds, entropy.categorical(counts))
    patterns = (quarters == 2) @ BITS
    for fines in (1, 2, 3):
        if counts[1 + fines]:
            way = np.searchsorted(WAYS[fines], patterns[kinds == 1 + fines])
            writer.write(way.astype(np.int32), entropy.uniform(len(WAYS[fines])))
    return counts


def read_counts(reader: SymbolReader, blocks: int) -> NDArray[np.int64]:
    """Blocks of each kind, int64 [6]."""
    counts, left = np.zeros(KINDS, np.int64), blocks
    for kind in range(KINDS - 1):
        if left:
            counts[kind] = reader.read(1, entropy.uniform(left + 1))[0]
        left -= int(counts[kind])
    counts[-1] = left
    return counts


def read(reader: SymbolReader, blocks: int) -> NDArray[np.uint8]:
    """Inverse of `write`: levels of the quarters, uint8 [blocks, 4].

    Raises:
        BitstreamError: If the counts and the kinds disagree.
    """
    counts = read_counts(reader, blocks)
    kinds = _read_kinds(reader, counts, blocks)
    quarters = np.repeat((kinds > 0).astype(np.uint8)[:, None], 4, axis=1)
    quarters[kinds == KINDS - 1] = 2
    for fines in (1, 2, 3):
        if counts[1 + fines]:
            way = reader.read(int(counts[1 + fines]), entropy.uniform(len(WAYS[fines])))
            quarters[kinds == 1 + fines] += (WAYS[fines][way][:, None] & BITS > 0).astype(np.uint8)
    return quarters


def _read_kinds(reader: SymbolReader, counts: NDArray[np.int64], blocks: int) -> NDArray[np.int32]:
    if counts.max() == blocks:
        return np.full(blocks, counts.argmax(), np.int32)
    kinds = reader.read(blocks, entropy.categorical(counts))
    found = np.bincount(kinds, minlength=KINDS)
    if not np.array_equal(found, counts):
        raise BitstreamError("granularity", f"blocks of each kind must be {counts.tolist()}", found.tolist())
    return kinds
