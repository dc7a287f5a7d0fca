"""Feedback for congestion control: which packets arrived, and when (RFC 8888), for all streams of the session.

    receiver: Recorder.arrived ... Recorder.report --bytes, reverse path--> sender: Outstanding.read --> PacketReports

One message tells of media, parity and repeats alike, as transport-wide feedback does; by stream and RTP
sequence number, so the packets themselves need no header extension and cost nothing for it.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from simulator.packet import FIRST_BYTE, IP_UDP_BYTES
from simulator.units import SECOND_NS

# Congestion control feedback packet (RFC 8888, section 3.1), sent alone as reduced-size RTCP (RFC 5506):
#    2 bits  version, 2       1 bit  padding, 0       5 bits  message type, 11
#    8 bits  payload type, 205 (RTPFB)               16 bits  length in 32-bit words, less one
#   32 bits  SSRC of who reports
# then of each stream
#   32 bits  SSRC            16 bits  first sequence number      16 bits  count of reports
#   16 bits a packet: 1 bit received, 2 bits ECN, 13 bits arrival time before the report in 1/1024 s
#   16 bits of padding if the count is odd
# then
#   32 bits  time of the report in 1/65536 s (the middle of an NTP timestamp)
HEADER = struct.Struct(">BBHI")
BLOCK = struct.Struct(">IHH")
METRIC = struct.Struct(">H")
TIME = struct.Struct(">I")
TYPE, RTPFB = 11, 205

RECEIVED = 0x8000
OFFSET_HZ, MOST_OFFSET = 1024, 0x1FFE  # the last one says: earlier still
OFFSETS_NS = [offset * SECOND_NS // OFFSET_HZ for offset in range(0x2000)]
TIME_HZ = 65536


@dataclass(frozen=True, slots=True)
class Block:
    """Arrivals of consecutive packets of one stream.

    Attributes:
        ssrc: Of the stream.
        first: 16-bit sequence number of the first packet.
        arrived_ns: When each arrived; None where it has not (yet).
    """

    ssrc: int
    first: int
    arrived_ns: tuple[int | None, ...]


def serialize(blocks: Sequence[Block], now_ns: int) -> bytes:
    """A message sent now, as the bytes after the UDP header; arrival times are cut to 1/1024 s."""
    time = now_ns * TIME_HZ // SECOND_NS
    body = b"".join(_block(block, time) for block in blocks) + TIME.pack(time & 0xFFFFFFFF)
    return HEADER.pack(FIRST_BYTE | TYPE, RTPFB, (HEADER.size + len(body)) // 4 - 1, 0) + body


def _block(block: Block, time: int) -> bytes:
    report_ns = time * SECOND_NS // TIME_HZ
    count = len(block.arrived_ns)
    before = [None if at_ns is None else (report_ns - at_ns) * OFFSET_HZ // SECOND_NS for at_ns in block.arrived_ns]
    metrics = [0 if each is None else RECEIVED | (each if 0 <= each <= MOST_OFFSET else _cut(each)) for each in before]
    padded = metrics + [0] * (count % 2)
    return BLOCK.pack(block.ssrc, block.first, count) + struct.pack(f">{len(padded)}H", *padded)


def _cut(offset: int) -> int:
    return 0 if offset < 0 else MOST_OFFSET


def parse(data: bytes, now_ns: int) -> list[Block]:
    """Inverse of `serialize`, except for what was cut off the times.

    Args:
        data: The message.
        now_ns: Any time within 9 hours of the report, to make its time whole.

    Raises:
        ValueError: If the bytes are no such message; the message names the field.
    """
    if len(data) < HEADER.size + TIME.size:
        raise ValueError(f"feedback: {HEADER.size + TIME.size} bytes are needed, got {len(data)}")
    first, kind, words, _ = HEADER.unpack_from(data)
    if not is_feedback(data):
        raise ValueError(f"feedback: must be type {TYPE} of {RTPFB}, got {first & 0x1F} of {kind}")
    if (words + 1) * 4 != len(data):
        raise ValueError(f"length: says {(words + 1) * 4} bytes, there are {len(data)}")
    near, (time,) = now_ns * TIME_HZ // SECOND_NS, TIME.unpack_from(data, len(data) - TIME.size)
    whole = near + ((time - near + 0x80000000) & 0xFFFFFFFF) - 0x80000000
    return list(_blocks(data, HEADER.size, whole * SECOND_NS // TIME_HZ))


def _blocks(data: bytes, place: int, report_ns: int) -> Iterable[Block]:
    end = len(data) - TIME.size
    while place < end:
        ssrc, first, count = BLOCK.unpack_from(data, place)
        place += BLOCK.size
        if place + 2 * (count + count % 2) > end:
            raise ValueError(f"count of reports: {count} do not fit into the message")
        metrics = struct.unpack_from(f">{count}H", data, place)
        place += 2 * (count + count % 2)
        arrived = [report_ns - OFFSETS_NS[metric & 0x1FFF] if metric & RECEIVED else None for metric in metrics]
        yield Block(ssrc, first, tuple(arrived))


def is_feedback(data: bytes) -> bool:
    """Whether a message on the reverse path is of this kind."""
    return data[0] == FIRST_BYTE | TYPE and data[1] == RTPFB


def size_bytes(message: bytes) -> int:
    """Of a message on the wire, IP and UDP headers included."""
    return IP_UDP_BYTES + len(message)


FORGET_NS = 10 * SECOND_NS  # without feedback for so long, none will come: it got lost on its way


@dataclass(slots=True)
class _Stream:
    """What came of one stream: whole numbers counted from the first packet seen."""

    base: int  # its 16-bit number
    last_ns: int  # the latest arrival
    newest: int = 0
    reported: int = 0  # numbers below are told of
    fresh: dict[int, int] = field(default_factory=dict)


class Recorder:
    """The receiver's side: notes arrivals, and reports each once.

    A report covers all numbers since the last one up to the newest, so those missing are told of too. Of
    packets that come after they were reported missing nothing more is said: for the sender, they are lost.
    Where a stream was silent for so long that its numbers may have gone half way round, they count anew.
    """

    def __init__(self) -> None:
        self._streams: dict[int, _Stream] = {}
        self._arrivals: list[tuple[int, int, int]] = []  # since the last report

    def arrived(self, ssrc: int, sequence: int, now_ns: int) -> None:
        """Note a packet by its 16-bit number."""
        self._arrivals.append((ssrc, sequence, now_ns))

    def _sort(self) -> None:
        """Arrivals to their streams."""
        arrivals, self._arrivals = self._arrivals, []
        for ssrc, sequence, at_ns in arrivals:
            stream = self._streams.get(ssrc)
            if stream is None:
                stream = self._streams[ssrc] = _Stream(sequence, at_ns)
            newest = stream.newest
            number = newest + ((sequence - stream.base - newest + 0x8000) & 0xFFFF) - 0x8000  # `unwrap`, spelled out
            if number > newest:
                stream.newest = number
            elif at_ns - stream.last_ns > FORGET_NS:  # no straggler: numbers went half way round meanwhile
                stream, number = _Stream(sequence, at_ns), 0
                self._streams[ssrc] = stream
            stream.last_ns = at_ns
            if number >= stream.reported:
                stream.fresh.setdefault(number, at_ns)

    def report(self, now_ns: int) -> bytes | None:
        """A message about all that came since the last one; None if nothing did."""
        self._sort()
        blocks = [_told(ssrc, stream) for ssrc, stream in self._streams.items() if stream.fresh]
        return serialize(blocks, now_ns) if blocks else None


def _told(ssrc: int, stream: _Stream) -> Block:
    first, end, fresh = stream.reported, stream.newest + 1, stream.fresh
    stream.reported, stream.fresh = end, {}
    return Block(ssrc, (stream.base + first) & 0xFFFF, tuple(map(fresh.get, range(first, end))))


class PacketReport(NamedTuple):
    """One packet, as the sender knows it once feedback has come.

    Attributes:
        sent_ns: When it was handed to the network.
        arrived_ns: When it arrived; None if it is taken for lost.
        size_bytes: On the wire.
    """

    sent_ns: int
    arrived_ns: int | None
    size_bytes: int


_new_report = partial(tuple.__new__, PacketReport)  # PacketReport(...) without a call in Python


class Outstanding:
    """The sender's side: what was sent, until feedback has told of it.

    Attributes:
        size_bytes: Of all that.
    """

    def __init__(self) -> None:
        self._open: defaultdict[int, dict[int, tuple[int, int]]] = defaultdict(
            dict
        )  # SSRC -> 16-bit number -> sent_ns, size_bytes
        self.size_bytes = 0

    def sent(self, ssrc: int, sequence: int, now_ns: int, size_bytes: int) -> None:
        """Note a packet."""
        self._open[ssrc][sequence] = (now_ns, size_bytes)
        self.size_bytes += size_bytes

    def read(self, message: bytes, now_ns: int) -> list[PacketReport]:
        """News in a message that arrives now, in sending order; a packet is reported once, arrived or lost.

        Raises:
            ValueError: If it is no such message.
        """
        reports: list[PacketReport] = []
        for block in parse(message, now_ns):
            take = self._open[block.ssrc].pop
            for number, arrived_ns in enumerate(block.arrived_ns, block.first):
                known = take(number & 0xFFFF, None)
                if known is not None:
                    reports.append(_new_report((known[0], arrived_ns, known[1])))
        self.size_bytes -= sum([report[2] for report in reports])
        for stream in self._open.values():
            self._forget(stream, now_ns - FORGET_NS)
        return sorted(reports, key=itemgetter(0))

    def _forget(self, stream: dict[int, tuple[int, int]], before_ns: int) -> None:
        while stream and next(iter(stream.values()))[0] < before_ns:
            self.size_bytes -= stream.pop(next(iter(stream)))[1]
