"""One slice: some blocks of one picture as bytes that decode alone.

    flags     1 byte    bits 0-1 entropy model (0 uniform, 1 static), bit 2 mixed granularity,
                        bit 3 interleave (0 raster, 1 low discrepancy), bits 4-7 log2 K
    payload   n bytes   range coded granularity and indices, see codec/payload.py
    checksum  2 bytes   CRC-16 of context, flags and payload

Which blocks, follows from (index, count) of the slice and its interleave flag; how many tokens, from
the granularity. The context of the checksum is not sent: index, count, grid, start of the model hash.
So a slice that was damaged, put at another place, or made with other weights fails (but for 1 damage
in 65536).
"""

import struct
from binascii import crc_hqx
from dataclasses import dataclass
from typing import NamedTuple

from codec import entropy, interleave
from codec.entropy import Tables
from codec.errors import BitstreamError
from codec.payload import read_payload, write_payload
from codec.tokens import Part

MAX_SLICES = 255
CONTEXT = struct.Struct(">BBHH4s")  # index, count, h, w, start of the model hash
CHECKSUM = struct.Struct(">H")


@dataclass(frozen=True)
class Place:
    """What a receiver must know of a slice to decode it.

    Attributes:
        index, count: Slice `index` of `count` of its picture.
        grid: (h, w) of the picture in blocks.
        model_hash: Digest of the weights, 4 bytes or more.
    """

    index: int
    count: int
    grid: tuple[int, int]
    model_hash: bytes

    def __str__(self) -> str:
        return f"slice {self.index} of {self.count}"

    def checksum(self, body: bytes) -> int:
        """CRC-16 (CCITT polynomial, start 0xFFFF) of the context, then of flags and payload."""
        context = CONTEXT.pack(self.index, self.count, *self.grid, self.model_hash[:4])
        return crc_hqx(body, crc_hqx(context, 0xFFFF))


class Flags(NamedTuple):
    """The flags byte in words."""

    entropy_model: str
    mixed: bool
    interleave: str
    codes: int

    def pack(self) -> int:
        """Flags to the byte."""
        return (
            entropy.MODELS.index(self.entropy_model)
            | self.mixed << 2
            | interleave.METHODS.index(self.interleave) << 3
            | (self.codes.bit_length() - 1) << 4
        )

    @classmethod
    def parse(cls, byte: int, where: str) -> "Flags":
        """The byte to flags.

        Raises:
            BitstreamError: If entropy model or codebook size are none of this version.
        """
        if byte & 3 >= len(entropy.MODELS):
            raise BitstreamError(where, f"entropy model must be below {len(entropy.MODELS)}", byte & 3)
        if byte >> 4 == 0:
            raise BitstreamError(where, "log2 K must be from 1 to 15", 0)
        return cls(entropy.MODELS[byte & 3], bool(byte >> 2 & 1), interleave.METHODS[byte >> 3 & 1], 1 << (byte >> 4))


def encode_slice(part: Part, flags: Flags, place: Place, tables: Tables) -> bytes:
    """Blocks to the bytes of a slice.

    Args:
        part: Blocks, levels, indices below `tables.codes`.
        flags: How to code them.
        place: Where the slice belongs.
        tables: Probabilities of the indices.
    """
    body = bytes([flags.pack()]) + write_payload(part, flags.mixed, flags.entropy_model, tables)
    return body + CHECKSUM.pack(place.checksum(body))


def decode_slice(data: bytes, place: Place, tables: Tables) -> Part:
    """The bytes of a slice to its blocks, levels and indices.

    Raises:
        BitstreamError: If the slice is damaged, of another place, picture size, model or version.
    """
    body = _checked(data, place)
    flags, payload = Flags.parse(body[0], f"{place}, offset 0, flags"), body[1:]
    if flags.codes != tables.codes:
        raise BitstreamError(f"{place}, offset 0, flags", f"codebooks of {tables.codes} are needed", flags.codes)
    size = interleave.part_size(place.grid[0] * place.grid[1], place.count, place.index)
    # Payloads are at most 4 bytes shorter than their information: set nothing up for what cannot be.
    if 8 * (len(payload) + 5) < 0.99 * size * tables.least_bits(flags.entropy_model):
        raise BitstreamError(f"{place}, offset 1, payload", f"too short for {size} blocks", len(payload))
    blocks = interleave.partition(place.grid, place.count, flags.interleave)[place.index]
    try:
        return read_payload(payload, blocks, flags.mixed, flags.entropy_model, tables)
    except BitstreamError as error:
        raise BitstreamError(f"{place}, offset 1, {error.args[0]}", *error.args[1:]) from error


def _checked(data: bytes, place: Place) -> bytes:
    """Flags and payload of a slice whose place, length and checksum are right."""
    blocks = place.grid[0] * place.grid[1]
    if not 0 <= place.index < place.count <= min(MAX_SLICES, blocks):
        raise BitstreamError(str(place), f"a picture of {blocks} blocks has no such slice")
    if len(data) < 1 + CHECKSUM.size:
        raise BitstreamError(f"{place}, offset 0, flags", "a slice has at least 3 bytes", len(data))
    body, checksum = data[: -CHECKSUM.size], CHECKSUM.unpack(data[-CHECKSUM.size :])[0]
    if place.checksum(body) != checksum:
        rule = "does not match: damaged, or of another place or model"
        raise BitstreamError(f"{place}, offset {len(body)}, checksum", rule, f"{checksum:04x}")
    return body
