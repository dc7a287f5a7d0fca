from itertools import pairwise

import numpy as np
import simpy
from hypothesis import given
from hypothesis import strategies as st

from simulator.channel import bandwidth, delay, loss, queue
from simulator.channel.link import Link, make
from simulator.channel.mishaps import Mishaps
from simulator.clock import Clock
from simulator.fec_packet import FecPacket
from simulator.journey import Journey
from simulator.packet import Packet
from tests.simulator.tiny import Script, journey, scenario, send_at

MS = 1_000_000
gaps = st.lists(st.integers(0, 5000), min_size=1, max_size=40)


def link(env, out, **models):
    parts = {
        "queue": queue.Infinite(),
        "bandwidth": bandwidth.Infinite(),
        "loss": loss.NoLoss(),
        "delay": delay.Constant(0),
    }
    return Link(env, **{**parts, **models}, out=out)


def arrivals(times_ns, **models):
    """(number, time in ns) of each packet at the far end, in order; and all journeys."""
    env, came = Clock(), []
    path = link(env, lambda packet: came.append((packet.number, env.now)), **models)
    return came, send_at(env, path, times_ns)


def test_a_perfect_link_delivers_at_once():
    assert arrivals([0, 5, 9])[0] == [(0, 0), (1, 5), (2, 9)]


def test_a_packet_takes_its_transmission_time_then_its_delay():
    came, _ = arrivals([7], bandwidth=bandwidth.Constant(8_000_000), delay=delay.Constant(40))
    assert came == [(0, 7 + 1_000_000 + 40)]  # 1000 bytes at a byte a microsecond


def test_packets_of_a_burst_leave_one_after_the_other():
    came, _ = arrivals([0, 0, 0], bandwidth=bandwidth.Constant(8_000_000))
    assert came == [(0, 1_000_000), (1, 2_000_000), (2, 3_000_000)]


def test_only_the_packets_that_the_script_loses_are_lost():
    came, journeys = arrivals([0, 1, 2, 3], loss=Script([False, True, True, False]))
    assert [number for number, _ in came] == [0, 3]
    assert [packet.fate for packet in journeys] == [None, "lost", "lost", None]


def test_a_full_queue_drops_and_says_so():
    came, journeys = arrivals([0] * 4, queue=queue.DropTail(packets=1), bandwidth=bandwidth.Constant(8_000_000))
    assert [number for number, _ in came] == [0, 1]
    assert [packet.fate for packet in journeys] == [None, None, "queue_drop", "queue_drop"]


def test_a_packet_dropped_by_the_queue_uses_up_the_draw_that_would_have_been_its_own():
    came, _ = arrivals(
        [0, 0, 0, 5_000_000],
        queue=queue.DropTail(packets=1),
        bandwidth=bandwidth.Constant(8_000_000),
        loss=Script([False, True, True, False]),
    )
    assert [number for number, _ in came] == [0, 3]


def test_packets_overtake_each_other_only_where_they_may():
    slow_then_fast = [100, 10, 50]
    may, _ = arrivals([0, 1, 2], delay=Script(slow_then_fast, reorder=True))
    may_not, _ = arrivals([0, 1, 2], delay=Script(slow_then_fast, reorder=False))
    assert may == [(1, 11), (2, 52), (0, 100)]
    assert may_not == [(0, 100), (1, 100), (2, 100)]


@given(st.data(), gaps)
def test_a_fifo_link_never_reorders_whatever_the_delays(data, steps):
    delays = data.draw(st.lists(st.integers(0, 10_000), min_size=len(steps), max_size=len(steps)))
    came, _ = arrivals(np.cumsum(steps).tolist(), delay=Script(delays))
    assert [number for number, _ in came] == list(range(len(steps)))
    assert all(earlier <= later for (_, earlier), (_, later) in pairwise(came))


@given(st.data(), gaps, st.booleans())
def test_loss_decides_whether_a_packet_arrives_and_never_when(data, steps, reorder):
    def values(strategy):
        return data.draw(st.lists(strategy, min_size=len(steps), max_size=len(steps)))

    times_ns, delays, losses = np.cumsum(steps).tolist(), values(st.integers(0, 10_000)), values(st.booleans())
    everything, _ = arrivals(times_ns, delay=Script(delays, reorder))
    rest, _ = arrivals(times_ns, delay=Script(delays, reorder), loss=Script(losses))
    assert rest == [(number, time_ns) for number, time_ns in everything if not losses[number]]


@given(gaps, st.integers(0, 3))
def test_one_event_a_packet_does_what_a_process_with_a_real_queue_does(steps, room):
    """A slow reference: a server process, a list of waiting packets, each step an event of its own."""
    line, times_ns = bandwidth.Constant(8_000_000_000), np.cumsum(steps).tolist()  # a byte a nanosecond
    fast, journeys = arrivals(times_ns, queue=queue.DropTail(room), bandwidth=line)
    env, waiting, slow, dropped = Clock(), [], [], []
    server = simpy.Resource(env)

    def packet(number):
        if server.count and len(waiting) >= room:
            dropped.append(number)
            return
        with server.request() as turn:
            waiting.append(number)
            yield turn
            waiting.remove(number)
            yield env.timeout(1000)
        slow.append((number, env.now))

    def source():
        for number, time_ns in enumerate(times_ns):
            if time_ns > env.now:
                yield env.timeout(time_ns - env.now)
                for _ in range(4):  # at one nanosecond, what leaves goes first
                    yield env.timeout(0)
            env.process(packet(number))
            yield env.timeout(0)
            yield env.timeout(0)

    env.process(source())
    env.run()
    assert (fast, [each.number for each in journeys if each.fate == "queue_drop"]) == (slow, dropped)


def test_the_same_seed_gives_the_same_arrivals_and_another_seed_others():
    channel = scenario(
        loss={"model": "gilbert_elliott", "rate": 0.2, "mean_burst": 3},
        delay={"model": "normal", "mean": 40, "jitter": 8, "reorder": True},
    ).channel

    def run(seed):
        env, came = Clock(), []
        path = make(env, channel, seed, lambda packet: came.append((packet.number, env.now)))
        send_at(env, path, range(0, 200 * MS, MS))
        return came

    assert run(1) == run(1) != run(2)


def test_wrong_bits_spare_the_headers_of_every_kind_of_packet():
    """Repeats and parity have longer headers than media; without a checksum those that are hit go on, changed."""
    spared = {}
    for packet in (MEDIA, restored_as_repeat(MEDIA), PARITY):
        env, came = Clock(), []
        path = link(env, came.append, mishaps=Mishaps(corruption=LastBit()))
        path.put(Journey(packet, 0, 0, packet.size_bytes, 0))
        env.run()
        spared[packet.kind] = came[0].packet.payload[-2:]
    assert spared == dict.fromkeys(("media", "retransmission", "fec"), b"ac")


MEDIA = Packet(0, 0, 0, True, 0, 0, 1, 1, "media", b"ab")
PARITY = FecPacket(0, 0, 0, 0, 0, (0, 1), 0, 1, "xor", bytes(13) + b"ab")  # of 13 bytes, headers come


def restored_as_repeat(packet):
    return packet._replace(kind="retransmission", original_sequence=packet.sequence)


class LastBit:
    """Turns the last bit of each packet over, and no checksum finds it."""

    checksum = False

    def wrong_bits(self, size_bytes):
        return [8 * size_bytes - 1]


def test_journeys_of_the_helper_have_the_size_they_say():
    assert journey(0, 1000).packet.size_bytes == 1000
