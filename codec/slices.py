"""One slice: some blocks of one picture as bytes that decode alone.

    flags     1 byte    bits 0-1 entropy model (0 uniform, 1 static, 2 context, 3 neighbours), bit 2 mixed granularity,
                        bit 3 interleave (0 raster, 1 low discrepancy), bits 4-7 book: coarse tokens
                        are of a codebook of K >> book codewords; or 15: more flags follow
    more      1 byte    only with 15: bits 0-3 interleave (2 checkerboard), bits 4-7 book; bit 3 above is 0
    cut       1 byte    0 to 254, only if book > 0: share of blocks, in 1/255, of book - 1 instead
    payload   n bytes   range coded granularity and indices, see codec/payload.py
    checksum  2 bytes   CRC-16 of place, flags, cut and payload

Which blocks, follows from (index, count) of the slice and its interleave flag; how many tokens, from
the granularity. The place in the checksum is not sent: index, count, grid, start of the model hash.
So a slice that was damaged, put at another place, or made with other weights fails (but for 1 damage
in 65536). With `context` the checksum goes on over the start of the predictor's hash and over the indices:
should the two ends compute other probabilities, the slice fails too.
"""

import struct
from binascii import crc_hqx
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codec import entropy, interleave
from codec.books import book_of_block
from codec.entropy import CONTEXT
from codec.errors import BitstreamError
from codec.parts import Part
from codec.payload import Begun, Context, begin, read_indices, write_payloads
from codec.tables import Tables
from codec.tokens import CUTS, Books

MAX_SLICES = 255
MORE = 15  # in place of a book: no K has so many
ENTROPY_MODELS = {number: name for name, number in entropy.WIRE.items()}
PLACE = struct.Struct(">BBHH4s")  # index, count, h, w, start of the model hash
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

    def checksum(self, body: bytes, agreed: bytes = b"") -> int:
        """CRC-16 (CCITT polynomial, start 0xFFFF) of the place, then of flags, cut and payload, then of `agreed`."""
        place = PLACE.pack(self.index, self.count, *self.grid, self.model_hash[:4])
        return crc_hqx(agreed, crc_hqx(body, crc_hqx(place, 0xFFFF)))


class Flags(NamedTuple):
    """Flags and cut in words."""

    entropy_model: str
    mixed: bool
    interleave: str
    books: Books

    def pack(self) -> bytes:
        """Flags to 1 byte, one more for a method that has no place in it, one more for a cut."""
        book, cut = self.books
        first = entropy.WIRE[self.entropy_model] | self.mixed << 2
        method = interleave.METHODS.index(self.interleave)
        if needs_more(self.interleave):
            flags = [first | MORE << 4, method | book << 4]
        else:
            flags = [first | method << 3 | book << 4]
        return bytes([*flags, cut] if book else flags)

    @classmethod
    def parse(cls, data: bytes, where: str, offset: int = 1) -> "Flags":
        """The bytes, as many as `flags_size` says, to flags; `where`, and `offset` of the second, are for errors.

        Raises:
            BitstreamError: If the interleave, the book or the cut is none.
        """
        byte, method, book, cut = data[0], data[0] >> 3 & 1, data[0] >> 4, data[-1]
        if book == MORE:
            method, book = method << 4 | data[1] & 15, data[1] >> 4
            if method != interleave.METHODS.index("checkerboard") or book == MORE:
                rule = "must say checkerboard, and a book below 15"
                raise BitstreamError(f"{where}, offset {offset}, flags", rule, data[:2].hex())
        if book and cut >= CUTS:
            raise BitstreamError(f"{where}, offset {offset + len(data) - 2}, cut", f"must be below {CUTS}", cut)
        books = Books(book, cut if book else 0)
        return cls(ENTROPY_MODELS[byte & 3], bool(byte >> 2 & 1), interleave.METHODS[method], books)


def needs_more(method: str) -> bool:
    """Whether an interleave takes a second byte of flags: the first has one bit for it."""
    return interleave.METHODS.index(method) > 1


def flags_size(start: bytes) -> int:
    """Bytes of flags and cut, given the first two, or all there are."""
    more = start[0] >> 4 == MORE
    book = start[1] >> 4 if more and len(start) > 1 else start[0] >> 4
    return 1 + more + (book > 0)


def encode_parts(
    parts: Sequence[Part],
    flags: Sequence[Flags],
    places: Sequence[Place],
    tables: Tables,
    context: Context | None = None,
) -> list[bytes]:
    """Parts of pictures of one size, each to the bytes of a slice.

    Args:
        parts: Blocks, levels, indices within their codebooks; at least one.
        flags: How to code each; of the same books, and of one entropy model.
        places: Where each belongs.
        tables: Probabilities of the indices.
        context: Those of the model `context`.
    """
    mixed = [one.mixed for one in flags]
    payloads = write_payloads(parts, places[0].grid, mixed, flags[0].entropy_model, tables, context)
    slices = []
    for part, one, place, payload in zip(parts, flags, places, payloads, strict=True):
        body = one.pack() + payload
        slices.append(body + CHECKSUM.pack(place.checksum(body, _agreed(one, part.index, context))))
    return slices


class Opened(NamedTuple):
    """A slice whose granularity is read, its indices not yet."""

    place: Place
    body: bytes
    checksum: int
    flags: Flags
    begun: Begun


def decode_slices(
    sent: Sequence[tuple[bytes, Place]], tables: Tables, context: Context | None = None
) -> list[Part | BitstreamError]:
    """The bytes of slices of pictures of one size, each to its blocks, levels and indices.

    In place of a slice that is damaged, of another place, picture size, model or version, an error tells where.
    """
    opened = [_opened(data, place, tables) for data, place in sent]
    whole = [one for one in opened if isinstance(one, Opened)]
    read = iter(read_indices([one.begun for one in whole], tables, context))
    return [_closed(one, next(read), context) if isinstance(one, Opened) else one for one in opened]


def decode_slice(data: bytes, place: Place, tables: Tables, context: Context | None = None) -> Part:
    """The same for one slice.

    Raises:
        BitstreamError: If it is damaged, of another place, picture size, model or version.
    """
    (found,) = decode_slices([(data, place)], tables, context)
    if isinstance(found, BitstreamError):
        raise found
    return found


def _opened(data: bytes, place: Place, tables: Tables) -> Opened | BitstreamError:
    """A slice up to its indices, if it is whole."""
    try:
        return _open(data, place, tables)
    except BitstreamError as error:
        return error


def _open(data: bytes, place: Place, tables: Tables) -> Opened:
    body, checksum = _split(data, place)
    head = flags_size(body)
    if body[0] & 3 != entropy.WIRE[CONTEXT]:
        _check(place, body, checksum)
    flags, payload = Flags.parse(body[:head], str(place)), body[head:]
    size = interleave.part_size(place.grid[0] * place.grid[1], place.count, place.index)
    check_length(f"{place}, offset {head}, payload", len(payload), size, flags, tables)
    blocks = interleave.partition(place.grid, place.count, flags.interleave)[place.index]
    book = book_of_block(place.grid, flags.books)[blocks]
    try:
        begun = begin(payload, place.grid, blocks, book, flags.mixed, flags.entropy_model)
    except BitstreamError as error:
        raise _placed(error, place, head) from error
    return Opened(place, body, checksum, flags, begun)


def _closed(
    opened: Opened, index: NDArray[np.int32] | BitstreamError, context: Context | None
) -> Part | BitstreamError:
    """The blocks of a slice with their indices, if these could be read and are those that were sent."""
    place, body, checksum, flags, begun = opened
    if isinstance(index, BitstreamError):
        return _placed(index, place, flags_size(body))
    if flags.entropy_model == CONTEXT:
        try:
            _check(place, body, checksum, _agreed(flags, index, context))
        except BitstreamError as error:
            return error
    return Part(begun.known.blocks, begun.known.level, index, flags.books)


def _placed(error: BitstreamError, place: Place, offset: int) -> BitstreamError:
    """An error of a payload that begins there, with the place said."""
    return BitstreamError(f"{place}, offset {offset}, {error.args[0]}", *error.args[1:])


def _agreed(flags: Flags, index: NDArray[np.int32], context: Context | None) -> bytes:
    """What both ends must have and find alike with `context`; tables are integers, and part of the model hash."""
    if flags.entropy_model != CONTEXT or context is None:
        return b""
    return context.hash[:4] + index.astype(">u2").tobytes()


def check_length(where: str, size_bytes: int, blocks: int, flags: Flags, tables: Tables) -> None:
    """Payloads are no shorter than their information: set nothing up for what cannot be.

    Raises:
        BitstreamError: If so many blocks cannot be in so few bytes, or the tables know no such book.
    """
    book = flags.books.book
    if book >= tables.books:
        raise BitstreamError(where, f"of a book below {tables.books}", book, "Use the weights it was made with")
    if 8 * size_bytes < 0.99 * blocks * tables.least_bits(flags.entropy_model, {book, max(0, book - 1)}):
        raise BitstreamError(where, f"too short for {blocks} blocks", size_bytes)


def _split(data: bytes, place: Place) -> tuple[bytes, int]:
    """Flags and payload of a slice whose place and length are right, and its checksum."""
    blocks = place.grid[0] * place.grid[1]
    if not 0 <= place.index < place.count <= min(MAX_SLICES, blocks):
        raise BitstreamError(str(place), f"a picture of {blocks} blocks has no such slice")
    least = CHECKSUM.size + (flags_size(data) if data else 1)
    if len(data) < least:
        raise BitstreamError(f"{place}, offset 0, flags", f"flags and checksum have at least {least} bytes", len(data))
    return data[: -CHECKSUM.size], CHECKSUM.unpack(data[-CHECKSUM.size :])[0]


def _check(place: Place, body: bytes, checksum: int, agreed: bytes = b"") -> None:
    if place.checksum(body, agreed) != checksum:
        rule = "does not match: damaged, or of another place or model"
        raise BitstreamError(f"{place}, offset {len(body)}, checksum", rule, f"{checksum:04x}")
