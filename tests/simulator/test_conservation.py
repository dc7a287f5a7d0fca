"""Two thousand scenarios with everything in them: nothing is forgotten, counted twice, or under another's name."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.scenario import Scenario
from simulator.session import run_session
from tests.simulator.test_session import fecs, nacks, shares
from tests.simulator.tiny import film

FRAMES = 9
few = st.floats(0, 0.5)

losses = st.one_of(
    st.just({"model": "none"}),
    st.builds(lambda rate: {"model": "bernoulli", "rate": rate}, shares),
    st.builds(
        lambda rate, burst: {"model": "gilbert_elliott", "rate": rate, "mean_burst": burst}, few, st.floats(1, 9)
    ),
    st.builds(
        lambda p, r, h, k: {"model": "gilbert_elliott", "p": p, "r": r, "h": h, "k": k},
        st.floats(0.01, 1), shares, shares, shares,
    ),
    st.builds(
        lambda p13, p32, p14: {"model": "four_state", "p13": p13, "p31": 0.5, "p32": p32, "p23": 0.5, "p14": p14},
        few, few, few,
    ),
    st.builds(lambda rate: {"model": "continuous_time", "mean_bad": 50, "rate": rate}, st.floats(0.01, 0.9)),
    st.builds(lambda losses: {"model": "trace", "losses": losses}, st.text("01", min_size=1, max_size=20)),
    st.builds(lambda rate: {"model": "rows", "rows": [[0, rate], [100, 0]], "repeat": True}, shares),
    st.just({"model": "bursts", "bursts": [[2, 3], [11, 9]]}),
    st.builds(lambda rate: {"model": "token_erasure", "rate": rate}, shares),
)  # fmt: skip
delays = st.one_of(
    st.builds(lambda mean: {"model": "constant", "mean": mean}, st.integers(1, 200)),
    st.builds(
        lambda model, mean, reorder: {"model": model, "mean": mean, "jitter": mean / 2, "reorder": reorder},
        st.sampled_from(["normal", "uniform", "pareto", "gamma"]), st.integers(1, 200), st.booleans(),
    ),
    st.builds(lambda reorder: {"model": "empirical", "values": [5, 80], "reorder": reorder}, st.booleans()),
    st.builds(lambda reorder: {"model": "trace", "rows": [[0, 9], [60, 80]], "reorder": reorder}, st.booleans()),
)  # fmt: skip
lines = st.one_of(
    st.builds(lambda rate: {"model": "constant", "rate": rate}, st.integers(20_000, 10**7)),
    st.sampled_from([
        {"model": "infinite"},
        {"model": "rows", "rows": [[0, "200 kbit/s"], [100, 0], [200, "1 Mbit/s"]]},
        {"model": "mahimahi", "stamps": [3, 9, 9, 200]},
    ]),
)  # fmt: skip
queues = st.sampled_from([
    {"model": "infinite"},
    {"model": "droptail", "packets": 3},
    {"model": "droptail", "bytes": 900},
    {"model": "red", "packets": 6, "weight": 0.5, "min_packets": 1, "max_packets": 4},
    {"model": "codel", "packets": 5, "target": 1, "interval": 10},
])  # fmt: skip
channels = st.fixed_dictionaries(
    {"loss": losses, "delay": delays, "bandwidth": lines, "queue": queues},
    optional={
        "corruption": st.builds(
            lambda model, rate, checksum: {"model": model, "rate": rate, "checksum": checksum},
            st.sampled_from(["packets", "bits"]), st.sampled_from([1e-4, 1e-3, 0.3]), st.booleans(),
        ),
        "duplicate": shares,
        "reorder": st.builds(lambda rate, gap: {"model": "netem", "rate": rate, "gap": gap}, shares, st.integers(1, 4)),
        "outage": st.sampled_from([
            {"model": "periodic", "every": 100, "length": 30},
            {"model": "windows", "windows": [[40, 60], [200, 1]]},
            {"model": "random", "mean_up": 80, "mean_down": 20},
        ]),
    },
)  # fmt: skip
playouts = st.one_of(
    st.builds(lambda deadline: {"deadline": deadline}, st.integers(0, 300)),
    st.just({"model": "adaptive", "deadline": 300, "min": 20, "window": 20}),
)
pacings = st.sampled_from([{}, {"model": "paced", "factor": 1}, {"model": "paced", "factor": 2.5}])
everything = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**40),
        "channel": channels,
        "protection": st.fixed_dictionaries({"fec": fecs, "nack": nacks}),
        "playout": playouts,
        "pacing": pacings,
        "packetizer": st.builds(lambda depth: {"depth": depth}, st.integers(1, 4)),
    }
)


def check(scenario, slices):
    """What holds for every run. That packets and bytes were conserved, `run_session` has checked."""
    sent = film(FRAMES, slices, 20)
    result = run_session(Scenario.model_validate({"name": "x", **scenario}), sent)
    counts, rows = result.conservation, result.packets
    first = {row.packet: row for row in reversed(rows)}  # a copy stands behind its original
    told = Counter(row.fate for row in rows)
    for fate in ("delivered", "late", "duplicate", "lost", "queue_drop", "corrupt"):
        assert told[fate] == getattr(counts, fate).packets
        assert sum(row.size_bytes for row in rows if row.fate == fate) == getattr(counts, fate).bytes
    assert counts.in_flight.packets == 0 and len(first) == counts.sent.packets
    assert len(rows) == len(first) + counts.duplicated.packets and sorted(first) == list(range(len(first)))
    corruption = scenario["channel"].get("corruption", {"checksum": True})
    for frame, (encoded, delivery) in enumerate(zip(sent, result.deliveries, strict=True)):
        check_frame(encoded, delivery, [row for row in first.values() if row.frame == frame], corruption["checksum"])


def check_frame(encoded, delivery, own, checksum):
    """A frame's counts are those of its packets, and its slices are those that were sent for it."""
    media = [row for row in own if row.kind == "media"]
    in_time = sum(row.fate in ("delivered", "duplicate") for row in media)
    assert len(media) == delivery.packets_sent == len(encoded.slices)
    assert in_time + delivery.packets_lost + delivery.packets_late + delivery.packets_corrupt == len(media)
    assert len(delivery.received) == in_time + delivery.packets_recovered
    for kind, packets, size in (
        ("fec", delivery.packets_fec, delivery.bytes_fec),
        ("retransmission", delivery.packets_retransmitted, delivery.bytes_retransmitted),
        ("media", delivery.packets_sent, delivery.bytes_payload + delivery.bytes_header),
    ):
        assert (packets, size) == (sum(row.kind == kind for row in own),
                                   sum(row.size_bytes for row in own if row.kind == kind))  # fmt: skip
    for part in delivery.received:
        was = encoded.slices[part.index]
        assert (part.count, part.tokens, len(part.data)) == (was.count, was.tokens, len(was.data))
        assert part.data == was.data or not checksum
    assert delivery.frozen == (not delivery.received) == (delivery.render_ns is None)


@given(everything, st.integers(1, 8))
@settings(max_examples=150, deadline=None)
def test_nothing_is_forgotten_and_no_slice_belongs_elsewhere(scenario, slices):
    check(scenario, slices)


@pytest.mark.slow
@given(everything, st.integers(1, 8))
@settings(max_examples=2000, deadline=None)
def test_nothing_is_forgotten_in_two_thousand_scenarios(scenario, slices):
    check(scenario, slices)
