"""PASS 1: encoded frames over the network; yields which slices came in time, and all records.

    encoded --sender--> Journey(Packet) --link--> the same, later or never --receiver--> playout
              ^  |                          |                                   |  |
              |  sent            lost, queue_drop, corrupt     delivered, late, ...  gaps
              +---------------- repeats on request <-- reverse path <----------------+

The ledger keeps the books: it hands on packets and frames as soon as nothing more can happen to
them. No picture is decoded in here: deadlines and losses depend on sizes and times, not on pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator import feedback, nack, playout_delay, rate_loop, units
from simulator.channel import erasure, link
from simulator.clock import Clock
from simulator.delivery import FrameDelivery
from simulator.encodings import Film, Ready
from simulator.fec import Protector
from simulator.journey import Conservation, Journey, Tally
from simulator.ledger import Ledger
from simulator.media import EncodedFrame
from simulator.pacing import Pacer
from simulator.packetizer import RtpStream
from simulator.playout import PlayoutBuffer
from simulator.receiver import Receiver
from simulator.records import PacketRecord
from simulator.retransmit import History
from simulator.scenario import GccRate, Scenario
from simulator.sender import Sender
from simulator.streams import generator

__all__ = ["SILENT", "FrameDelivery", "SessionResult", "Taps", "run_session"]

Put = Callable[[Journey], None]

KNOWN_NS = 2 * units.SECOND_NS  # how long after its frame was shown a packet's copy is known for one


@dataclass(frozen=True)
class SessionResult:
    """A network pass, whole.

    Attributes:
        packets: One record a packet, in sending order, a copy behind its original; empty if they were
            handed on block by block.
        deliveries: One a frame, in display order; empty if they were handed on one by one.
        conservation: Where all packets went; already checked.
        reordered: Media packets that arrived after one sent later.
        feedback: Requests and reports sent on the reverse path.
        feedback_lost: Those lost there.
    """

    packets: list[PacketRecord]
    deliveries: list[FrameDelivery]
    conservation: Conservation
    reordered: int
    feedback: Tally
    feedback_lost: Tally


@dataclass(frozen=True)
class Taps:
    """Who listens in; nobody by default.

    Attributes:
        packets: Called with blocks of records in sending order, which the result then lacks.
        delivery: Called with each frame in display order, which the result then lacks.
        sent: Called with each journey before it is put on the link.
        received: Called with each journey when it has left the link.
    """

    packets: Callable[[list[PacketRecord]], None] | None = None
    delivery: Callable[[FrameDelivery], None] | None = None
    sent: Put | None = None
    received: Put | None = None


SILENT = Taps()


def run_session(
    scenario: Scenario,
    encoded: Film | Sequence[EncodedFrame],
    on_progress: Callable[[int], None] | None = None,
    taps: Taps = SILENT,
) -> SessionResult:
    """Send a film over the scenario's channel.

    The simulation runs until the last packet has arrived, late ones too.

    Args:
        scenario: Its source.fps, packetizer.depth, protection, channel, playout, pacing, rate_control
            and seed decide what happens.
        encoded: The film; each frame is asked for once, when its time has come. A plain sequence has one
            rate only.
        on_progress: Called with the number of frames sent so far.
        taps: Who listens in.

    Raises:
        MediaError: If a slice or its parity is larger than a packet may be, or the rate is controlled
            but the film has one rate only.
        AssertionError: If packets or bytes were not conserved, which is a bug in here.
    """
    clock, numbers = Clock(), _Numbers.draw(scenario.seed)
    packets: list[PacketRecord] = []
    deliveries: list[FrameDelivery] = []
    playout = PlayoutBuffer(scenario.source.fps, playout_delay.make(scenario.playout), _waiting_ns(scenario))
    on_delivery = _erased(scenario, taps.delivery or deliveries.append)
    ledger = Ledger(scenario.seed, playout, taps.packets or packets.extend, on_delivery)
    receiver = _receiver(clock, scenario, playout, numbers.ssrc)
    arrive, again = _in_turn(receiver.put, taps.received), scenario.protection.nack.enabled
    path = link.make(clock, scenario.channel, scenario.seed, arrive, repeats=again)
    film = Ready(encoded) if isinstance(encoded, Sequence) else encoded
    sender = _sender(clock, scenario, film, playout, ledger, numbers, _in_turn(taps.sent, path.put), on_progress)
    reverse = _close_the_loop(clock, scenario, receiver, sender, ledger)
    clock.run()

    ledger.finish()
    conservation = Conservation(
        sent=ledger.sent,
        duplicated=ledger.duplicated,
        queue_drop=path.queue_drop,
        lost=path.lost,
        corrupt=path.corrupt,
        delivered=receiver.delivered,
        late=receiver.late,
        duplicate=receiver.duplicate,
        in_flight=ledger.account["in_flight"],
    )
    conservation.check(ledger.account)
    return SessionResult(packets, deliveries, conservation, receiver.reordered, reverse.sent, reverse.lost)


@dataclass(frozen=True)
class _Numbers:
    """First numbers at random, as RFC 3550 section 5.1 wants; so wraps happen in short runs too.

    Repeats and parity are streams of their own (RFC 4588, section 4; RFC 8627, section 3).
    """

    ssrc: int
    timestamp: int
    sequence: int
    fec_ssrc: int
    fec_sequence: int
    rtx_ssrc: int
    rtx_sequence: int

    @classmethod
    def draw(cls, seed: int) -> "_Numbers":
        ssrc, timestamp, sequence = generator(seed, "rtp").integers(0, 2**32, 3).tolist()
        repair = generator(seed, "rtp repair").integers(0, 2**32, 4).tolist()
        return cls(ssrc, timestamp, sequence & 0xFFFF, repair[0], repair[1] & 0xFFFF, repair[2], repair[3] & 0xFFFF)


def _waiting_ns(scenario: Scenario) -> int:
    """Before a frame is sent: its packets may wait for those of depth - 1 further frames."""
    return units.frame_time_ns(scenario.packetizer.depth - 1, scenario.source.fps)


def _receiver(clock: Clock, scenario: Scenario, playout: PlayoutBuffer, ssrc: int) -> Receiver:
    fec, depth = scenario.protection.fec, scenario.packetizer.depth
    frames = depth + fec.frames  # a packet may help those of its block and its group
    keep_ns = max(units.frame_time_ns(frames, scenario.source.fps), KNOWN_NS)
    return Receiver(clock, playout, ssrc, depth, keep_ns, fec=fec.code != "none")


def _sender(
    clock: Clock,
    scenario: Scenario,
    film: Film,
    playout: PlayoutBuffer,
    ledger: Ledger,
    numbers: _Numbers,
    out: Put,
    on_progress: Callable[[int], None] | None,
) -> Sender:
    fec, mtu_bytes = scenario.protection.fec, scenario.channel.mtu_bytes
    stream = RtpStream(scenario.source.fps, mtu_bytes, numbers.ssrc, numbers.sequence, numbers.timestamp)
    protector = Protector(fec, mtu_bytes, numbers.fec_ssrc, numbers.fec_sequence) if fec.code != "none" else None
    history = History(numbers.rtx_ssrc, numbers.rtx_sequence) if scenario.protection.nack.enabled else None
    return Sender(
        clock,
        film,
        stream,
        playout,
        ledger,
        out,
        depth=scenario.packetizer.depth,
        protector=protector,
        history=history,
        rate=rate_loop.make(scenario),
        pacer=Pacer(scenario.pacing.factor) if scenario.pacing.model == "paced" else None,
        on_progress=on_progress,
    )


def _close_the_loop(
    clock: Clock, scenario: Scenario, receiver: Receiver, sender: Sender, ledger: Ledger
) -> feedback.ReversePath:
    """Requests and reports go back over the reverse path, if the scenario wants any."""
    spec, rate_control = scenario.protection.nack, scenario.rate_control
    reverse = feedback.make(clock, scenario.channel.delay, spec.feedback_loss, scenario.seed, out=sender.told)

    def send_back(frame: int, message: bytes) -> None:
        ledger.feedback(frame, nack.size_bytes(message))
        reverse.put(message)

    if spec.enabled:
        receiver.ask_for_losses(spec, send_back)
    if isinstance(rate_control, GccRate):
        receiver.report_arrivals(rate_control.feedback_interval_ns, send_back)
    return reverse


def _erased(scenario: Scenario, on_delivery: Callable[[FrameDelivery], None]) -> Callable[[FrameDelivery], None]:
    """Hand on deliveries without the tokens that a channel with token erasure takes out of their slices."""
    rate, seed = erasure.share(scenario.channel), scenario.seed

    def erase(each: FrameDelivery) -> None:
        received = tuple(erasure.erase(part, rate, seed, each.frame) for part in each.received)
        on_delivery(each._replace(received=received))

    return erase if rate else on_delivery


def _in_turn(first: Put | None, second: Put | None) -> Put:
    """Both, or the one there is."""
    if first is None or second is None:
        only = first or second
        assert only is not None
        return only

    def both(journey: Journey) -> None:
        first(journey)
        second(journey)

    return both
