"""Faults of ns.py 0.4.3 (github.com/TL-System/ns.py) that the channel here must not have.

Its Wire turns jitter into head-of-line waiting and cannot reorder; its PacketSink records each
arrival twice with its defaults; its draws come from the global generator, which nobody seeds.
"""

import random

import numpy as np

from simulator.session import run_session
from tests.simulator.test_mishaps import run
from tests.simulator.tiny import film, scenario

MS = 1_000_000
JITTER = {"model": "gamma", "mean": 5, "jitter": 5, "reorder": True}  # exponential, mean 5 ms


def test_jitter_stays_jitter_a_mean_delay_of_5_is_seen_as_5_and_not_as_11():
    for seed in range(5):
        _, came, _ = run(20_000, gap_ns=MS, seed=seed, delay=JITTER)
        waits_ms = [(time_ns - number * MS) / MS for number, time_ns in came]
        assert abs(np.mean(waits_ms) - 5) < 4 * 5 / np.sqrt(20_000)  # four standard errors


def test_packets_can_overtake_one_another():
    _, came, _ = run(2000, gap_ns=MS, delay=JITTER)
    numbers = [number for number, _ in came]
    assert sorted(numbers) == list(range(2000)) != numbers


def test_each_arrival_is_recorded_once():
    result = run_session(scenario(delay=JITTER), film(25))
    assert result.conservation.delivered.packets == 100 == len(result.packets)
    assert len({packet.packet for packet in result.packets}) == 100


def test_the_global_generators_are_neither_read_nor_moved():
    channel = {
        "loss": {"model": "gilbert_elliott", "rate": 0.2, "mean_burst": 3},
        "delay": JITTER,
        "duplicate": 0.1,
        "corruption": {"model": "bits", "rate": 1e-4},
        "outage": {"model": "random", "mean_up": 90, "mean_down": 9},
        "queue": {"model": "red"},
    }
    runs = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)
        before = random.getstate(), np.random.get_state()[1].tolist()
        runs.append(run_session(scenario(**channel), film(50)).packets)
        assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    assert runs[0] == runs[1]
