"""Queues that drop before they are full: RED at the entrance, CoDel at the exit."""

import numpy as np
import pytest

from simulator.channel import bandwidth, delay, link, loss, queue
from simulator.channel.codel import Codel
from simulator.clock import Clock
from simulator.streams import Draws, generator
from tests.simulator.test_queue import SEEDS, constant, exponential_sizes, poisson, serve
from tests.simulator.tiny import journey, scenario, send_at

MS = 1_000_000
INTERVAL = 100 * MS


def red(seed=1, packets=100, least=5, most=15, share=0.1, weight=0.002):
    return queue.Red(packets, least, most, share, weight, Draws(generator(seed, "queue")))


def test_red_drops_nothing_while_the_mean_queue_is_short():
    starts = serve(poisson(0.5, 1, 5000), exponential_sizes(1, 5000), red(), constant())
    assert (starts >= 0).all()


def test_red_lets_nothing_in_where_the_mean_queue_is_long():
    room = red(weight=1, most=6)
    starts = serve([0] * 30, [1000] * 30, room, bandwidth.Constant(8_000_000))
    assert (starts[:6] >= 0).all() and (starts[8:] < 0).all()  # the mean is the length: 6 wait, none after


def test_red_never_holds_more_than_its_room():
    starts = serve([0] * 30, [1000] * 30, red(packets=4, least=20, most=40), bandwidth.Constant(8_000_000))
    assert (starts >= 0).sum() == 5  # four wait, one is being sent


def test_under_overload_red_keeps_the_mean_queue_between_its_marks():
    for seed in SEEDS:
        sizes = [1000] * 20_000
        arrivals = np.random.default_rng(seed).exponential(1_000_000 / 1.05, 20_000).cumsum().astype(int).tolist()
        starts = serve(arrivals, sizes, red(seed, packets=1000), bandwidth.Constant(8_000_000))
        kept = starts >= 0
        waits_ms = (starts - np.array(arrivals))[kept][5000:].mean() / MS  # a packet takes 1 ms
        assert 5 < waits_ms < 15 and 0.03 < 1 - kept.mean() < 0.1


def test_reds_drops_are_spread_evenly_as_its_paper_derives():
    """At a fixed mean, the packets from drop to drop are uniform on 1 .. 1 / p - 1 (Floyd and Jacobson, section 7;
    their algorithm counts the packet after a drop as 1)."""
    found = []
    for seed in SEEDS:
        room = red(seed, packets=10**6, least=0, most=2, share=0.1, weight=1e-12)
        room._mean = 1.0  # held there by the weight: p = 0.05
        fates = [room.admit(number, 10**12 + number, 1000) for number in range(10_000)]
        found.append(np.diff(np.flatnonzero(~np.array(fates))))
    gaps = np.concatenate(found)
    assert gaps.max() == 19 and gaps.mean() == pytest.approx((1 + 19) / 2, rel=0.05)
    assert gaps.std() == pytest.approx(np.sqrt((19**2 - 1) / 12), rel=0.05)


def overloaded(codel, until_ms, arrivals_a_ms=2):
    """Times in ms at which packets are dropped, when one can leave every ms and two come."""
    drops = []
    for now_ms in range(until_ms):
        for _ in range(arrivals_a_ms):
            codel.push(now_ms * MS, 1000, None)
        drops += [now_ms] * len(codel.pop(now_ms * MS)[1])
    return drops


def test_codel_drops_at_interval_over_the_square_root_of_the_count():
    drops = overloaded(Codel(10**6, 5 * MS, INTERVAL, 1500), 3000)
    assert 100 <= drops[0] <= 120  # above the target for one interval, once waits pass 5 ms
    law = drops[0] + np.cumsum(100 / np.sqrt(np.arange(1, len(drops))))
    assert len(drops) > 100 and np.abs(np.array(drops[1:]) - law).max() <= 1.01  # looked at once a ms


def test_codel_leaves_short_waits_and_short_bursts_alone():
    assert overloaded(Codel(10**6, 5 * MS, INTERVAL, 1500), 3000, arrivals_a_ms=1) == []
    burst = Codel(10**6, 5 * MS, INTERVAL, 1500)
    for _ in range(90):
        burst.push(0, 1000, None)
    assert all(not burst.pop(ms * MS)[1] for ms in range(95))  # gone before the interval is over


def test_codel_starts_a_new_series_slower_when_the_last_one_is_long_ago():
    codel = Codel(10**6, 5 * MS, INTERVAL, 1500)
    first = overloaded(codel, 2000)
    while codel.pop(2000 * MS)[0]:
        pass
    later = []
    for ms in range(10_000, 10_600):
        codel.push(ms * MS, 1000, None), codel.push(ms * MS, 1000, None)
        later += [ms] * len(codel.pop(ms * MS)[1])
    assert len(first) > 50 and np.diff(later)[:2] == pytest.approx([100, 71], abs=1.01)


def test_codel_has_room_for_so_many_packets():
    codel = Codel(2, 5 * MS, INTERVAL, 1500)
    assert [codel.push(0, 1000, name) for name in "abc"] == [True, True, False]
    assert [codel.pop(0)[0].item, codel.pop(0)[0].item, codel.pop(0)[0]] == ["a", "b", None]


def test_a_codel_link_that_is_never_full_does_what_a_link_without_a_queue_does():
    times = np.random.default_rng(1).integers(0, 300_000, 400).cumsum().tolist()

    def run(section):
        env, came = Clock(), []
        channel = scenario(
            queue=section,
            bandwidth={"model": "constant", "rate": "60 Mbit/s"},
            loss={"model": "bernoulli", "rate": 0.2},
            delay={"model": "normal", "mean": 40, "jitter": 8, "reorder": True},
        ).channel
        path = link.make(env, channel, 1, lambda packet: came.append((packet.number, env.now)))
        send_at(env, path, times)
        return came

    assert run({"model": "codel"}) == run({"model": "infinite"})


def test_codel_keeps_the_wait_of_an_overloaded_link_short_and_every_packet_has_a_fate():
    env, waits = Clock(), []
    path = link.CodelLink(
        env,
        Codel(1000, 5 * MS, INTERVAL, 1500),
        bandwidth.Constant(8_000_000),
        loss.NoLoss(),
        delay.Constant(0),
        lambda packet: waits.append(env.now - packet.sent_ns - MS),
    )
    journeys = send_at(env, path, range(0, 8000 * MS, 900_000), lambda number: journey(number, 1000))
    assert path.queue_drop.packets + len(waits) == len(journeys) and path.queue_drop.packets > 500
    tail = len(journeys) // 4
    assert np.mean(waits[-tail:]) < 60 * MS  # without CoDel: 800 ms by now, and growing
