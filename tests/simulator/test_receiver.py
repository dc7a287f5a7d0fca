"""The loop of losses, requests and repeats under scripted losses: times to the nanosecond."""

import pytest

from simulator import nack
from simulator.channel import bandwidth, queue
from simulator.channel.link import Link
from simulator.clock import Clock
from simulator.encodings import Ready
from simulator.fec import Protector
from simulator.feedback import ReversePath
from simulator.journey import account
from simulator.ledger import Ledger
from simulator.packetizer import RtpStream
from simulator.playout import PlayoutBuffer
from simulator.playout_delay import Fixed
from simulator.receiver import Receiver
from simulator.retransmit import History
from simulator.scenario_protection import Fec, Nack
from simulator.sender import Sender
from simulator.streams import Draws, generator
from tests.simulator.tiny import Script, film

MS = 1_000_000


class Always:
    """The same delay for all, in either direction."""

    def __init__(self, delay_ns):
        self.delay_ns, self.reorder = delay_ns, False

    def draw(self, now_ns):
        return self.delay_ns


class Loop:
    """Sender, link and receiver with 20 ms either way, 25 fps, 4 packets a frame, and scripted losses."""

    def __init__(self, lost=(), frames=3, deadline_ms=200, delays=None, fec=None, feedback_loss=0.0, depth=1, **keys):
        env = self.env = Clock()
        self.told, self.packets, self.deliveries = [], [], []
        playout = PlayoutBuffer(25, Fixed(deadline_ms * MS))
        self.ledger = Ledger(1, playout, self.packets.extend, self.deliveries.append)
        self.receiver = Receiver(env, playout, 5, depth, 40 * MS, fec=fec is not None)
        losses = Script([number in lost for number in range(10_000)])
        delay = (
            Script([round(each * MS) for each in delays] + [20 * MS] * 10_000, reorder=True)
            if delays
            else Always(20 * MS)
        )
        path = Link(env, queue.Infinite(), bandwidth.Infinite(), losses, delay, self.receiver.put)
        protector = Protector(fec, 1500, 6, 0) if fec else None
        rtp = RtpStream(25, 1500, 5, sequence=65530)
        sender = Sender(
            env, Ready(film(frames)), rtp, playout, self.ledger, path.put, depth, protector, History(7, 65535)
        )
        reverse = ReversePath(env, Always(20 * MS), feedback_loss, Draws(generator(1, "feedback loss")), sender.told)

        def request(frame, message):
            self.told.append((env.now, frame, nack.parse(message)))
            self.ledger.feedback(frame, nack.size_bytes(message))
            reverse.put(message)

        spec = Nack.model_validate({"reorder_wait": "3 ms", "initial_rtt": "50 ms", "margin": "5 ms", **keys})
        self.receiver.ask_for_losses(spec, request)
        env.run()
        self.ledger.finish()
        assert self.ledger.account["in_flight"] == account(())["in_flight"]

    def repeats(self):
        """(sent, arrived, fate) of each repeat, in ms."""
        return [
            (each.time_sent_ms, each.time_arrived_ms, each.fate)
            for each in self.packets
            if each.kind == "retransmission"
        ]


def test_a_gap_is_asked_for_after_the_wait_and_repeated_at_once():
    loop = Loop(lost={1})
    assert loop.told == [(23 * MS, 0, [65531])]  # seen at 20 ms, when packet 2 came; 3 ms of patience
    assert loop.repeats() == [(43, 63, "delivered")]
    (frame, *_) = loop.deliveries
    assert (frame.packets_lost, frame.packets_recovered, frame.packets_retransmitted) == (1, 1, 1)
    assert len(frame.received) == 4 and frame.bytes_retransmitted == 148 and frame.bytes_feedback == 28 + 16


def test_the_last_packet_of_a_frame_is_missed_when_the_next_frame_comes():
    loop = Loop(lost={3})
    assert loop.told == [(63 * MS, 0, [65533])]  # frame 1 is sent at 40 ms


def test_losses_of_one_gap_share_a_request_even_over_the_wrap_of_numbers():
    loop = Loop(lost={5, 6}, frames=2)
    assert loop.told == [(63 * MS, 1, [65535, 0])]
    assert [fate for *_, fate in loop.repeats()] == ["delivered"] * 2


def test_a_packet_overtaken_by_less_than_the_wait_is_not_asked_for():
    assert Loop(delays=[20, 22.9, 20, 20]).told == []
    late = Loop(delays=[20, 23.1, 20, 20])
    assert late.told == [(23 * MS, 0, [65531])]
    assert late.repeats() == [(43, 63, "duplicate")]
    assert late.deliveries[0].packets_duplicate == 1 and late.deliveries[0].packets_recovered == 0


def test_a_repeat_that_is_lost_is_asked_for_again_after_the_timeout():
    loop = Loop(lost={1, 8}, deadline_ms=400, frames=2)  # packets 0 to 7 are media, 8 is the repeat
    # no measurement yet: RTO = 50 + 4 x 25 = 150 ms after the first request
    assert loop.told == [(23 * MS, 0, [65531]), (173 * MS, 0, [65531])]
    assert loop.repeats() == [(43, None, "lost"), (193, 213, "delivered")]


def test_the_measured_round_trip_takes_the_place_of_the_assumed_one():
    loop = Loop(lost={1, 9, 13}, frames=4, deadline_ms=400)
    # 0-3 frame 0, 4-7 frame 1, 8 the repeat of 1 (sent at 43 ms), 9-12 frame 2, 13-16 frame 3
    # the repeat comes at 63 ms, 40 ms after the request: SRTT 40, RTTVAR 20
    assert loop.told[0] == (23 * MS, 0, [65531])
    assert loop.receiver._asker.round_trip.smoothed_ns == 40 * MS


@pytest.mark.parametrize(("deadline_ms", "asked"), [(79, True), (78, False)])
def test_nothing_is_asked_for_that_cannot_be_in_time(deadline_ms, asked):
    # asked at 23 ms: 23 + 50 + 5 = 78 must be below the deadline
    assert bool(Loop(lost={1}, deadline_ms=deadline_ms).told) == asked


def test_a_packet_is_asked_for_at_most_retries_times():
    loop = Loop(lost={1, 8, 9, 10}, frames=2, deadline_ms=2000, retries=2)
    assert [time for time, *_ in loop.told] == [23 * MS, 173 * MS]
    assert loop.deliveries[0].packets_recovered == 0


def test_a_request_lost_on_its_way_back_is_made_again():
    loop = Loop(lost={1}, frames=1, feedback_loss=1.0, deadline_ms=600)
    assert [time for time, *_ in loop.told] == [23 * MS, 173 * MS, 323 * MS] and loop.repeats() == []
    assert loop.deliveries[0].bytes_feedback == 3 * 44


def test_an_original_that_comes_after_its_repeat_is_late_or_a_duplicate():
    slow = Loop(delays=[20, 90, 20, 20])  # repeat at 63 ms, original at 90 ms
    assert [each.fate for each in slow.packets if each.frame == 0] == ["delivered", "duplicate", *["delivered"] * 3]
    assert slow.deliveries[0].packets_recovered == 0
    never = Loop(delays=[20, 300, 20, 20])
    assert [each.fate for each in never.packets if each.frame == 0][1] == "late"
    assert (never.deliveries[0].packets_late, never.deliveries[0].packets_recovered) == (1, 1)


def test_what_parity_rebuilds_is_not_asked_for():
    fec = Fec.model_validate({"code": "rs", "k": 4, "n": 5})
    assert Loop(lost={1}, fec=fec).told == []
    two = Loop(lost={1, 3}, fec=fec)
    # packet 2 told of the first gap and parity of the second; one repeat is enough, parity gives the other
    assert two.told == [(23 * MS, 0, [65531]), (23 * MS, 0, [65533])] and two.deliveries[0].packets_recovered == 2
    assert [fate for *_, fate in two.repeats()] == ["delivered", "duplicate"]


def test_parity_tells_of_a_lost_tail_before_the_next_frame_does():
    fec = Fec.model_validate({"code": "rs", "k": 4, "n": 5})
    assert Loop(lost={2, 3}, fec=fec, frames=1).told == [(23 * MS, 0, [65532, 65533])]


def test_with_depth_the_frame_of_a_lost_packet_is_still_known():
    # frames 0 and 1 leave together at 40 ms: packets 0 2 4 6 are of frame 0, 1 3 5 7 of frame 1
    loop = Loop(lost={2, 3}, frames=2, depth=2, deadline_ms=200)
    assert loop.told == [(63 * MS, 0, [65532, 65533])]
    assert [each.packets_recovered for each in loop.deliveries] == [1, 1]
