"""The .vqs file: all slices of one picture behind one header.

A .vqs file is a header, then for each slice its length (7 bits a byte, lowest first, top bit set if
more bytes follow), its payload and its checksum. Where a slice has 16 kB or more, the lengths say instead
how far each is from an even share of what is left of the file (0, -1, 1, -2, ... as 0, 1, 2, 3, ...):
slices of one picture are much alike. The flags, common to all slices, stand in the header:

    magic     2 bytes   "VQ"
    version   1 byte    2, or 3 with shares for lengths
    flags     1 byte    see codec/slices.py
    height    2 bytes   pixels, 16 to 16384
    width     2 bytes
    model     2 bytes   start of the model hash
    slices    1 byte    1 to 255
    more      1 byte    see codec/slices.py; only if the flags say so
    cut       1 byte    see codec/slices.py; only if book > 0

    56 51 02 0d 02 00 03 00 3f 91 04   512 x 768 pixels, static, mixed, interleaved, book 0, 4 slices

docs/bitstream.md walks through a whole file.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codec import entropy, granularity_map, interleave
from codec.bitstream import MAX_SIDE, TokenSlice, grid_of
from codec.config import BLOCK
from codec.errors import BitstreamError, RequestError
from codec.payload import declared_kinds
from codec.slices import CHECKSUM, MAX_SLICES, Flags, check_length, flags_size, needs_more
from codec.tables import Tables

MIN_SIDE = BLOCK
HEADER = struct.Struct(">2sBBHH2sB")
MAGIC, VERSION, SHARES = b"VQ", 2, 3  # SHARES: the version of files whose lengths are relative
LONG = 1 << 14  # bytes of a slice from which a length would have three bytes
MODEL_BYTES = 2  # of the hash in a file's header; the checksums hold four


@dataclass(frozen=True)
class VqsFile:
    """A .vqs file in its parts.

    Attributes:
        size: (H, W) in pixels.
        model: First 2 bytes of the model hash.
        flags: Common to all slices.
        slices: All of them, in order.
        map_bits: What the granularity costs, of all slices.
    """

    size: tuple[int, int]
    model: bytes
    flags: Flags
    slices: tuple[TokenSlice, ...]
    map_bits: float


def write_vqs(size: tuple[int, int], slices: Sequence[TokenSlice], model_hash: bytes) -> bytes:
    """All slices of one picture of (H, W) pixels to the bytes of a .vqs file.

    Raises:
        RequestError: If a side is not in 16..16384, or slices are missing or not in order.
    """
    if not MIN_SIDE <= min(size) <= max(size) <= MAX_SIDE:
        raise RequestError("picture", f"sides must be from {MIN_SIDE} to {MAX_SIDE} pixels", size)
    order = [(piece.index, piece.count) for piece in slices]
    if not order or order != [(i, len(slices)) for i in range(len(slices))]:
        raise RequestError("slices", "a file holds every slice of a picture, in order", order)
    head = flags_size(slices[0].data)
    flags = slices[0].data[:head]
    assert all(piece.data[:head] == flags for piece in slices), "slices of one picture have the same flags"
    lengths = [len(piece.data) - head for piece in slices]
    version = SHARES if max(lengths) >= LONG else VERSION
    numbers = relative_lengths(np.array(lengths)).tolist() if version == SHARES else lengths
    header = HEADER.pack(MAGIC, version, flags[0], *size, model_hash[:MODEL_BYTES], len(slices)) + flags[1:]
    bodies = (_pack_length(number) + piece.data[head:] for number, piece in zip(numbers, slices, strict=True))
    return header + b"".join(bodies)


def relative_lengths(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lengths [..., slices] to numbers that say how far each is from its share of what is left.

    What is left of a file at a slice is its own length, and all that comes after it with the numbers.
    """
    numbers, left = np.zeros_like(lengths), np.zeros_like(lengths[..., 0])
    count = lengths.shape[-1]
    for at in reversed(range(count)):
        left = left + lengths[..., at]
        beyond = lengths[..., at] - left // (count - at)
        numbers[..., at] = np.where(beyond < 0, -2 * beyond - 1, 2 * beyond)
        left = left + _length_bytes(numbers[..., at])
    return numbers


def _length_bytes(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bytes that `_pack_length` takes."""
    return 1 + np.searchsorted([1 << 7, 1 << 14, 1 << 21], numbers, side="right")


def overhead_bytes(
    payloads: NDArray[np.int64], cut: NDArray[np.bool_], interleave_method: str, file: bool
) -> NDArray[np.int64]:
    """What comes on top of payloads of these sizes.

    Args:
        payloads: Bytes [..., slices].
        cut: [...], whether there is a cut to send.
        interleave_method: One of `interleave.METHODS`.
        file: In a .vqs file, or else in the slices themselves.

    Returns:
        Bytes [...].
    """
    head: NDArray[np.int64] = 1 + needs_more(interleave_method) + cut.astype(np.int64)
    if not file:
        slices_only: NDArray[np.int64] = (head + CHECKSUM.size) * payloads.shape[-1]
        return slices_only
    sizes = payloads + CHECKSUM.size
    long = sizes.max(axis=-1, keepdims=True) >= LONG
    lengths = _length_bytes(np.where(long, relative_lengths(sizes), sizes))
    total: NDArray[np.int64] = HEADER.size + head - 1 + (lengths + CHECKSUM.size).sum(-1)
    return total


def read_vqs(
    data: bytes, name: str = "stream", model_hash: bytes | None = None, tables: Tables | None = None
) -> VqsFile:
    """The bytes of a .vqs file to its slices, which are not decoded yet: that is for `assemble`.

    Args:
        data: The whole file.
        name: What to call it in errors.
        model_hash: Digest of the weights at hand; None takes a file of any.
        tables: Probabilities of these weights: slices too short for the declared size are refused, before
            anything of that size is set up.

    Raises:
        BitstreamError: If it is no .vqs file, of another version or model, cut short, or too long.
    """
    if len(data) < HEADER.size:
        raise BitstreamError(f"{name}, offset 0, header", f"must have {HEADER.size} bytes", len(data))
    magic, version, byte, height, width, model, count = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise BitstreamError(f"{name}, offset 0, magic", f"a .vqs file starts with {MAGIC!r}", magic)
    if version not in (VERSION, SHARES):
        next_step = "Encode the picture again" if version == 1 else ""
        rule = f"this reader knows versions {VERSION} and {SHARES}"
        raise BitstreamError(f"{name}, offset 2, version", rule, version, next_step)
    for offset, field, side in ((4, "height", height), (6, "width", width)):
        if not MIN_SIDE <= side <= MAX_SIDE:
            rule = f"must be from {MIN_SIDE} to {MAX_SIDE}"
            raise BitstreamError(f"{name}, offset {offset}, {field}", rule, side)
    grid = grid_of((height, width))
    if not 1 <= count <= min(MAX_SLICES, grid[0] * grid[1]):
        rule = f"must be from 1 to {min(MAX_SLICES, grid[0] * grid[1])}"
        raise BitstreamError(f"{name}, offset {HEADER.size - 1}, slices", rule, count)
    if model_hash is not None and model != model_hash[:MODEL_BYTES]:
        rule = f"the weights at hand are {model_hash[:MODEL_BYTES].hex()}"
        raise BitstreamError(f"{name}, offset 8, model", rule, model.hex(), "Point at the weights it was made with")
    flags, start = _flags(data, byte, name)
    slices, map_cost = [], 0
    for index, (offset, body) in enumerate(_split(data, start, count, name, version == SHARES)):
        blocks = interleave.part_size(grid[0] * grid[1], count, index)
        if tables is not None:
            where = f"{name}, offset {offset}, payload of slice {index}"
            check_length(where, len(body) - CHECKSUM.size, blocks, flags, tables)
        try:
            kinds = declared_kinds(body[: -CHECKSUM.size], blocks, flags.mixed)
        except BitstreamError:  # damaged, as `assemble` will find: the others may be whole
            kinds = np.zeros(granularity_map.KINDS, np.int64)
        map_cost += int(granularity_map.cost(kinds)[0]) if flags.mixed else 0
        slices.append(TokenSlice(index, count, granularity_map.tokens_of(kinds), flags.pack() + body))
    return VqsFile((height, width), model, flags, tuple(slices), map_cost / (1 << entropy.UNIT_BITS))


def _flags(data: bytes, byte: int, name: str) -> tuple[Flags, int]:
    """Flags of the header, with more and the cut that may stand behind it, and where the slices begin."""
    start = HEADER.size + flags_size(bytes([byte]) + data[HEADER.size : HEADER.size + 1]) - 1
    if len(data) < start:
        raise BitstreamError(f"{name}, offset {len(data)}, cut", "the file ends before it")
    parsed = Flags.parse(bytes([byte]) + data[HEADER.size : start], name, HEADER.size)
    return parsed, start


def _split(data: bytes, offset: int, count: int, name: str, shares: bool) -> list[tuple[int, bytes]]:
    """Offset, payload and checksum of each slice of a file; nothing may be missing or left over."""
    bodies = []
    for index in range(count):
        where = f"{name}, offset {offset}, length of slice {index}"
        length, start = _parse_length(data, offset, where)
        if shares:
            beyond = -(length + 1) // 2 if length & 1 else length // 2
            length = (len(data) - start) // (count - index) + beyond
        offset = start + length
        if not CHECKSUM.size <= length <= len(data) - start:
            rule = f"must be from {CHECKSUM.size} to {len(data) - start}, the bytes that are left"
            raise BitstreamError(where, rule, length, "The file is cut short or damaged")
        bodies.append((start, data[start:offset]))
    if offset != len(data):
        raise BitstreamError(f"{name}, offset {offset}", "the file must end here", f"{len(data) - offset} more bytes")
    return bodies


def _pack_length(length: int) -> bytes:
    """7 bits a byte, lowest first, top bit set if more follow (LEB128)."""
    out = bytearray()
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*out, length])


def _parse_length(data: bytes, offset: int, where: str) -> tuple[int, int]:
    """Inverse of `_pack_length`: the length, and the offset behind it."""
    length = 0
    for number, byte in enumerate(data[offset : offset + 4]):
        length |= (byte & 0x7F) << 7 * number
        if byte < 0x80:
            return length, offset + number + 1
    raise BitstreamError(where, "no end of it within 4 bytes", data[offset : offset + 4].hex(), "The file is damaged")
