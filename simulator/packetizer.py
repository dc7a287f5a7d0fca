"""Slices to packets and back: one slice a packet, so one lost packet costs one slice.

No clock and no chance in here: the first numbers are drawn by whoever starts the stream.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from simulator.errors import MediaError
from simulator.media import EncodedFrame, Slice
from simulator.packet import CLOCK_HZ, MAX_SLICES, MAX_TOKENS, OVERHEAD_BYTES, Packet, next_number
from simulator.units import clock_ticks, frame_time_ns


@dataclass
class RtpStream:
    """Where a stream of packets stands.

    Attributes:
        fps: Frames a second; decides the timestamps.
        mtu_bytes: Largest packet on the wire, IP header included.
        ssrc: 32 bit, the same in all packets of the stream.
        sequence: 16 bit, of the packet to come; starts at random (RFC 3550, section 5.1).
        first_timestamp: 32 bit, of frame 0; starts at random too.
    """

    fps: float
    mtu_bytes: int
    ssrc: int = 0
    sequence: int = 0
    first_timestamp: int = 0


def packetize(frame: int, encoded: EncodedFrame, stream: RtpStream) -> list[Packet]:
    """The packets of one frame, in slice order; `stream` moves on by as many numbers.

    Args:
        frame: Frame number from 0, not wrapped.
        encoded: Its slices.
        stream: Where the stream stands.

    Raises:
        MediaError: If a slice does not fit the MTU or the header's fields; the stream then stands
            where it stood.
    """
    for part in encoded.slices:
        _check(frame, part, stream.mtu_bytes)
    ticks = clock_ticks(frame_time_ns(frame, stream.fps), CLOCK_HZ)
    timestamp = (stream.first_timestamp + ticks) & 0xFFFFFFFF
    packets = []
    for part in encoded.slices:
        last = part is encoded.slices[-1]
        packets.append(
            Packet(
                sequence=stream.sequence,
                timestamp=timestamp,
                ssrc=stream.ssrc,
                marker=last,
                frame=frame & 0xFFFF,
                slice_index=part.index,
                slice_count=part.count,
                tokens=part.tokens,
                kind="media",
                payload=part.data,
            )
        )
        stream.sequence = next_number(stream.sequence)
    return packets


def _check(frame: int, part: Slice, mtu_bytes: int) -> None:
    size_bytes = OVERHEAD_BYTES + len(part.data)
    where = f"packetizer.packets_per_frame (frame {frame}, slice {part.index})"
    if size_bytes > mtu_bytes:
        rule = f"a slice and its {OVERHEAD_BYTES} bytes of headers must fit channel.mtu_bytes = {mtu_bytes}"
        raise MediaError(where, rule, size_bytes, "Raise packets_per_frame, or lower the codec's rate")
    if part.tokens > MAX_TOKENS:
        rule = f"a packet holds at most {MAX_TOKENS} tokens"
        raise MediaError(where, rule, part.tokens, "Raise packets_per_frame")
    if not 0 <= part.index < part.count <= MAX_SLICES:
        rule = f"slices are numbered from 0 and there are at most {MAX_SLICES}"
        raise MediaError(where, rule, (part.index, part.count), "Lower packets_per_frame")


def depacketize(packets: Iterable[Packet]) -> list[Slice]:
    """The slices in some packets of one frame, by index; each once, however often it came."""
    slices = {
        packet.slice_index: Slice(packet.slice_index, packet.slice_count, packet.tokens, packet.payload)
        for packet in packets
        if packet.kind != "fec"  # parity is no slice
    }
    return [slices[index] for index in sorted(slices)]
