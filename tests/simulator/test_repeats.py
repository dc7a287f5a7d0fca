"""What is sent again leaves the fate of all else as it was, and meets the channel as it stands."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simulator.channel import loss, repeats
from simulator.scenario import Scenario
from simulator.session import run_session
from tests.simulator.test_loss import sequence
from tests.simulator.tiny import film, scenario

MS = 1_000_000
BY_RATE = (
    lambda rate: {"model": "bernoulli", "rate": rate},
    lambda rate: {"model": "gilbert_elliott", "rate": rate, "mean_burst": 4},
    lambda rate: {"model": "rows", "rows": [[0, 0], [100, rate], [200, rate / 2]]},
)
PATHS = (
    {},
    {"bandwidth": {"model": "constant", "rate": "150 kbit/s"}, "queue": {"model": "droptail", "packets": 6}},
    {"bandwidth": {"model": "constant", "rate": "150 kbit/s"}, "queue": {"model": "codel", "packets": 8, "target": 1}},
    {"bandwidth": {"model": "constant", "rate": "150 kbit/s"}, "queue": {"model": "red", "packets": 6, "weight": 0.5}},
)
fecs = st.sampled_from(["none", {"code": "rs", "overhead": 0.5}, {"code": "xor", "overhead": 0.5, "frames": 2}])
paths = st.sampled_from(PATHS)


def model_of(section):
    return Scenario.model_validate({"name": "x", "channel": {"loss": section}}).channel.loss


def firsts(result, *fates):
    """First transmissions of some fates, counted as they are sent; of copies, their originals count."""
    own = {packet.packet: packet for packet in reversed(result.packets) if packet.kind != "retransmission"}
    return {place for place, number in enumerate(sorted(own)) if own[number].fate in fates}


@given(
    st.sampled_from(BY_RATE), st.floats(0, 0.7), st.floats(0, 0.7), fecs, paths, st.floats(0, 0.4),
    st.sampled_from([1, 3]), st.integers(0, 2**40),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_more_loss_loses_a_superset_of_first_transmissions_whatever_is_repeated(
    section, one, other, fec, path, duplicate, depth, seed
):
    assume(not path or section(0)["model"] != "rows")  # there repeats shift the time at which a packet leaves
    protection = {"fec": fec, "nack": {"initial_rtt": 30, "reorder_wait": 1, "retries": 4}}
    delay = {"model": "uniform", "mean": 20, "jitter": 10, "reorder": True}
    low, high = (
        run_session(
            scenario(seed, 300, protection=protection, depth=depth, loss=section(rate), delay=delay,
                     duplicate=duplicate, **path),
            film(20),
        )
        for rate in sorted((one, other))
    )  # fmt: skip
    assert firsts(low, "lost") <= firsts(high, "lost", "queue_drop")
    if not path:
        assert firsts(low, "lost") <= firsts(high, "lost")


@given(st.floats(1e-5, 0.01), st.floats(1e-5, 0.01), st.integers(0, 2**40))
@settings(max_examples=20, deadline=None)
def test_and_more_bit_errors_hit_a_superset(one, other, seed):
    protection = {"fec": {"code": "rs", "overhead": 0.5}, "nack": {"initial_rtt": 30, "reorder_wait": 1}}
    fewer, more = (
        run_session(
            scenario(seed, 300, protection=protection, corruption={"model": "bits", "rate": rate}, duplicate=0.2,
                     loss={"model": "bernoulli", "rate": 0.1}, delay={"model": "constant", "mean": 20}),
            film(20),
        )
        for rate in sorted((one, other))
    )  # fmt: skip
    assert firsts(fewer, "lost") == firsts(more, "lost") and firsts(fewer, "corrupt") <= firsts(more, "corrupt")


@pytest.mark.parametrize("section", [make(0.3) for make in BY_RATE] + [
    {"model": "four_state", "p13": 0.1, "p31": 0.4, "p32": 0.2, "p23": 0.5, "p14": 0.05},
    {"model": "continuous_time", "mean_bad": 60, "rate": 0.3, "loss_good": 0.1, "loss_bad": 0.8},
    {"model": "trace", "losses": "0001100101"},
    {"model": "bursts", "bursts": [[3, 4], [20, 9]]},
])  # fmt: skip
def test_requests_and_repeats_leave_the_first_transmissions_as_they_were(section):
    mishaps = {
        "duplicate": 0.1,
        "corruption": {"model": "bits", "rate": 1e-4},
        "reorder": {"model": "netem", "rate": 0.2},
        "outage": {"model": "random", "mean_up": 400, "mean_down": 30},
        "delay": {"model": "gamma", "mean": 30, "jitter": 10, "reorder": True},
    }
    asking = {"initial_rtt": 40, "reorder_wait": 5}
    plain, asked = (
        run_session(scenario(7, 400, protection={"nack": nack}, loss=section, **mishaps), film(40))
        for nack in (False, asking)
    )

    def told(result):
        return [(p.frame, p.size_bytes, p.time_sent_ms, p.time_arrived_ms, p.fate in ("lost", "corrupt"))
                for p in result.packets if p.kind == "media"]  # fmt: skip

    assert told(asked) == told(plain)
    assert sum(packet.kind == "retransmission" for packet in asked.packets) > 10


def test_repeats_are_lost_at_the_rate_of_the_channel():
    for section in ({"model": "bernoulli", "rate": 0.3}, {"model": "gilbert_elliott", "rate": 0.3, "mean_burst": 3}):
        shares = []
        for seed in range(5):
            counted = repeats.Counted(loss.make(model_of(section), seed))
            again = repeats.make_loss(model_of(section), seed, counted)
            fates = []
            for now_ns in range(4000):
                counted.lost(now_ns)
                fates.append(again.lost(now_ns))
            shares.append(np.mean(fates))
        assert np.mean(shares) == pytest.approx(0.3, rel=0.05)


def test_a_repeat_meets_the_state_that_the_next_packet_will_meet_and_does_not_move_it():
    model = model_of({"model": "gilbert_elliott", "rate": 0.3, "mean_burst": 3})
    counted = repeats.Counted(loss.make(model, 1))
    again, fates, seen = repeats.make_loss(model, 1, counted), [], []
    for now_ns in range(2000):
        seen.append([again.lost(now_ns) for _ in range(now_ns % 4)])
        fates.append(counted.lost(now_ns))
    assert all(set(repeated) <= {fate} for repeated, fate in zip(seen, fates, strict=True))
    assert fates == sequence(loss.make(model, 1), 2000).tolist() and any(fates)


def test_in_a_state_that_loses_a_share_repeats_have_luck_of_their_own():
    model = model_of({"model": "gilbert_elliott", "p": 0.1, "r": 0.2, "h": 0.5, "k": 0.9})
    counted = repeats.Counted(loss.make(model, 1))
    again = repeats.make_loss(model, 1, counted)
    fates = np.array([(again.lost(now_ns), counted.lost(now_ns)) for now_ns in range(40_000)])
    rate = (0.2 * 0.1 + 0.1 * 0.5) / 0.3
    both = (0.2 * 0.1**2 + 0.1 * 0.5**2) / 0.3  # in one state, independent of each other
    assert fates.mean(axis=0) == pytest.approx([rate, rate], rel=0.05)
    assert fates.all(axis=1).mean() == pytest.approx(both, rel=0.08)


def test_fades_by_time_are_met_by_repeats_too():
    model = model_of({"model": "continuous_time", "mean_bad": 50, "rate": 0.3})
    counted = repeats.Counted(loss.make(model, 1))
    again = repeats.make_loss(model, 1, counted)
    fates = [(counted.lost(ms * MS), again.lost(ms * MS)) for ms in range(2000)]
    assert all(first == second for first, second in fates) and len(set(fates)) == 2
