import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.channel import bandwidth, queue
from simulator.scenario import Scenario

SEEDS = range(5)
RATE_BPS = 8_000_000  # one byte a microsecond
MEAN_BYTES = 100_000  # so that whole bytes are fine steps of an exponential size


def serve(arrivals_ns, sizes, room, line):
    """The line of a link alone: start of each packet in ns, -1 where it was refused."""
    free_ns, starts = 0, []
    for now_ns, size in zip(arrivals_ns, sizes, strict=True):
        start_ns = max(free_ns, now_ns)
        admitted = room.admit(now_ns, start_ns, size)
        starts.append(start_ns if admitted else -1)
        free_ns = line.finish_ns(start_ns, size) if admitted else free_ns
    return np.array(starts)


def poisson(load, seed, count=40_000):
    """Arrivals in ns, such that packets of MEAN_BYTES keep the line busy `load` of the time."""
    gap_ns = MEAN_BYTES * 1000 / load
    return np.random.default_rng(seed).exponential(gap_ns, count).cumsum().astype(int).tolist()


def exponential_sizes(seed, count=40_000):
    return np.ceil(np.random.default_rng(seed + 99).exponential(MEAN_BYTES, count)).astype(int).tolist()


def constant():
    return bandwidth.Constant(RATE_BPS)


def test_an_infinite_queue_has_room_for_all():
    assert all(queue.Infinite().admit(0, 10**12, 10**9) for _ in range(1000))


def test_a_packet_that_finds_the_line_idle_needs_no_room():
    assert queue.DropTailBytes(10).admit(5, 5, 1500)


def test_room_for_two_packets_lets_two_wait_beside_the_one_being_sent():
    starts = serve([0] * 5, [1000] * 5, queue.DropTail(packets=2), constant())
    assert starts.tolist() == [0, 1_000_000, 2_000_000, -1, -1]


def test_a_place_is_free_at_the_nanosecond_its_packet_starts():
    starts = serve([0, 0, 999_999, 1_000_000], [1000] * 4, queue.DropTail(packets=1), constant())
    assert starts.tolist() == [0, 1_000_000, -1, 2_000_000]


def test_a_limit_in_bytes_refuses_what_does_not_fit_and_takes_a_smaller_one():
    starts = serve([0] * 4, [1000, 1000, 1000, 500], queue.DropTailBytes(1500), constant())
    assert (starts >= 0).tolist() == [True, True, False, True]


def test_both_limits_hold_together():
    starts = serve([0] * 4, [1000, 10, 10, 10], queue.DropTailBytes(1500, packets=2), constant())
    assert (starts >= 0).tolist() == [True, True, True, False]


traffic = st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 2000)), max_size=60)


@given(traffic, st.integers(1, 5), st.none() | st.integers(1, 5000))
def test_fast_code_refuses_what_a_full_search_refuses(packets, room, room_bytes):
    arrivals = np.cumsum([gap for gap, _ in packets]).tolist()
    sizes = [size for _, size in packets]
    fast_queue = queue.DropTail(room) if room_bytes is None else queue.DropTailBytes(room_bytes, room)
    fast = serve(arrivals, sizes, fast_queue, bandwidth.Constant(8_000_000_000))
    free_ns, slow, admitted = 0, [], []
    for now_ns, size in zip(arrivals, sizes, strict=True):
        start_ns = max(free_ns, now_ns)
        waiting = [other for start, other in admitted if start > now_ns]
        too_large = room_bytes is not None and sum(waiting) + size > room_bytes
        if start_ns > now_ns and (len(waiting) >= room or too_large):
            slow.append(-1)
        else:
            slow.append(start_ns)
            admitted.append((start_ns, size))
            free_ns = start_ns + size  # one byte a nanosecond
    assert fast.tolist() == slow


@given(st.lists(st.integers(0, 3000), max_size=60), st.integers(1, 8), st.integers(0, 8))
def test_more_room_never_refuses_more_packets_of_one_size(gaps, room, more):
    arrivals = np.cumsum(gaps).tolist()
    small, large = (
        serve(arrivals, [1000] * len(gaps), queue.DropTail(size), bandwidth.Constant(8_000_000_000))
        for size in (room, room + more)
    )
    assert (large < 0).sum() <= (small < 0).sum()


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_the_wait_is_that_of_m_d_1_within_six_per_cent(load):
    waits = []
    for seed in SEEDS:
        arrivals = poisson(load, seed)
        starts = serve(arrivals, [MEAN_BYTES] * len(arrivals), queue.Infinite(), constant())
        waits.append((starts - arrivals).mean() / (MEAN_BYTES * 1000))
    assert np.mean(waits) == pytest.approx(load / (2 * (1 - load)), rel=0.06)  # in service times


def test_the_wait_is_that_of_m_m_1_within_six_per_cent():
    waits = []
    for seed in SEEDS:
        arrivals = poisson(0.6, seed)
        starts = serve(arrivals, exponential_sizes(seed), queue.Infinite(), constant())
        waits.append((starts - arrivals).mean() / (MEAN_BYTES * 1000))
    assert np.mean(waits) == pytest.approx(0.6 / (1 - 0.6), rel=0.06)


@pytest.mark.parametrize(("load", "room"), [(0.8, 3), (1.2, 4), (2.0, 1)])
def test_drop_tail_refuses_as_often_as_m_m_1_k_within_five_per_cent(load, room):
    refused = []
    for seed in SEEDS:
        starts = serve(poisson(load, seed), exponential_sizes(seed), queue.DropTail(room), constant())
        refused.append((starts < 0).mean())
    k = room + 1  # waiting, and the one being sent
    expected = (1 - load) * load**k / (1 - load ** (k + 1))
    assert np.mean(refused) == pytest.approx(expected, rel=0.05)


def test_a_scenario_gets_the_queue_and_the_bandwidth_it_names():
    sections = {"queue": {"model": "droptail", "packets": 1}, "bandwidth": {"model": "constant", "rate": "8 Mbit/s"}}
    channel = Scenario.model_validate({"name": "x", "channel": sections}).channel
    starts = serve([0] * 3, [1000] * 3, queue.make(channel.queue, 1), bandwidth.make(channel.bandwidth, 1))
    assert starts.tolist() == [0, 1_000_000, -1]


def test_an_infinite_line_has_no_queue():
    assert serve([0] * 9, [1000] * 9, queue.DropTail(1), bandwidth.Infinite()).tolist() == [0] * 9
