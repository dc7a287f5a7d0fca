"""A packet, its bytes on the wire, and the arithmetic of numbers that wrap.

    IPv4 20 | UDP 8 | RTP 12 | payload header 6 | payload: one slice

IP and UDP headers are only counted; a link needs their size and nobody reads their fields.
"""

import struct
from dataclasses import dataclass
from typing import Literal

Kind = Literal["media", "fec", "retransmission"]

# RTP payload types: from the dynamic range 96 to 127 (RFC 3551, section 3). Repair packets have
# their own, as in RFC 4588 and RFC 8627, so that a receiver without repair can ignore them.
PAYLOAD_TYPES: dict[Kind, int] = {"media": 96, "fec": 97, "retransmission": 98}
KINDS = {number: kind for kind, number in PAYLOAD_TYPES.items()}

CLOCK_HZ = 90_000  # of the timestamp: the clock of all RTP video formats (RFC 3551, section 5)

# RTP header (RFC 3550, section 5.1), big endian:
#   bits  0-1  version, 2        2 padding, 0      3 extension, 0     4-7 number of CSRCs, 0
#   bit     8  marker: last packet of its frame    9-15 payload type
#   16 bits    sequence number                     32 bits timestamp  32 bits SSRC
# Payload header:
#   16 bits    frame number      8 bits slice index       8 bits slice count     16 bits tokens
HEADER = struct.Struct(">BBHII HBBH")
FIRST_BYTE = 0x80  # version 2 and nothing else
MARKER = 0x80

IP_UDP_BYTES = 20 + 8  # IPv4 without options (RFC 791, section 3.1), UDP (RFC 768)
OVERHEAD_BYTES = IP_UDP_BYTES + HEADER.size

MAX_SLICES = 255
MAX_TOKENS = 0xFFFF


@dataclass(frozen=True, slots=True)
class Packet:
    """What a sender sends: frozen, since facts learnt on the way belong to its `Journey`.

    Attributes:
        sequence: RTP sequence number, 16 bit, wraps.
        timestamp: Capture time in ticks of CLOCK_HZ from a random start, 32 bit, wraps.
        ssrc: Which stream, 32 bit.
        marker: True for the last packet of a frame.
        frame: Frame number, 16 bit, wraps; `unwrap` gives the whole number back.
        slice_index: Which slice of the frame, 0 to slice_count - 1.
        slice_count: Slices of the frame, at most MAX_SLICES.
        tokens: Tokens in the slice, at most MAX_TOKENS.
        kind: "media", "fec" or "retransmission".
        payload: The slice.
    """

    sequence: int
    timestamp: int
    ssrc: int
    marker: bool
    frame: int
    slice_index: int
    slice_count: int
    tokens: int
    kind: Kind
    payload: bytes

    @property
    def size_bytes(self) -> int:
        """Size on the wire, all headers included."""
        return OVERHEAD_BYTES + len(self.payload)


def serialize(packet: Packet) -> bytes:
    """The bytes of a packet after the UDP header.

    Raises:
        struct.error: If a number does not fit its field.
    """
    return (
        HEADER.pack(
            FIRST_BYTE,
            PAYLOAD_TYPES[packet.kind] | MARKER * packet.marker,
            packet.sequence,
            packet.timestamp,
            packet.ssrc,
            packet.frame,
            packet.slice_index,
            packet.slice_count,
            packet.tokens,
        )
        + packet.payload
    )


def parse(data: bytes) -> Packet:
    """Inverse of `serialize`.

    Raises:
        ValueError: If the bytes are no packet of this format; the message names the field.
    """
    if len(data) < HEADER.size:
        raise ValueError(f"header: {HEADER.size} bytes are needed, got {len(data)}")
    first, second, sequence, timestamp, ssrc, frame, index, count, tokens = HEADER.unpack_from(data)
    if first >> 6 != FIRST_BYTE >> 6:
        raise ValueError(f"version: must be 2, got {first >> 6}")
    if first != FIRST_BYTE:
        raise ValueError(f"first byte: no padding, extension or CSRC is used here, got {first:#04x}")
    if second & ~MARKER not in KINDS:
        raise ValueError(f"payload type: must be one of {sorted(KINDS)}, got {second & ~MARKER}")
    if index >= count:
        raise ValueError(f"slice index: must be below the slice count {count}, got {index}")
    marker, kind = bool(second & MARKER), KINDS[second & ~MARKER]
    return Packet(sequence, timestamp, ssrc, marker, frame, index, count, tokens, kind, data[HEADER.size :])


def next_number(number: int) -> int:
    """The 16-bit number after `number`.

    >>> next_number(7), next_number(65535)
    (8, 0)
    """
    return (number + 1) & 0xFFFF


def distance(start: int, end: int) -> int:
    """Steps from one 16-bit number to another the short way round: -32768 to 32767.

    Negative: `end` is older than `start` (RFC 1982, section 3.2, which leaves the exact opposite
    undefined; here it counts as older).

    >>> distance(65535, 2), distance(2, 65535)
    (3, -3)
    """
    return ((end - start + 0x8000) & 0xFFFF) - 0x8000


def unwrap(number: int, near: int) -> int:
    """The whole number nearest to `near` whose low 16 bits are `number`.

    >>> unwrap(2, near=65535), unwrap(65535, near=65536)
    (65538, 65535)
    """
    return near + ((number - near + 0x8000) & 0xFFFF) - 0x8000  # near + distance, in one step
