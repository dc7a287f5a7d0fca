"""Packets as a capture file: what tcpdump would have written beside the link.

    file header | record header, IPv4 20 | UDP 8 | RTP ... | record header, IPv4 20 | ...

The classic format with nanosecond stamps (magic 0xa1b23c4d; draft-ietf-opsawg-pcap), raw IP as
link type. Time 0 is the capture of frame 0. In Wireshark: Decode As... RTP for UDP port 5004.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from simulator import fec_packet, packet
from simulator.errors import OutputError
from simulator.fec_packet import FecPacket
from simulator.journey import AnyPacket, Journey
from simulator.records import replacing
from simulator.units import SECOND_NS

Side = Literal["sent", "received"]
SUFFIXES = (".pcap", ".cap")

# File header: magic, version 2.4, two reserved words, longest packet kept, link type
FILE_HEADER = struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101)  # 101: LINKTYPE_RAW
# Record header: seconds, nanoseconds, bytes kept, bytes on the wire
RECORD = struct.Struct("<IIII")

# IPv4 header (RFC 791, section 3.1), big endian: version 4 and 5 words; type of service;
# 16 bits total length, identification, flags and fragment offset; time to live, protocol;
# 16 bits checksum; 32 bits source, destination
IPV4 = struct.Struct(">BBHHHBBH4s4s")
UDP = struct.Struct(">HHHH")  # source port, destination port, length, checksum (RFC 768)
DONT_FRAGMENT, TIME_TO_LIVE, PROTOCOL_UDP = 0x4000, 64, 17
SENDER, RECEIVER = bytes((192, 0, 2, 1)), bytes((198, 51, 100, 1))  # for documentation (RFC 5737)
PORT = 5004  # the registered one of RTP (RFC 3551, section 8)


@dataclass(frozen=True)
class Capture:
    """A capture to be made: the file, and on which side of the link."""

    path: Path
    side: Side = "sent"


def capture(path: Path, side: Side = "sent") -> Capture:
    """A capture whose place is looked at now, not after the work.

    Raises:
        OutputError: If no file can be written there, or another kind of file would be lost.
    """
    if path.suffix.lower() not in SUFFIXES:
        step = "Let the name end in .pcap"
        raise OutputError("--pcap", f"packets are written as {' or '.join(SUFFIXES)}", str(path), step)
    if path.is_dir() or not path.parent.is_dir():
        rule = "this is a folder" if path.is_dir() else "there is no such folder"
        raise OutputError("--pcap", f"cannot be written ({rule})", str(path), "Name a file in a folder that is there")
    return Capture(path, side)


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071): one's complement of the one's complement sum of 16-bit words.

    >>> hex(checksum(bytes.fromhex("0001f203f4f5f6f7")))  # the example of RFC 1071, section 3
    '0x220d'
    """
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def datagram(payload: bytes, identification: int) -> bytes:
    """An IPv4 datagram from sender to receiver with one UDP packet.

    Args:
        payload: What follows the UDP header.
        identification: Of the datagram, 16 bit.
    """
    udp_length = UDP.size + len(payload)
    pseudo = SENDER + RECEIVER + struct.pack(">BBH", 0, PROTOCOL_UDP, udp_length)
    udp_sum = checksum(pseudo + UDP.pack(PORT, PORT, udp_length, 0) + payload) or 0xFFFF  # 0 means: none (RFC 768)
    udp = UDP.pack(PORT, PORT, udp_length, udp_sum) + payload

    def ip(ip_sum: int) -> bytes:
        return IPV4.pack(
            0x45, 0, IPV4.size + udp_length, identification, DONT_FRAGMENT, TIME_TO_LIVE, PROTOCOL_UDP, ip_sum,
            SENDER, RECEIVER,
        )  # fmt: skip

    return ip(checksum(ip(0))) + udp


def wire_bytes(sent: AnyPacket) -> bytes:
    """The bytes of a packet of any kind after the UDP header."""
    return fec_packet.serialize(sent) if isinstance(sent, FecPacket) else packet.serialize(sent)


@contextmanager
def writing(path: Path, side: Side) -> Iterator[Callable[[Journey], None]]:
    """A capture file: the whole of it or none.

    Yields:
        What to call with each journey, at the time it passes.

    Raises:
        OutputError: If the file cannot be written.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(FILE_HEADER)

        def write(journey: Journey) -> None:
            time_ns = journey.sent_ns if side == "sent" else journey.arrived_ns
            assert time_ns is not None, journey
            data = datagram(wire_bytes(journey.packet), journey.number & 0xFFFF)
            assert len(data) == journey.size_bytes, (len(data), journey)
            file.write(RECORD.pack(*divmod(time_ns, SECOND_NS), len(data), len(data)) + data)

        yield write
