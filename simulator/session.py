"""PASS 1: encoded frames over the network; yields which slices came in time, and all records.

    encoded --sender--> Journey(Packet) --link--> the same, later or never --receiver--> playout
               |                          |                                    |
             sent             lost, queue_drop, corrupt         delivered, late, duplicate

No picture is decoded in here: deadlines and losses depend on sizes and times, not on pixels.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from simpy import Environment

from simulator import units
from simulator.channel import erasure, link
from simulator.journey import Conservation, Journey, account, tally
from simulator.media import EncodedFrame, Slice
from simulator.packet import OVERHEAD_BYTES
from simulator.packetizer import RtpStream, depacketize
from simulator.playout import PlayoutBuffer
from simulator.receiver import Receiver
from simulator.records import PacketRecord
from simulator.scenario import Scenario
from simulator.sender import Sender
from simulator.streams import generator


@dataclass(frozen=True)
class FrameDelivery:
    """What the network made of one frame.

    Attributes:
        frame: Frame number, from 0.
        capture_ns: When it was taken and sent.
        render_ns: When it is shown; None if nothing of it came in time.
        received: Slices there in time, by index.
        bytes_payload: Slices sent.
        bytes_header: Headers of the packets that carried them: IP, UDP, RTP and payload header.
        bytes_fec, bytes_retransmitted: Repair packets, with their headers.
        packets_sent: Media packets sent.
        packets_lost: Of them, those lost on the way or dropped by the queue.
        packets_late: Those that came after the frame was shown.
        packets_recovered: Those lost or late, but rebuilt or sent again in time.
        packets_corrupt: Those dropped because they were damaged.
        tokens_total: Tokens sent.
        tokens_received: Tokens in `received`.
        late: Whether any packet was late.
        frozen: Nothing came in time: the screen keeps the picture before it.
    """

    frame: int
    capture_ns: int
    render_ns: int | None
    received: tuple[Slice, ...]
    bytes_payload: int
    bytes_header: int
    bytes_fec: int
    bytes_retransmitted: int
    packets_sent: int
    packets_lost: int
    packets_late: int
    packets_recovered: int
    packets_corrupt: int
    tokens_total: int
    tokens_received: int
    late: bool
    frozen: bool


@dataclass(frozen=True)
class SessionResult:
    """A network pass, whole.

    Attributes:
        packets: One record a packet, in sending order; a copy the channel made follows its original.
        deliveries: One a frame, in display order.
        conservation: Where all packets went; already checked.
        reordered: Packets that arrived after one sent later.
    """

    packets: list[PacketRecord]
    deliveries: list[FrameDelivery]
    conservation: Conservation
    reordered: int


def run_session(
    scenario: Scenario,
    encoded: Sequence[EncodedFrame],
    on_progress: Callable[[int], None] | None = None,
) -> SessionResult:
    """Send a film over the scenario's channel.

    The simulation runs until the last packet has arrived, late ones too.

    Args:
        scenario: Its source.fps, channel, playout and seed decide what happens.
        encoded: The film, one element a frame.
        on_progress: Called with the number of frames sent so far.

    Raises:
        MediaError: If a slice is larger than a packet may be.
        AssertionError: If packets or bytes were not conserved, which is a bug in here.
    """
    env = Environment()
    stream = _start_stream(scenario)
    playout = PlayoutBuffer(scenario.source.fps, scenario.playout.deadline_ns)
    receiver = Receiver(env, playout)
    path = link.make(env, scenario.channel, scenario.seed, out=receiver.put)
    sender = Sender(env, encoded, stream, out=path.put, on_progress=on_progress)
    env.run()

    journeys = sorted([*sender.journeys, *path.copies], key=lambda journey: journey.number)  # a copy after its original
    conservation = Conservation(
        sent=sender.sent,
        duplicated=tally(path.copies),
        queue_drop=path.queue_drop,
        lost=path.lost,
        corrupt=path.corrupt,
        delivered=receiver.delivered,
        late=receiver.late,
        duplicate=receiver.duplicate,
        in_flight=account(journeys)["in_flight"],
    )
    conservation.check(journeys)
    return SessionResult(
        packets=[_record(journey, scenario.seed) for journey in journeys],
        deliveries=_erase(_deliveries(encoded, sender.journeys, playout, scenario.source.fps), scenario),
        conservation=conservation,
        reordered=receiver.reordered,
    )


def _start_stream(scenario: Scenario) -> RtpStream:
    """First numbers at random, as RFC 3550 section 5.1 wants; so wraps happen in short runs too."""
    ssrc, timestamp, sequence = generator(scenario.seed, "rtp").integers(0, 2**32, 3).tolist()
    return RtpStream(
        fps=scenario.source.fps,
        mtu_bytes=scenario.channel.mtu_bytes,
        ssrc=ssrc,
        sequence=sequence & 0xFFFF,
        first_timestamp=timestamp,
    )


def _record(journey: Journey, seed: int) -> PacketRecord:
    assert journey.fate is not None, journey  # the run went on until all had arrived
    arrived_ns = journey.arrived_ns
    return PacketRecord(
        seed=seed,
        frame=journey.frame,
        packet=journey.number,
        kind=journey.packet.kind,
        size_bytes=journey.size_bytes,
        time_sent_ms=units.ns_to_ms(journey.sent_ns),
        time_arrived_ms=None if arrived_ns is None else units.ns_to_ms(arrived_ns),
        fate=journey.fate,
        tokens=journey.packet.tokens,
    )


def _deliveries(
    encoded: Sequence[EncodedFrame], journeys: Iterable[Journey], playout: PlayoutBuffer, fps: float
) -> list[FrameDelivery]:
    by_frame: list[list[Journey]] = [[] for _ in encoded]
    for journey in journeys:
        by_frame[journey.frame].append(journey)
    return [
        _delivery(frame, units.frame_time_ns(frame, fps), sent, by_frame[frame], playout)
        for frame, sent in enumerate(encoded)
    ]


def _erase(deliveries: list[FrameDelivery], scenario: Scenario) -> list[FrameDelivery]:
    """Deliveries with the tokens that a channel with token erasure takes out of their slices."""
    rate, seed = erasure.share(scenario.channel), scenario.seed
    if not rate:
        return deliveries
    return [
        replace(each, received=tuple(erasure.erase(part, rate, seed, each.frame) for part in each.received))
        for each in deliveries
    ]


def _delivery(
    frame: int, capture_ns: int, sent: EncodedFrame, journeys: Sequence[Journey], playout: PlayoutBuffer
) -> FrameDelivery:
    received = tuple(depacketize(playout.packets(frame)))
    fates = [journey.fate for journey in journeys]
    late = fates.count("late")
    return FrameDelivery(
        frame=frame,
        capture_ns=capture_ns,
        render_ns=playout.render_ns(frame) if received else None,
        received=received,
        bytes_payload=sum(journey.size_bytes for journey in journeys) - OVERHEAD_BYTES * len(journeys),
        bytes_header=OVERHEAD_BYTES * len(journeys),
        bytes_fec=0,
        bytes_retransmitted=0,
        packets_sent=len(journeys),
        packets_lost=fates.count("lost") + fates.count("queue_drop"),
        packets_late=late,
        packets_recovered=0,
        packets_corrupt=fates.count("corrupt"),
        tokens_total=sent.tokens,
        tokens_received=sum(part.tokens for part in received),
        late=late > 0,
        frozen=not received,
    )
