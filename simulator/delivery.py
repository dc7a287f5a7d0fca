"""What the network made of one frame: the journeys of its packets, folded into one row of numbers."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from simulator.journey import Journey, with_copies
from simulator.media import Slice
from simulator.packet import OVERHEAD_BYTES, Kind, Packet
from simulator.packetizer import depacketize

ARRIVED = ("delivered", "duplicate")


class FrameDelivery(NamedTuple):
    """One frame, when all has been seen of it.

    `packets_` and `bytes_` are wire sizes, headers included, unless said otherwise.

    Attributes:
        frame: Frame number, from 0.
        capture_ns: When it was taken.
        render_ns: When it is shown; None if nothing of it came in time.
        received: Slices there in time, by index.
        bytes_payload: Slices sent.
        bytes_header: Headers of the packets that carried them: IP, UDP, RTP and payload header.
        packets_fec, bytes_fec: Parity, with its headers; counted at the frame it
            was sent with.
        packets_retransmitted, bytes_retransmitted: Repeats, with their headers.
        bytes_feedback: Requests for packets of this frame, on the reverse path, with their headers.
        packets_sent: Media packets sent.
        packets_lost, bytes_lost: Of them, those lost on the way or dropped by the queue.
        packets_late, bytes_late: Those that came after the frame was shown.
        packets_corrupt, bytes_corrupt: Those that came damaged.
        packets_recovered, bytes_recovered: Those lost, late or corrupt, but rebuilt, sent again or
            doubled in time.
        packets_duplicate, bytes_duplicate: Packets of any kind that brought nothing new.
        tokens_total: Tokens sent.
        tokens_received: Tokens in `received`.
        late: Whether any media packet was late.
        frozen: Nothing came in time: the screen keeps the picture before it.
        target_bps: What rate control allowed on the wire as it was taken; None if the rate is fixed.
        bpp_asked: What the codec was asked for, in bits a pixel of payload; None: its own rate.
    """

    frame: int
    capture_ns: int
    render_ns: int | None
    received: tuple[Slice, ...]
    bytes_payload: int
    bytes_header: int
    packets_fec: int
    bytes_fec: int
    packets_retransmitted: int
    bytes_retransmitted: int
    bytes_feedback: int
    packets_sent: int
    packets_lost: int
    bytes_lost: int
    packets_late: int
    bytes_late: int
    packets_corrupt: int
    bytes_corrupt: int
    packets_recovered: int
    bytes_recovered: int
    packets_duplicate: int
    bytes_duplicate: int
    tokens_total: int
    tokens_received: int
    late: bool
    frozen: bool
    target_bps: float | None = None
    bpp_asked: float | None = None


def deliver(
    frame: int,
    capture_ns: int,
    render_ns: int,
    tokens: int,
    journeys: Sequence[Journey],
    in_time: Iterable[Packet],
    bytes_feedback: int = 0,
    target_bps: float | None = None,
    bpp_asked: float | None = None,
) -> FrameDelivery:
    """Fold the journeys of a frame, all of which have come to an end.

    Args:
        frame: Frame number, from 0.
        capture_ns: When it was taken.
        render_ns: When it is shown, if there is anything to show.
        tokens: Sent in it.
        journeys: Of its packets of all kinds; their copies come with them.
        in_time: Its media packets as they stood in the playout buffer at `render_ns`.
        bytes_feedback: Requests for its packets.
        target_bps: Rate that rate control allowed on the wire.
        bpp_asked: Rate that the codec was asked for.
    """
    received = tuple(depacketize(in_time))
    kinds: dict[Kind, list[Journey]] = {"media": [], "fec": [], "retransmission": []}
    for journey in journeys:
        kinds[journey.packet.kind].append(journey)
    media = kinds["media"]
    missed = [journey for journey in media if journey.fate not in ARRIVED]
    there = {part.index for part in received}
    late = _total([journey for journey in missed if journey.fate == "late"])
    sent, fec, repeats = _total(media), _total(kinds["fec"]), _total(kinds["retransmission"])
    lost = _total([journey for journey in missed if journey.fate in ("lost", "queue_drop")])
    corrupt = _total([journey for journey in missed if journey.fate == "corrupt"])
    recovered = _total([journey for journey in missed if _slice_index(journey) in there])
    doubled = [journey for journey in journeys if journey.copies or journey.fate == "duplicate"]
    duplicate = _total([journey for journey in with_copies(doubled) if journey.fate == "duplicate"])
    return FrameDelivery(
        frame=frame,
        capture_ns=capture_ns,
        render_ns=render_ns if received else None,
        received=received,
        bytes_payload=sent[1] - OVERHEAD_BYTES * sent[0],
        bytes_header=OVERHEAD_BYTES * sent[0],
        packets_fec=fec[0],
        bytes_fec=fec[1],
        packets_retransmitted=repeats[0],
        bytes_retransmitted=repeats[1],
        bytes_feedback=bytes_feedback,
        packets_sent=sent[0],
        packets_lost=lost[0],
        bytes_lost=lost[1],
        packets_late=late[0],
        bytes_late=late[1],
        packets_corrupt=corrupt[0],
        bytes_corrupt=corrupt[1],
        packets_recovered=recovered[0],
        bytes_recovered=recovered[1],
        packets_duplicate=duplicate[0],
        bytes_duplicate=duplicate[1],
        tokens_total=tokens,
        tokens_received=sum(part.tokens for part in received),
        late=late[0] > 0,
        frozen=not received,
        target_bps=target_bps,
        bpp_asked=bpp_asked,
    )


def _total(journeys: Sequence[Journey]) -> tuple[int, int]:
    """Packets and their bytes on the wire."""
    if not journeys:
        return 0, 0
    return len(journeys), sum([journey.size_bytes for journey in journeys])


def _slice_index(journey: Journey) -> int:
    assert isinstance(journey.packet, Packet), journey
    return journey.packet.slice_index
