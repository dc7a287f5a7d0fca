"""A parity packet and its bytes on the wire; and of a media packet, the bytes that parity protects.

    IPv4 20 | UDP 8 | RTP 12 | FEC header 8 | mask 1 to 32 | parity

The media stream goes as if there were no parity: a receiver that knows nothing of FEC ignores
payload type 97 (systematic code). The idea is that of RFC 8627, with numbers small enough for a
frame's packets; the layout is our own, since neither RFC 5109 nor RFC 8627 has Reed-Solomon.
"""

import struct
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from simulator.packet import (
    IP_UDP_BYTES,
    MARKER,
    PAYLOAD_HEADER,
    PAYLOAD_TYPES,
    RTP,
    Packet,
    RtpHeader,
    parse_rtp,
    rtp_header,
    with_payload,
)

# FEC header, big endian:
#   16 bits  number of the frame it was sent with    16 bits  base: sequence number of its first packet
#    8 bits  span: sequence numbers from the base on that the mask covers, 1 to 255
#    8 bits  which parity packet of its block         8 bits  parity packets of the block
#    8 bits  code: 0 XOR, 1 Reed-Solomon
# then the mask, span bits rounded up to bytes: bit i, counted from the most significant of the
# first byte, is 1 if packet base + i is in the block (as in RFC 8627, section 4.2.2.1)
HEADER = struct.Struct(">HHBBBB")
CODES = ("xor", "rs")
MAX_SPAN = 255

# Protected of a media packet, zeros behind it up to the longest of its block:
#   16 bits  length of what follows the timestamp     1 bit marker, 7 bits payload type, as in RTP
#   32 bits  timestamp                                then payload header and slice
# Sequence number and SSRC need no parity: the mask says the one, the session the other.
SYMBOL = struct.Struct(">HBI")
SYMBOL_HEAD = struct.Struct(SYMBOL.format + PAYLOAD_HEADER.format.lstrip(">"))


@runtime_checkable
class Content(Protocol):
    """The bytes of a parity packet: bytes, or what becomes them when somebody needs them."""

    def __len__(self) -> int: ...

    def __bytes__(self) -> bytes: ...


class FecPacket(NamedTuple):
    """One parity packet of a block of media packets; frozen, and a tuple, as `Packet` is.

    Attributes:
        sequence: RTP sequence number in the parity's own stream, 16 bit.
        timestamp: That of `frame`.
        ssrc: Of the parity stream.
        frame: Newest of the frames protected together, with which parity was sent; 16 bit.
        base: Sequence number of the first media packet, 16 bit.
        members: Offsets from `base` of the packets in the block, rising, from 0, below 255.
        index: Which parity packet of the block, 0 to count - 1.
        count: Parity packets of the block.
        code: "xor" or "rs".
        parity: Its content; see `payload`.
        kind, tokens: As of a `Packet`: parity, which holds no slice.
    """

    sequence: int
    timestamp: int
    ssrc: int
    frame: int
    base: int
    members: tuple[int, ...]
    index: int  # type: ignore[assignment]  # two methods of tuples, which nobody asks a packet for
    count: int  # type: ignore[assignment]
    code: str
    parity: Content
    kind: Literal["fec"] = "fec"
    tokens: Literal[0] = 0

    @property
    def payload(self) -> bytes:
        """The parity as bytes."""
        return bytes(self.parity)

    @property
    def size_bytes(self) -> int:
        """Size on the wire, all headers included."""
        return IP_UDP_BYTES + RTP.size + HEADER.size + self.members[-1] // 8 + 1 + len(self.parity)

    @property
    def covered_bytes(self) -> int:
        """Of them, those that a checksum covers that covers headers alone: also the parity of headers.

        Parity is computed byte by byte, so what is rebuilt then has the right headers, whatever else is
        damaged: it may be wrong where the slice's own checksum looks, and nowhere else.
        """
        return self.size_bytes - len(self.parity) + SYMBOL.size + PAYLOAD_HEADER.size


def serialize(packet: FecPacket) -> bytes:
    """The bytes of a parity packet after the UDP header.

    Raises:
        struct.error: If a number does not fit its field.
    """
    span = packet.members[-1] + 1
    mask = sum(1 << (span - 1 - member) for member in packet.members) << (-span % 8)
    return (
        rtp_header("fec", False, packet.sequence, packet.timestamp, packet.ssrc)
        + HEADER.pack(packet.frame, packet.base, span, packet.index, packet.count, CODES.index(packet.code))
        + mask.to_bytes((span + 7) // 8, "big")
        + packet.payload
    )


def parse(data: bytes) -> FecPacket:
    """Inverse of `serialize`.

    Raises:
        ValueError: If the bytes are no parity packet of this format; the message names the field.
    """
    rtp = parse_rtp(data)
    if rtp.kind != "fec":
        raise ValueError(f"payload type: must be that of parity, got {rtp.kind}")
    if len(data) < RTP.size + HEADER.size:
        raise ValueError(f"FEC header: {HEADER.size} bytes are needed, got {len(data) - RTP.size}")
    frame, base, span, index, count, code = HEADER.unpack_from(data, RTP.size)
    start = RTP.size + HEADER.size
    end = start + (span + 7) // 8
    if index >= count or code >= len(CODES) or len(data) < end:
        raise ValueError(f"FEC header: index {index} of {count}, code {code}, mask of {span} bits do not fit")
    bits = int.from_bytes(data[start:end], "big") >> (-span % 8)
    members = tuple(member for member in range(span) if bits >> (span - 1 - member) & 1)
    if not members or members[0] != 0 or members[-1] != span - 1:
        raise ValueError("mask: must begin and end with a protected packet")
    return FecPacket(rtp.sequence, rtp.timestamp, rtp.ssrc, frame, base, members, index, count, CODES[code], data[end:])


def symbol_bytes(payload_bytes: int) -> int:
    """How long the `symbol` of a packet with so long a payload is."""
    return SYMBOL_HEAD.size + payload_bytes


def symbol(packet: Packet) -> bytes:
    """What parity protects of a media packet."""
    _, timestamp, _, marker, frame, index, count, tokens, _, payload, _ = packet
    length, second = PAYLOAD_HEADER.size + len(payload), MARKER * marker | PAYLOAD_TYPES["media"]
    return SYMBOL_HEAD.pack(length, second, timestamp, frame, index, count, tokens) + payload


def from_symbol(data: bytes, sequence: int, ssrc: int) -> Packet:
    """A media packet from its protected bytes and, if need be, zeros behind them.

    Raises:
        ValueError: If the bytes are none; so damage among the block's packets does no harm.
    """
    if len(data) < SYMBOL.size:
        raise ValueError(f"symbol: {SYMBOL.size} bytes are needed, got {len(data)}")
    length, second, timestamp = SYMBOL.unpack_from(data)
    if second & ~MARKER != PAYLOAD_TYPES["media"] or SYMBOL.size + length > len(data):
        raise ValueError(f"symbol: payload type {second & ~MARKER} and length {length} do not fit")
    rtp = RtpHeader("media", bool(second & MARKER), sequence, timestamp, ssrc)
    return with_payload(rtp, data[SYMBOL.size : SYMBOL.size + length])
