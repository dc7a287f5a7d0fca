"""A compressed frame that only decodes whole, cut into as few packets as it takes.

    checksum  4 bytes   CRC-32 of all that follows: image libraries must not meet damage
    flags     1 byte    bit 0: key frame, which needs no other
    part      n bytes   of the compressed frame

As few, since each further packet is one more way to lose the frame: real packetizers (RFC 6184 and
9628 for H.264 and VP9) fill packets too. `packetizer.packets_per_frame` is for codecs whose slices
decode alone.
"""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

from simulator.errors import MediaError
from simulator.media import Slice
from simulator.toy_slices import shares

PART_BYTES = 1200  # of a frame in one packet: what WebRTC sends, safely below any MTU
HEADER_BYTES = 5
MAX_PARTS = 255


class Joined(NamedTuple):
    """A frame put together: its bytes (None if a part is missing), key frame or not, damaged parts."""

    data: bytes | None
    key: bool
    corrupt: int


def seal(body: bytes) -> bytes:
    """Put the checksum of a body before it."""
    return zlib.crc32(body).to_bytes(4, "big") + body


def unseal(data: bytes) -> bytes | None:
    """The body, or None if the checksum does not match."""
    body = data[4:]
    return body if body and zlib.crc32(body) == int.from_bytes(data[:4], "big") else None


def cut(frame: bytes, tokens: int, key: bool = True, importance: int = 0) -> tuple[Slice, ...]:
    """A compressed frame to slices.

    Args:
        frame: Its bytes.
        tokens: 16x16 blocks of the picture, dealt evenly to the slices: what a lost one is counted as.
        key: Whether it is a key frame.
        importance: Of the frame, hence of all its slices: without one of them, the others are of no use.

    Raises:
        MediaError: If it takes more than 255 packets.
    """
    count = max(1, -(-len(frame) // PART_BYTES))
    if count > MAX_PARTS:
        rule = f"a compressed frame must fit {MAX_PARTS} packets of {PART_BYTES} bytes"
        raise MediaError("codec.bpp", rule, f"{len(frame)} bytes", "Lower codec.bpp or source.size")
    at, dealt = shares(len(frame), count), shares(tokens, count)
    flags = bytes([key])
    return tuple(
        Slice(i, count, int(dealt[i + 1] - dealt[i]), seal(flags + frame[at[i] : at[i + 1]]), importance=importance)
        for i in range(count)
    )


def join(slices: Sequence[Slice]) -> Joined:
    """Slices that arrived, in any order, to the frame."""
    bodies = {part.index: unseal(part.data) for part in slices}
    corrupt = sum(body is None for body in bodies.values())
    parts = [bodies.get(index) for index in range(slices[0].count)] if slices else [None]
    whole = [part for part in parts if part is not None]
    if len(whole) < len(parts):
        return Joined(None, False, corrupt)
    return Joined(b"".join(part[1:] for part in whole), bool(whole[0][0] & 1), corrupt)
