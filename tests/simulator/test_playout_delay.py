import numpy as np

from simulator.playout_delay import Adaptive, SpikeDetector

MS = 1_000_000


def feed(delay: Adaptive, delays_ms: list[float], every_ms: float = 10.0, start: int = 0) -> list[float]:
    """Packets every 10 ms with these delays; the playout delay after each, in ms."""
    found = []
    for number, each in enumerate(delays_ms, start):
        delay.arrived(round(each * MS), round(number * every_ms * MS))
        found.append(delay.delay_ns() / MS)
    return found


def test_it_starts_at_the_longest_delay_and_falls_by_a_tenth_of_the_time_that_passes() -> None:
    found = feed(Adaptive(0.98, 100, 0, 200 * MS), [50.0] * 300)
    assert found[:9] == [200.0] * 9
    assert found[30] - found[130] == 100 * 10 / 10
    assert found[-1] == 50


def test_it_settles_at_the_wanted_percentile_of_the_last_packets() -> None:
    delays = np.random.default_rng(1).uniform(20, 60, 3000).tolist()
    found = feed(Adaptive(0.95, 500, 0, 200 * MS), delays)
    last = sorted(delays[-500:])
    assert found[-1] == round(last[475 - 1] * MS) / MS
    late = np.mean(np.array(delays[1500:]) > np.array(found[1499:-1]))
    assert 0.02 < late < 0.08


def test_it_rises_at_once_and_stays_within_its_limits() -> None:
    delay = Adaptive(0.9, 20, 30 * MS, 90 * MS)
    assert feed(delay, [10.0] * 1000)[-1] == 30
    assert feed(delay, [70.0] * 5, start=1000)[-1] == 70
    assert feed(delay, [150.0] * 50, start=1005)[-1] == 90


def test_in_a_spike_it_follows_the_packets_and_forgets_them_afterwards() -> None:
    delay = Adaptive(0.9, 200, 0, 1000 * MS)
    feed(delay, [20.0] * 2000)
    spike = [400.0 - 10 * step for step in range(39)]  # a jam that is let go: 400 ms, then 10 ms less each packet
    found = feed(delay, spike, start=2000)
    assert found[0] == 400
    calm = feed(delay, [20.0] * 600, start=2039)
    assert calm[-1] == 20


def test_a_spike_is_a_jump_of_100_ms_and_twice_the_variation_and_ends_when_delays_are_level() -> None:
    spike = SpikeDetector()
    levels = [20 * MS] * 50
    assert not any(spike.add(each) for each in levels)
    assert not spike.add(119 * MS)
    calm = SpikeDetector()
    for each in levels:
        calm.add(each)
    assert calm.add(121 * MS)
    assert calm.add(121 * MS) and not [calm.add(121 * MS) for _ in range(5)][-1]
