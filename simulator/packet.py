"""A packet, its bytes on the wire, and the arithmetic of numbers that wrap.

    media             IPv4 20 | UDP 8 | RTP 12 |       payload header 6 | payload: one slice
    retransmission    IPv4 20 | UDP 8 | RTP 12 | OSN 2 | payload header 6 | the same slice

IP and UDP headers are only counted here; `pcap` writes them. Parity has a layout of its own: see
`fec_packet`.
"""

import struct
from dataclasses import dataclass
from typing import Literal, NamedTuple

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
RTP = struct.Struct(">BBHII")
# A retransmission says which packet it repeats (RFC 4588, section 4): it has an SSRC and sequence
# numbers of its own, so that loss among repeats is no gap among originals.
#   16 bits    original sequence number (OSN)
OSN = struct.Struct(">H")
# Payload header:
#   16 bits    frame number      8 bits slice index       8 bits slice count     16 bits tokens
PAYLOAD_HEADER = struct.Struct(">HBBH")
FIRST_BYTE = 0x80  # version 2 and nothing else
MARKER = 0x80

IP_UDP_BYTES = 20 + 8  # IPv4 without options (RFC 791, section 3.1), UDP (RFC 768)
OVERHEAD_BYTES = IP_UDP_BYTES + RTP.size + PAYLOAD_HEADER.size

MAX_SLICES = 255
MAX_TOKENS = 0xFFFF


class Packet(NamedTuple):
    """What a sender sends: frozen, since facts learnt on the way belong to its `Journey`.

    A tuple, since each packet makes one: a frozen dataclass takes three times as long.

    Attributes:
        sequence: RTP sequence number, 16 bit, wraps.
        timestamp: Capture time in ticks of CLOCK_HZ from a random start, 32 bit, wraps.
        ssrc: Which stream, 32 bit.
        marker: True for the last packet of a frame.
        frame: Frame number, 16 bit, wraps; `unwrap` gives the whole number back.
        slice_index: Which slice of the frame, 0 to slice_count - 1.
        slice_count: Slices of the frame, at most MAX_SLICES.
        tokens: Tokens in the slice, at most MAX_TOKENS.
        kind: "media" or "retransmission".
        payload: The slice.
        original_sequence: Of a retransmission: the 16-bit number of the packet it repeats.
    """

    sequence: int
    timestamp: int
    ssrc: int
    marker: bool
    frame: int
    slice_index: int
    slice_count: int
    tokens: int
    kind: Literal["media", "retransmission"]
    payload: bytes
    original_sequence: int | None = None

    @property
    def size_bytes(self) -> int:
        """Size on the wire, all headers included."""
        if self.original_sequence is None:
            return OVERHEAD_BYTES + len(self.payload)
        return OVERHEAD_BYTES + OSN.size + len(self.payload)

    @property
    def covered_bytes(self) -> int:
        """Of them, those that a checksum covers that covers headers alone: all but the slice."""
        return self.size_bytes - len(self.payload)


def serialize(packet: Packet) -> bytes:
    """The bytes of a packet after the UDP header.

    Raises:
        struct.error: If a number does not fit its field.
    """
    osn = b"" if packet.original_sequence is None else OSN.pack(packet.original_sequence)
    head = rtp_header(packet.kind, packet.marker, packet.sequence, packet.timestamp, packet.ssrc)
    return head + osn + payload_header(packet) + packet.payload


def rtp_header(kind: Kind, marker: bool, sequence: int, timestamp: int, ssrc: int) -> bytes:
    """The 12 bytes all packets begin with.

    Raises:
        struct.error: If a number does not fit its field.
    """
    return RTP.pack(FIRST_BYTE, PAYLOAD_TYPES[kind] | MARKER * marker, sequence, timestamp, ssrc)


def payload_header(packet: Packet) -> bytes:
    """The 6 bytes before a slice: whose it is."""
    return PAYLOAD_HEADER.pack(packet.frame, packet.slice_index, packet.slice_count, packet.tokens)


@dataclass(frozen=True, slots=True)
class RtpHeader:
    """The first 12 bytes of a packet, read; attributes as in `Packet`."""

    kind: Kind
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int


def parse_rtp(data: bytes) -> RtpHeader:
    """Inverse of `rtp_header`.

    Raises:
        ValueError: If the bytes are no header of this format; the message names the field.
    """
    if len(data) < RTP.size:
        raise ValueError(f"header: {RTP.size} bytes are needed, got {len(data)}")
    first, second, sequence, timestamp, ssrc = RTP.unpack_from(data)
    if first >> 6 != FIRST_BYTE >> 6:
        raise ValueError(f"version: must be 2, got {first >> 6}")
    if first != FIRST_BYTE:
        raise ValueError(f"first byte: no padding, extension or CSRC is used here, got {first:#04x}")
    if second & ~MARKER not in KINDS:
        raise ValueError(f"payload type: must be one of {sorted(KINDS)}, got {second & ~MARKER}")
    return RtpHeader(KINDS[second & ~MARKER], bool(second & MARKER), sequence, timestamp, ssrc)


def parse(data: bytes) -> Packet:
    """Inverse of `serialize`.

    Raises:
        ValueError: If the bytes are no packet of this format; the message names the field.
    """
    rtp = parse_rtp(data)
    if rtp.kind == "fec":
        raise ValueError("payload type: this is parity; fec_packet.parse reads it")
    start = RTP.size + (OSN.size if rtp.kind == "retransmission" else 0)
    if len(data) < start + PAYLOAD_HEADER.size:
        raise ValueError(f"header: {start + PAYLOAD_HEADER.size} bytes are needed, got {len(data)}")
    osn = OSN.unpack_from(data, RTP.size)[0] if rtp.kind == "retransmission" else None
    return with_payload(rtp, data[start:], osn)


def with_payload(rtp: RtpHeader, data: bytes, original_sequence: int | None = None) -> Packet:
    """A packet from its RTP header and what follows: payload header and slice.

    Raises:
        ValueError: If there is no payload header, or none of this format.
    """
    if len(data) < PAYLOAD_HEADER.size:
        raise ValueError(f"payload header: {PAYLOAD_HEADER.size} bytes are needed, got {len(data)}")
    assert rtp.kind != "fec", rtp
    frame, index, count, tokens = PAYLOAD_HEADER.unpack_from(data)
    if index >= count:
        raise ValueError(f"slice index: must be below the slice count {count}, got {index}")
    return Packet(
        rtp.sequence, rtp.timestamp, rtp.ssrc, rtp.marker, frame, index, count, tokens, rtp.kind,
        data[PAYLOAD_HEADER.size :], original_sequence,
    )  # fmt: skip


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
