import gc
import tracemalloc
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import MediaError
from simulator.media import EncodedFrame, Slice
from simulator.scenario import AdaptivePlayout, Scenario
from simulator.session import Taps, run_session
from tests.simulator.tiny import film, scenario

BERNOULLI = {"model": "bernoulli", "rate": 0.2}
BURSTS = {"model": "gilbert_elliott", "rate": 0.2, "mean_burst": 3}
JITTER = {"model": "normal", "mean": "40 ms", "jitter": "8 ms", "reorder": True}
THIN = {"model": "constant", "rate": "100 kbit/s"}

shares = st.floats(0, 1)
channels = st.fixed_dictionaries(
    {},
    optional={
        "loss": st.one_of(
            st.builds(lambda rate: {"model": "bernoulli", "rate": rate}, shares),
            st.builds(
                lambda p, r, h, k: {"model": "gilbert_elliott", "p": p, "r": r, "h": h, "k": k},
                st.floats(0.001, 1), shares, shares, shares,
            ),
        ),
        "delay": st.builds(
            lambda model, mean, jitter, reorder: {
                "model": model, "mean": mean + jitter, "jitter": jitter, "reorder": reorder,
            },
            st.sampled_from(["normal", "uniform"]), st.integers(0, 200), st.integers(0, 100), st.booleans(),
        ),
        "bandwidth": st.builds(lambda rate: {"model": "constant", "rate": rate}, st.integers(1000, 10**7)),
        "queue": st.builds(
            lambda packets, size: {"model": "droptail", "packets": packets, "bytes": size},
            st.integers(1, 20), st.integers(1, 5000),
        ),
    },
)  # fmt: skip
mishaps = st.fixed_dictionaries(
    {},
    optional={
        "loss": st.builds(
            lambda rate: {"model": "continuous_time", "mean_bad": 50, "rate": rate}, st.floats(0.01, 0.9)
        ),
        "delay": st.builds(
            lambda model, reorder: {"model": model, "mean": 40, "jitter": 20, "reorder": reorder},
            st.sampled_from(["gamma", "pareto"]), st.booleans(),
        ),
        "bandwidth": st.sampled_from([
            {"model": "rows", "rows": [[0, "200 kbit/s"], [100, 0], [200, "1 Mbit/s"]]},
            {"model": "mahimahi", "stamps": [3, 9, 9, 200]},
        ]),
        "queue": st.sampled_from([{"model": "codel", "packets": 8}, {"model": "red", "packets": 6, "weight": 0.5}]),
        "corruption": st.builds(
            lambda rate, checksum: {"model": "packets", "rate": rate, "checksum": checksum}, shares, st.booleans()
        ),
        "duplicate": shares,
        "reorder": st.builds(lambda rate, gap: {"model": "netem", "rate": rate, "gap": gap}, shares, st.integers(1, 4)),
        "outage": st.just({"model": "periodic", "every": 100, "length": 30}),
    },
).map(lambda channel: {"delay": {"model": "constant", "mean": 30}, **channel})  # fmt: skip

fecs = st.one_of(
    st.just("none"),
    st.builds(
        lambda code, share, frames: {"code": code, "overhead": share, "frames": frames},
        st.sampled_from(["xor", "rs"]), st.floats(0.05, 1), st.integers(1, 4),
    ),
    st.builds(
        lambda k, parity, frames: {"code": "rs", "k": k, "n": k + parity, "frames": frames},
        st.integers(1, 12), st.integers(1, 4), st.integers(1, 4),
    ),
)  # fmt: skip
nacks = st.one_of(
    st.booleans(),
    st.builds(
        lambda retries, wait, rtt, loss: {
            "retries": retries, "reorder_wait": wait, "initial_rtt": rtt, "feedback_loss": loss,
        },
        st.integers(1, 5), st.integers(0, 30), st.integers(0, 100), shares,
    ),
)  # fmt: skip
protections = st.fixed_dictionaries({"fec": fecs, "nack": nacks})


def fates(result):
    return [packet.fate for packet in result.packets]


def lost(result):
    return {packet.packet for packet in result.packets if packet.fate == "lost"}


@given(channels, st.integers(0, 300), st.integers(1, 8), st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_no_packet_or_byte_is_forgotten_and_no_slice_is_wrong_on_any_channel(channel, deadline, slices, seed):
    sent = film(12, slices)
    result = run_session(scenario(seed, deadline, **channel), sent)
    counts = result.conservation
    assert counts.sent.packets == len(result.packets) == 12 * slices
    assert counts.sent.bytes == sum(packet.size_bytes for packet in result.packets)
    assert counts.in_flight.packets == 0 and fates(result).count("delivered") == counts.delivered.packets
    for frame, (encoded, delivery) in enumerate(zip(sent, result.deliveries, strict=True)):
        own = [packet for packet in result.packets if packet.frame == frame]
        in_time = [i for i, packet in enumerate(own) if packet.fate == "delivered"]
        assert delivery.received == tuple(encoded.slices[i] for i in in_time)
        assert delivery.packets_sent == slices == len(in_time) + delivery.packets_lost + delivery.packets_late
        assert delivery.tokens_received == 10 * len(in_time) and delivery.tokens_total == 10 * slices
        assert delivery.frozen == (not in_time) == (delivery.render_ns is None)
        assert delivery.late == (delivery.packets_late > 0)
        assert delivery.bytes_payload + delivery.bytes_header == sum(packet.size_bytes for packet in own)
        assert delivery.bytes_payload == sum(len(part.data) for part in encoded.slices)


@given(mishaps, st.integers(0, 300), st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_nor_whatever_else_befalls_them(channel, deadline, seed):
    sent = film(12)
    result = run_session(scenario(seed, deadline, **channel), sent)
    counts, told = result.conservation, fates(result)
    assert counts.sent.packets == 48 and counts.in_flight.packets == 0
    assert len(result.packets) == 48 + counts.duplicated.packets
    assert told.count("duplicate") == counts.duplicate.packets == counts.duplicated.packets
    assert told.count("corrupt") == counts.corrupt.packets
    for encoded, delivery in zip(sent, result.deliveries, strict=True):
        assert len(delivery.received) + delivery.packets_lost + delivery.packets_late + delivery.packets_corrupt == 4
        whole = [part in encoded.slices for part in delivery.received]
        assert all(whole) or not channel.get("corruption", {}).get("checksum", True)


def test_of_two_copies_the_first_counts_whether_it_came_in_time_or_not():
    twice = run_session(scenario(deadline="30 ms", delay=JITTER, duplicate=1), film(50))
    once = run_session(scenario(deadline="30 ms", delay=JITTER), film(50))
    assert [packet for packet in twice.packets if packet.fate != "duplicate"] == once.packets
    uncounted = [each._replace(packets_duplicate=0, bytes_duplicate=0) for each in twice.deliveries]
    assert uncounted == once.deliveries and twice.reordered == once.reordered
    assert twice.conservation.duplicate == twice.conservation.duplicated == once.conservation.sent


def check_protected(channel, protection, depth, deadline, slices, seed):
    """What holds for every run, however it is protected."""
    sent = film(9, slices, 20)
    result = run_session(scenario(seed, deadline, protection=protection, depth=depth, **channel), sent)
    counts, packets = result.conservation, result.packets  # conserved, or run_session would have raised
    assert counts.in_flight.packets == 0 and counts.sent.packets == len(packets)
    assert [packet.packet for packet in packets] == list(range(len(packets)))
    by_kind = {kind: [p for p in packets if p.kind == kind] for kind in ("media", "fec", "retransmission")}
    for frame, (encoded, delivery) in enumerate(zip(sent, result.deliveries, strict=True)):
        assert all(part == encoded.slices[part.index] for part in delivery.received)
        own = {kind: [p for p in rows if p.frame == frame] for kind, rows in by_kind.items()}
        in_time = sum(p.fate in ("delivered", "duplicate") for p in own["media"])
        assert (
            delivery.packets_sent
            == len(own["media"])
            == slices
            == in_time + delivery.packets_lost + delivery.packets_late
        )
        assert len(delivery.received) == in_time + delivery.packets_recovered
        assert delivery.bytes_fec == sum(p.size_bytes for p in own["fec"])
        assert delivery.bytes_retransmitted == sum(p.size_bytes for p in own["retransmission"])
        assert (delivery.packets_fec, delivery.packets_retransmitted) == (len(own["fec"]), len(own["retransmission"]))
        assert delivery.bytes_payload + delivery.bytes_header == sum(p.size_bytes for p in own["media"])
    assert sum(each.bytes_feedback for each in result.deliveries) <= result.feedback.bytes
    assert result.feedback_lost.packets <= result.feedback.packets


@given(channels, protections, st.integers(1, 4), st.integers(0, 300), st.integers(1, 8), st.integers(0, 2**40))
@settings(max_examples=200, deadline=None)
def test_nothing_is_forgotten_however_a_stream_is_protected(channel, protection, depth, deadline, slices, seed):
    check_protected(channel, protection, depth, deadline, slices, seed)


@given(channels, st.integers(0, 2**40))
@settings(max_examples=20, deadline=None)
def test_no_packet_arrives_before_it_was_sent_and_late_means_after_the_deadline(channel, seed):
    for packet in run_session(scenario(seed, "60 ms", **channel), film(12)).packets:
        if packet.time_arrived_ms is None:
            assert packet.fate in ("lost", "queue_drop")
        else:
            delay_ms = packet.time_arrived_ms - packet.time_sent_ms
            assert delay_ms >= 0 and (delay_ms > 60.0000001) == (packet.fate == "late")


def test_a_channel_without_loss_delivers_every_slice():
    sent = film(30)
    result = run_session(scenario(), sent)
    assert [delivery.received for delivery in result.deliveries] == [frame.slices for frame in sent]
    assert set(fates(result)) == {"delivered"}


def test_a_channel_that_loses_all_freezes_every_frame():
    result = run_session(scenario(loss={"model": "bernoulli", "rate": 1}), film(5))
    assert all(frame.frozen and frame.render_ns is None and frame.received == () for frame in result.deliveries)


def test_a_frame_is_sent_at_its_capture_and_shown_at_the_deadline():
    result = run_session(scenario(fps=25), film(4))
    assert [frame.capture_ns for frame in result.deliveries] == [0, 40_000_000, 80_000_000, 120_000_000]
    assert all(frame.render_ns == frame.capture_ns + 150_000_000 for frame in result.deliveries)
    assert [packet.time_sent_ms for packet in result.packets[::4]] == [0, 40, 80, 120]


def test_a_packet_that_comes_after_its_frame_was_shown_is_late_and_not_lost():
    # 146 bytes at 100 kbit/s take 11.68 ms: of four packets, three are there after 40 ms
    result = run_session(scenario(deadline="40 ms", fps=10, bandwidth=THIN), film(1))
    assert fates(result) == ["delivered"] * 3 + ["late"]
    (frame,) = result.deliveries
    assert (frame.packets_late, frame.packets_lost, frame.late, frame.frozen) == (1, 0, True, False)
    assert len(frame.received) == 3 and result.packets[3].time_arrived_ms == pytest.approx(46.72)


def test_of_a_burst_a_short_queue_keeps_the_first_packets():
    queue = {"model": "droptail", "packets": 4}
    result = run_session(scenario(bandwidth=THIN, queue=queue), film(1, slices=10))
    assert fates(result) == ["delivered"] * 5 + ["queue_drop"] * 5


def test_equal_seeds_give_equal_results_and_another_seed_other_losses():
    one, again, other = (run_session(scenario(seed, loss=BURSTS, delay=JITTER), film(50)) for seed in (1, 1, 2))
    assert asdict(one) == asdict(again)
    assert lost(one) != lost(other)


def test_jitter_bandwidth_and_queue_leave_the_losses_of_a_seed_as_they_were():
    plain = run_session(scenario(loss=BURSTS), film(50))
    rest = {"delay": JITTER, "bandwidth": THIN, "queue": {"model": "infinite"}}
    assert lost(plain) == lost(run_session(scenario(loss=BURSTS, **rest), film(50)))


def test_more_loss_loses_a_superset():
    losses = [
        lost(run_session(scenario(loss={"model": "bernoulli", "rate": rate}), film(50)))
        for rate in (0, 0.05, 0.1, 0.2, 0.5, 1)
    ]
    assert all(less < more for less, more in pairwise(losses))


def test_a_larger_queue_never_drops_more():
    drops = [
        run_session(
            scenario(bandwidth=THIN, queue={"model": "droptail", "packets": packets}), film(50, 8)
        ).conservation.queue_drop.packets
        for packets in (1, 2, 4, 8, 16, 400)
    ]
    assert drops == sorted(drops, reverse=True) and drops[0] > 0 and drops[-1] == 0


def test_with_a_later_deadline_no_further_packet_is_late():
    late = [
        {packet.packet for packet in run_session(scenario(deadline=ms, delay=JITTER), film(50)).packets
         if packet.fate == "late"}
        for ms in (0, 30, 40, 50, 60, 100)
    ]  # fmt: skip
    assert all(more >= less for more, less in pairwise(late))
    assert late[0] and not late[-1]


def test_a_fifo_channel_reorders_nothing_and_a_free_one_much():
    fifo, free = (
        run_session(scenario(delay={**JITTER, "reorder": reorder}), film(50)).reordered for reorder in (False, True)
    )
    assert fifo == 0 and free > 50


def test_numbers_that_wrap_change_nothing():
    """66,000 frames of one packet: sequence and frame numbers go once round their 16 bits."""
    sent = [EncodedFrame((Slice(0, 1, 1, frame.to_bytes(4)),), 1, (16, 16)) for frame in range(66_000)]
    channel = {"delay": {"model": "uniform", "mean": 20, "jitter": 20, "reorder": False}, "loss": BURSTS}
    result = run_session(scenario(fps=1000, **channel), sent)
    assert result.reordered == 0 and result.conservation.late.packets == 0
    assert all(
        delivery.received == (() if packet.fate == "lost" else encoded.slices)
        for delivery, packet, encoded in zip(result.deliveries, result.packets, sent, strict=True)
    )


@pytest.mark.parametrize(
    ("count", "start_s", "length_s"),
    [(1, 0, 33), (2, 1, 20)],
    ids=["at the start", "in the middle, two packets a frame"],
)
def test_a_stream_goes_on_after_an_outage_in_which_numbers_went_half_way_round(count, start_s, length_s):
    """33,000 or 40,000 packets lost in a row: the next has a number that looks older than the newest."""
    end = 1000 * (start_s + length_s)
    sent = [
        EncodedFrame(tuple(Slice(i, count, 1, bytes((i,))) for i in range(count)), count, (16, 16))
        for _ in range(end + 500)
    ]
    outage = {"model": "windows", "windows": [[f"{start_s} s", f"{length_s} s"]]}
    result = run_session(scenario(fps=1000, outage=outage), sent)
    assert result.conservation.late.packets == result.conservation.duplicate.packets == 0
    shown = [frame for frame, each in enumerate(result.deliveries) if each.received]
    assert shown == [*range(1000 * start_s), *range(end, end + 500)]


def test_a_slice_larger_than_the_mtu_stops_the_run_with_advice():
    with pytest.raises(MediaError, match=r"frame 0, slice 0.*mtu_bytes = 200, got 246. Raise packets_per_frame"):
        run_session(scenario(mtu_bytes=200), film(1, payload_bytes=200))


def test_progress_is_told_frame_by_frame():
    told = []
    run_session(scenario(), film(3), told.append)
    assert told == [1, 2, 3]


RS = {"fec": {"code": "rs", "overhead": "50 %"}}
BOTH = {**RS, "nack": {"initial_rtt": "40 ms"}}


def repaired(result):
    return sum(each.packets_recovered for each in result.deliveries)


@pytest.mark.parametrize("protection", [{"nack": {"initial_rtt": "40 ms"}}, RS, BOTH], ids=["nack", "fec", "both"])
def test_protection_repairs_most_losses_and_its_bytes_count(protection):
    channel = {"loss": BERNOULLI, "delay": {"model": "constant", "mean": "20 ms"}}
    result = run_session(scenario(deadline="300 ms", protection=protection, **channel), film(100))
    lost = sum(each.packets_lost for each in result.deliveries)
    assert lost > 50 and repaired(result) > 0.6 * lost
    wire = sum(packet.size_bytes for packet in result.packets)
    parts = ("bytes_payload", "bytes_header", "bytes_fec", "bytes_retransmitted")
    assert wire == sum(getattr(each, part) for each in result.deliveries for part in parts)


def test_protected_by_parity_too_more_loss_loses_a_superset():
    losses = [
        lost(run_session(scenario(protection=RS, loss={"model": "bernoulli", "rate": rate}), film(50)))
        for rate in (0, 0.05, 0.1, 0.2, 0.5, 1)
    ]
    assert all(less < more for less, more in pairwise(losses))


def test_interleaving_spreads_a_burst_over_frames_and_costs_their_delay():
    plain, deep = (run_session(scenario(fps=25, depth=depth, loss=BURSTS), film(80)) for depth in (1, 4))
    worst = [max(4 - len(each.received) for each in result.deliveries) for result in (plain, deep)]
    hit = [sum(len(each.received) < 4 for each in result.deliveries) for result in (plain, deep)]
    assert worst[0] > worst[1] and hit[0] < hit[1], "the same losses, in more frames, fewer in each"
    shown = [each.render_ns - each.capture_ns for each in deep.deliveries if each.render_ns]
    assert set(shown) == {(150 + 3 * 40) * 1_000_000}
    assert [packet.time_sent_ms for packet in deep.packets[::16]] == [120 + 160 * group for group in range(20)]


def test_a_film_that_ends_within_a_group_and_a_block_is_sent_and_protected_to_its_end():
    protection = {"fec": {"code": "rs", "overhead": 0.5, "frames": 4}}
    result = run_session(scenario(depth=2, protection=protection), film(5))
    assert [len(each.received) for each in result.deliveries] == [4] * 5
    assert [each.packets_fec for each in result.deliveries] == [0, 0, 0, 8, 2]


def test_requests_alone_leave_losses_and_delays_of_the_way_forth_as_they_were():
    asking = {"nack": {"initial_rtt": "40 ms", "reorder_wait": 0, "feedback_loss": 1.0}}
    plain, asked = (
        run_session(scenario(protection=protection, loss=BERNOULLI, delay=JITTER), film(50))
        for protection in ({}, asking)
    )
    assert asked.packets == plain.packets and asked.feedback.packets == asked.feedback_lost.packets > 0


def test_a_repeat_asked_for_after_an_adaptive_delay_has_shown_its_frame_is_not_sent():
    """The delay shrinks, so a frame may be shown sooner than its packets were to be remembered."""
    wanted = scenario(
        fps=60,
        protection={
            "fec": {"code": "xor", "overhead": "25 %"},
            "nack": {"retries": 4, "reorder_wait": 30, "initial_rtt": 20},
        },
        loss={"model": "bernoulli", "rate": 0.15},
        delay={"model": "constant", "mean": 51},
        bandwidth={"model": "constant", "rate": 186_020},
        queue={"model": "red", "packets": 16, "weight": 0.2},
    )
    adaptive = AdaptivePlayout.model_validate(
        {"model": "adaptive", "deadline": 400, "min": 20, "percentile": 0.95, "window": 100}
    )
    result = run_session(wanted.model_copy(update={"playout": adaptive}), film(60, 6, 20))
    assert result.conservation.in_flight.packets == 0 and result.feedback.packets > 0


def test_a_request_for_a_frame_that_an_adaptive_playout_has_shown_early_is_not_answered():
    playout = {"model": "adaptive", "deadline": 300, "min": 20, "window": 20}
    channel = {
        "delay": {"model": "gamma", "mean": 129, "jitter": 64.5, "reorder": True},
        "bandwidth": {"model": "constant", "rate": 20_000},
    }
    nack = {"retries": 1, "reorder_wait": 0, "initial_rtt": 0}
    tree = {"name": "x", "seed": 39767, "channel": channel, "protection": {"nack": nack}, "playout": playout}
    result = run_session(Scenario.model_validate(tree), film(9, 1, 20))
    assert len(result.deliveries) == 9 and result.feedback.packets > 0


def test_a_copy_that_comes_after_its_frame_was_shown_is_a_duplicate_all_the_same():
    delay = {"model": "gamma", "mean": 40, "jitter": 20, "reorder": True}
    counts = run_session(scenario(2, 0, delay=delay, duplicate=1), film(12)).conservation
    assert counts.duplicate == counts.duplicated == counts.late == counts.sent


class Endless(Sequence):
    """A film of any length from one frame."""

    def __init__(self, frames, slices):
        self.frames, self.one = frames, film(1, slices)[0]

    def __len__(self):
        return self.frames

    def __getitem__(self, number):
        return self.one


def held_bytes(frames, every=25):
    """What a session holds after each `every` frames: int64 [frames / every].

    Collected before, since CPython keeps some thousand freed tuples for later, and cycles until it looks for them.
    """
    held = []

    def note(each):
        if (each.frame + 1) % every == 0:
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        taps = Taps(packets=lambda block: None, delivery=note)
        run_session(scenario(loss=BERNOULLI, protection=BOTH, deadline="300 ms"), Endless(frames, 8), taps=taps)
    finally:
        tracemalloc.stop()
    return np.array(held)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_the_stream(monkeypatch):
    monkeypatch.setattr("simulator.ledger.BLOCK", 256)
    run_session(scenario(protection=BOTH), film(50))  # caches fill
    held = held_bytes(1200)
    early, late = held[8:24], held[-16:]  # in the mean: the longer one waits, the higher a peak of what fluctuates
    assert late.mean() < 1.05 * early.mean(), held


def test_records_come_in_blocks_that_join_to_the_whole(monkeypatch):
    monkeypatch.setattr("simulator.ledger.BLOCK", 50)
    wanted, blocks, frames = scenario(loss=BERNOULLI, protection=BOTH), [], []
    result = run_session(wanted, film(50), taps=Taps(packets=blocks.append, delivery=frames.append))
    whole = run_session(wanted, film(50))
    assert len(blocks) > 3 and [row for block in blocks for row in block] == whole.packets
    assert frames == whole.deliveries and result.packets == result.deliveries == []
