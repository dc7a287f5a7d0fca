"""Slices to packets and back: one slice a packet, so one lost packet costs one slice.

    depth 1    frame 0: slice 0 1 2 | frame 1: slice 0 1 2 | frame 2 ...
    depth 2    slice 0 of frames 0 1, slice 1 of frames 0 1, slice 2 of frames 0 1 | frames 2 3 ...

With depth d, the packets of d frames take turns: a burst of d losses costs each frame one slice.
The price is delay: the first of d frames waits for the last to be taken. Each packet still says
which slice of which frame it carries, so whoever receives it needs to know nothing of depths.

No clock and no chance in here: the first numbers are drawn by whoever starts the stream.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from simulator.errors import MediaError
from simulator.media import EncodedFrame, Slice
from simulator.packet import CLOCK_HZ, MAX_SLICES, MAX_TOKENS, OVERHEAD_BYTES, Packet
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


class Outgoing(NamedTuple):
    """A media packet about to be sent: its whole frame number, and how important its slice is."""

    frame: int
    packet: Packet
    importance: int


_new_packet = partial(tuple.__new__, Packet)  # Packet(...) and the like without a call in Python
_new_outgoing = partial(tuple.__new__, Outgoing)
_new_slice = partial(tuple.__new__, Slice)


def packetize(group: Sequence[tuple[int, EncodedFrame]], stream: RtpStream) -> list[Outgoing]:
    """The packets of some frames, interleaved; `stream` moves on by as many numbers.

    Args:
        group: Frame numbers from 0, not wrapped, and their slices; as many frames as the depth.
        stream: Where the stream stands.

    Returns:
        In sending order: all slices 0, then all slices 1, and so on; in each, frame by frame.

    Raises:
        MediaError: If a slice does not fit the MTU or the header's fields; the stream then stands
            where it stood.
    """
    parts = [(frame, part, part is encoded.slices[-1]) for frame, encoded in group for part in encoded.slices]
    most_bytes = stream.mtu_bytes - OVERHEAD_BYTES
    for frame, part, _ in parts:
        index, count, tokens, data, _, _ = part
        if len(data) > most_bytes or tokens > MAX_TOKENS or not 0 <= index < count <= MAX_SLICES:
            raise _refusal(frame, part, stream.mtu_bytes)
    if len(group) > 1:
        parts.sort(key=lambda each: each[1].index)  # stable: frames stay in order
    timestamps = {frame: _timestamp(frame, stream) for frame, _ in group}
    first, ssrc = stream.sequence, stream.ssrc
    stream.sequence = (first + len(parts)) & 0xFFFF
    return [
        _outgoing(part, frame, sequence & 0xFFFF, timestamps[frame], ssrc, last)
        for sequence, (frame, part, last) in enumerate(parts, first)
    ]


def _outgoing(part: Slice, frame: int, sequence: int, timestamp: int, ssrc: int, last: bool) -> Outgoing:
    """The packet of a slice; the frame number is cut to its 16 bits."""
    index, count, tokens, data, _, importance = part
    head = sequence, timestamp, ssrc, last, frame & 0xFFFF
    return _new_outgoing((frame, _new_packet((*head, index, count, tokens, "media", data, None)), importance))


def _timestamp(frame: int, stream: RtpStream) -> int:
    ticks = clock_ticks(frame_time_ns(frame, stream.fps), CLOCK_HZ)
    return (stream.first_timestamp + ticks) & 0xFFFFFFFF


def frame_of(steps: int, near: Packet, near_frame: int, depth: int) -> int:
    """The frame of a packet that is missing, by its distance from one that is there.

    Exact while all frames have as many slices and all groups `depth` frames; else a guess.

    Args:
        steps: Sequence number of the missing packet less that of `near`.
        near: A packet that arrived.
        near_frame: Its frame number, not wrapped.
        depth: Of the interleaving.

    >>> near = Packet(7, 0, 0, False, 2, 1, 3, 1, "media", b"")  # slice 1 of 3, of frame 2
    >>> [frame_of(steps, near, 2, depth=1) for steps in (-2, -1, 1, 2)]
    [1, 2, 2, 3]
    """
    turn = near_frame % depth
    group, place = divmod(near.slice_index * depth + turn + steps, depth * near.slice_count)
    return max(near_frame - turn + group * depth + place % depth, 0)


def _refusal(frame: int, part: Slice, mtu_bytes: int) -> MediaError:
    size_bytes = OVERHEAD_BYTES + len(part.data)
    where = f"packetizer.packets_per_frame (frame {frame}, slice {part.index})"
    if size_bytes > mtu_bytes:
        rule = f"a slice and its {OVERHEAD_BYTES} bytes of headers must fit channel.mtu_bytes = {mtu_bytes}"
        return MediaError(where, rule, size_bytes, "Raise packets_per_frame, or lower the codec's rate")
    if part.tokens > MAX_TOKENS:
        rule = f"a packet holds at most {MAX_TOKENS} tokens"
        return MediaError(where, rule, part.tokens, "Raise packets_per_frame")
    rule = f"slices are numbered from 0 and there are at most {MAX_SLICES}"
    return MediaError(where, rule, (part.index, part.count), "Lower packets_per_frame")


def depacketize(packets: Iterable[Packet]) -> list[Slice]:
    """The slices in some media packets of one frame, by index; each once, however often it came."""
    last = {packet.slice_index: packet for packet in packets}
    return [
        _new_slice((index, packet.slice_count, packet.tokens, packet.payload, (), 0))
        for index, packet in sorted(last.items())
    ]
