"""Requests for lost packets: who is missing, whether asking is of use, and the bytes of a request.

    gap in the sequence numbers --reorder_wait--> still missing? --in time?--> request, again after an RTO

"In time" is the deadline rule: a packet is asked for only if now + round trip + margin < the time
its frame is shown; a repeat that must come late would cost bytes and help nobody.

No clock and no chance in here: time is an argument.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simulator.packet import FIRST_BYTE, IP_UDP_BYTES
from simulator.scenario_protection import Nack

# Generic NACK (RFC 4585, sections 6.1 and 6.2.1), sent alone as reduced-size RTCP (RFC 5506):
#    2 bits  version, 2       1 bit  padding, 0       5 bits  message type, 1
#    8 bits  payload type, 205 (RTPFB)               16 bits  length in 32-bit words, less one
#   32 bits  SSRC of who asks                        32 bits  SSRC of the media
# then of each run of losses
#   16 bits  PID: sequence number of the first       16 bits  BLP: bit i set: PID + i + 1 is lost too
HEADER = struct.Struct(">BBHII")
ITEM = struct.Struct(">HH")
TYPE, RTPFB = 1, 205
BLP_BITS = 16

GRANULARITY_NS = 1_000_000  # RFC 6298's clock granularity G: a floor under the deviation


def serialize(sequences: Sequence[int], sender_ssrc: int, media_ssrc: int) -> bytes:
    """A request, as the bytes after the UDP header.

    Args:
        sequences: 16-bit numbers of the packets asked for, in sending order, at least one.
        sender_ssrc: Of the receiver of the media, which asks.
        media_ssrc: Of the media stream.
    """
    items: list[list[int]] = []
    for sequence in sequences:
        offset = ((sequence - items[-1][0]) & 0xFFFF) - 1 if items else BLP_BITS
        if 0 <= offset < BLP_BITS:
            items[-1][1] |= 1 << offset
        else:
            items.append([sequence, 0])
    words = (HEADER.size + ITEM.size * len(items)) // 4 - 1
    head = HEADER.pack(FIRST_BYTE | TYPE, RTPFB, words, sender_ssrc, media_ssrc)
    return head + b"".join(ITEM.pack(*item) for item in items)


def parse(data: bytes) -> list[int]:
    """The 16-bit numbers asked for.

    Raises:
        ValueError: If the bytes are no request; the message names the field.
    """
    if len(data) < HEADER.size:
        raise ValueError(f"request: {HEADER.size} bytes are needed, got {len(data)}")
    first, kind, words, _, _ = HEADER.unpack_from(data)
    if first != FIRST_BYTE | TYPE or kind != RTPFB:
        raise ValueError(f"request: must be type {TYPE} of {RTPFB}, got {first & 0x1F} of {kind}")
    if (words + 1) * 4 != len(data):
        raise ValueError(f"length: says {(words + 1) * 4} bytes, there are {len(data)}")
    sequences = []
    for pid, blp in ITEM.iter_unpack(data[HEADER.size :]):
        sequences.append(pid)
        sequences += [(pid + bit + 1) & 0xFFFF for bit in range(BLP_BITS) if blp >> bit & 1]
    return sequences


def size_bytes(request: bytes) -> int:
    """Of a request on the wire, IP and UDP headers included."""
    return IP_UDP_BYTES + len(request)


class RoundTrip:
    """Round-trip time, smoothed (RFC 6298, section 2), from requests and the repeats they brought.

    Args:
        initial_ns: Assumed until one is measured.
    """

    def __init__(self, initial_ns: int) -> None:
        self.smoothed_ns = initial_ns
        self._deviation_ns: int | None = None

    def measured(self, sample_ns: int) -> None:
        """Take a measurement: deviation by a quarter, mean by an eighth, in whole nanoseconds."""
        if self._deviation_ns is None:
            self.smoothed_ns, self._deviation_ns = sample_ns, sample_ns // 2
            return
        self._deviation_ns = (3 * self._deviation_ns + abs(self.smoothed_ns - sample_ns)) // 4
        self.smoothed_ns = (7 * self.smoothed_ns + sample_ns) // 8

    @property
    def timeout_ns(self) -> int:
        """How long to wait for a repeat: the mean and four deviations.

        RFC 6298's floor of a second is for congestion control, and so is its doubling; here the
        deadline ends the asking.
        """
        deviation_ns = self.smoothed_ns // 2 if self._deviation_ns is None else self._deviation_ns
        return self.smoothed_ns + max(GRANULARITY_NS, 4 * deviation_ns)


@dataclass(slots=True)
class _Missing:
    """A gap: its frame, until when its packet is of use, how often it was asked for, and when last."""

    frame: int
    deadline_ns: int
    asked: int = 0
    asked_ns: int = 0


class Asker:
    """What is missing, and whether to ask for it.

    Args:
        spec: Retries, margin and first round-trip time.

    Attributes:
        round_trip: The estimate.
        missing: What it waits for, by whole number.
    """

    def __init__(self, spec: Nack) -> None:
        self._retries, self._margin_ns = spec.retries, spec.margin_ns
        self.round_trip = RoundTrip(spec.initial_rtt_ns)
        self.missing: dict[int, _Missing] = {}

    def gap(self, sequence: int, frame: int, deadline_ns: int) -> None:
        """A packet (whole number) of a frame has been overtaken; it is of use until `deadline_ns`."""
        self.missing[sequence] = _Missing(frame, deadline_ns)

    def knows(self, sequence: int) -> bool:
        """Whether a packet is known to be missing."""
        return sequence in self.missing

    def frame(self, sequence: int) -> int:
        """The frame of a missing packet."""
        return self.missing[sequence].frame

    def arrived(self, sequence: int, now_ns: int, repeated: bool) -> None:
        """A packet is there: received, sent again, or rebuilt.

        A repeat measures the round trip, unless it was asked for twice and may answer either request
        (Karn and Partridge 1987; RFC 6298, section 3).
        """
        missing = self.missing.pop(sequence, None)
        if missing and repeated and missing.asked == 1:
            self.round_trip.measured(now_ns - missing.asked_ns)

    def ask(self, sequences: Iterable[int], now_ns: int) -> list[int]:
        """Those of some packets to be asked for now; the others are there, or given up for good."""
        asked = []
        in_time_ns = now_ns + self.round_trip.smoothed_ns + self._margin_ns
        for sequence in sequences:
            missing = self.missing.get(sequence)
            if missing is None:
                continue
            if missing.asked == self._retries or in_time_ns >= missing.deadline_ns:
                del self.missing[sequence]
                continue
            missing.asked += 1
            missing.asked_ns = now_ns
            asked.append(sequence)
        return asked
