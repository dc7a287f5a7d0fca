"""Slices of the toy codec as bytes: which blocks travel together, and how many bits a colour has."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

# Steps of a 2-D low-discrepancy sequence as 32-bit fractions: 1/g and 1/g^2 for the plastic number
# g = 1.3247..., the root of g^3 = g + 1 (M. Roberts, "The Unreasonable Effectiveness of Quasirandom
# Sequences", 2018). Integers, so every machine gets the same order.
STEP_X, STEP_Y = 3242174889, 2447445414

# crc32 of all that follows (4 bytes), slice index, slice count, how it is coded: interleave id in the low
# bits, bits a token in the high ones; then the tokens
HEADER = struct.Struct(">IBBB")
INTERLEAVES = ("raster", "low_discrepancy", "checkerboard")
INTERLEAVE_BITS = 2

FULL_BITS = 24  # of a token: 8 for each colour, and as few as 1 for each at the lowest rate
TOKEN_BITS = range(3, FULL_BITS + 1)


def slice_order(grid: tuple[int, int], interleave: str, count: int) -> NDArray[np.intp]:
    """Order in which blocks are dealt to slices: the first n/count to slice 0, and so on.

    With `low_discrepancy`, block (y, x) gets the phase frac(x/g + y/g^2): side by side, two blocks
    are 0.25 of a turn apart, one above the other 0.43; so with four slices neighbours travel in
    different packets, and one can be guessed from the other. With `checkerboard` it goes to slice
    x + floor(y count / 2) mod count, the dispersed slice groups of H.264 (ITU-T H.264, 8.2.2.2), as far
    as equal shares allow.

    Args:
        grid: (rows, columns) of blocks.
        interleave: One of INTERLEAVES.
        count: Slices of the frame.

    Returns:
        A permutation of row * columns + column.
    """
    rows, cols = grid
    if interleave == "raster":
        return np.arange(rows * cols)
    y, x = np.mgrid[:rows, :cols].astype(np.uint64)
    if interleave == "checkerboard":
        return np.argsort(((x + y * count // 2) % count).ravel(), kind="stable")
    phase = (x * STEP_X + y * STEP_Y) & 0xFFFFFFFF
    return np.argsort(phase.ravel(), kind="stable")


def shares(total: int, parts: int) -> NDArray[np.intp]:
    """Borders that cut `total` into `parts` nearly equal runs: [parts + 1].

    >>> shares(10, 4).tolist()
    [0, 2, 5, 7, 10]
    """
    return np.arange(parts + 1) * total // parts


def colour_bits(bits: int) -> tuple[int, int, int]:
    """Bits of red, green and blue in a token of `bits`: green first, to which eyes are keenest, then red.

    >>> colour_bits(24), colour_bits(16)
    ((8, 8, 8), (5, 6, 5))
    """
    return (bits + 1) // 3, (bits + 2) // 3, bits // 3


def _pack(tokens: NDArray[np.uint8], bits: int) -> bytes:
    """Tokens uint8 [N, 3] as N fields of `bits` bits: the high bits of each colour."""
    columns = [
        np.unpackbits(tokens[:, colour, None], axis=1)[:, :depth] for colour, depth in enumerate(colour_bits(bits))
    ]
    return np.packbits(np.concatenate(columns, axis=1)).tobytes()


def _unpack(data: NDArray[np.uint8], count: int, bits: int) -> NDArray[np.uint8]:
    """Inverse of `_pack`: uint8 [count, 3]; a colour is in the middle of those it stands for."""
    fields = np.unpackbits(data)[: count * bits].reshape(count, bits)
    tokens = np.zeros((count, 3), dtype=np.uint8)
    start = 0
    for colour, depth in enumerate(colour_bits(bits)):
        tokens[:, colour] = np.packbits(fields[:, start : start + depth], axis=1)[:, 0]
        tokens[:, colour] += (1 << (8 - depth)) >> 1
        start += depth
    return tokens


def write(tokens: NDArray[np.uint8], index: int, count: int, interleave: str, bits: int) -> bytes:
    """A slice that decodes alone.

    Args:
        tokens: uint8 [N, 3], those of the slice.
        index: Which slice of its frame.
        count: Slices of the frame.
        interleave: One of INTERLEAVES.
        bits: Of a token; one of TOKEN_BITS.
    """
    coding = INTERLEAVES.index(interleave) | bits << INTERLEAVE_BITS
    body = bytes((index, count, coding)) + _pack(tokens, bits)
    return struct.pack(">I", zlib.crc32(body)) + body


def read(data: bytes, grid: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.uint8]] | None:
    """Inverse of `write`: places row * columns + column [N] and tokens uint8 [N, 3]; None if damaged."""
    if len(data) < HEADER.size:
        return None
    crc, index, count, coding = HEADER.unpack_from(data)
    interleave, bits = coding & ((1 << INTERLEAVE_BITS) - 1), coding >> INTERLEAVE_BITS
    if crc != zlib.crc32(data[4:]) or bits not in TOKEN_BITS or index >= count or interleave >= len(INTERLEAVES):
        return None
    borders = shares(grid[0] * grid[1], count)
    where = slice_order(grid, INTERLEAVES[interleave], count)[borders[index] : borders[index + 1]]
    body = np.frombuffer(data, dtype=np.uint8, offset=HEADER.size)
    if body.size != -(-where.size * bits // 8):  # intact, but of a picture of another size
        return None
    return where, _unpack(body, where.size, bits)
