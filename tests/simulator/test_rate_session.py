"""Rate control, pacing and adaptive playout in the network pass."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.encodings import Encodings
from simulator.errors import MediaError
from simulator.media import EncodedFrame, Slice
from simulator.packet import OVERHEAD_BYTES
from simulator.scenario import Scenario
from simulator.session import SessionResult, run_session
from tests.simulator.tiny import film

LIMITS = {"min": "40 kbit/s", "max": "500 kbit/s", "min_bpp": 0.012, "max_bpp": 0.3}
GCC = {"model": "gcc", "start": "100 kbit/s", **LIMITS}
ORACLE = {"model": "oracle", **LIMITS}
THIN = {
    "bandwidth": {"model": "constant", "rate": "120 kbit/s"},
    "queue": {"model": "droptail", "packets": 60},
    "delay": {"model": "constant", "mean": "20 ms"},
}


class Elastic:
    """A film whose frames are as large as they are asked to be: 4 slices, 256 x 256 pixels."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def frame(self, number: int, bpp: float | None = None) -> EncodedFrame:
        size_bytes = max(round((bpp or 0.1) * 65536 / 8 / 4), 1)
        return EncodedFrame(tuple(Slice(i, 4, 10, bytes(size_bytes)) for i in range(4)), 40, (256, 256))


def scenario(seed: int = 1, playout: Any = None, **sections: Any) -> Scenario:
    values = {"name": "tiny", "seed": seed, "playout": playout or {"deadline": "250 ms"}, **sections}
    return Scenario.model_validate(values)


def run(count: int = 240, **sections: Any) -> SessionResult:
    return run_session(scenario(**sections), Elastic(count))


def wire_kbps(result: SessionResult, start: int = 0) -> float:
    sent = [each.bytes_payload + each.bytes_header + each.bytes_fec for each in result.deliveries[start:]]
    return float(np.mean(sent)) * 8 * 24 / 1000


def test_on_a_thin_link_gcc_ends_freezing_and_uses_most_of_the_line() -> None:
    fixed, gcc = run(channel=THIN), run(channel=THIN, rate_control=GCC)
    assert np.mean([each.frozen for each in fixed.deliveries]) > 0.8
    assert np.mean([each.frozen for each in gcc.deliveries[48:]]) < 0.1
    assert 85 < wire_kbps(gcc, 120) < 125


def test_the_oracle_keeps_to_its_share_of_the_line_from_the_first_frame() -> None:
    result = run(channel=THIN, rate_control=ORACLE)
    assert {each.fate for each in result.packets} == {"delivered"}
    assert wire_kbps(result) == pytest.approx(0.9 * 120, rel=0.05)
    assert result.feedback.packets == 0 and result.deliveries[0].bytes_feedback == 0


STEPPED = {**THIN, "bandwidth": {"model": "rows", "rows": [[0, "240 kbit/s"], ["4 s", "80 kbit/s"], ["6 s", 0]]}}


def test_the_oracle_knows_where_in_the_trace_its_seed_begins() -> None:
    line = {"model": "rows", "rows": [[0, "240 kbit/s"], ["4 s", "60 kbit/s"], ["8 s", "120 kbit/s"]]}
    channel = {**THIN, "bandwidth": {**line, "random_start": True}}
    results = [run(channel=channel, rate_control=ORACLE, seed=seed) for seed in range(1, 6)]
    assert all(not each.frozen for result in results for each in result.deliveries)
    assert len({round(wire_kbps(result, 120)) for result in results}) == 5


def test_a_rate_pushed_back_while_the_line_stalls_freezes_less_and_overflows_no_queue() -> None:
    def drops_and_frozen(queue: str) -> tuple[int, float]:
        result = run(480, channel=STEPPED, rate_control={**GCC, "queue": queue})
        return result.conservation.queue_drop.packets, float(np.mean([each.frozen for each in result.deliveries]))

    (pushed_drops, pushed), (drops, frozen) = drops_and_frozen("100 ms"), drops_and_frozen("10 s")
    assert pushed < frozen - 0.03 and pushed_drops < drops


def test_by_default_the_queue_it_allows_is_a_quarter_of_the_deadline() -> None:
    control = {**GCC, "queue": "62.5 ms"}
    assert run(channel=STEPPED, rate_control=GCC) == run(channel=STEPPED, rate_control=control)
    assert run(channel=STEPPED, rate_control=GCC) != run(channel=STEPPED, rate_control={**GCC, "queue": "200 ms"})


def test_parity_and_repeats_are_paid_from_the_target() -> None:
    protection = {"fec": {"code": "xor", "overhead": "50 %"}, "nack": True}
    result = run(channel=THIN, rate_control=ORACLE, protection=protection)
    assert wire_kbps(result, 24) == pytest.approx(0.9 * 120, rel=0.05)


def test_reports_travel_on_the_reverse_path_and_their_bytes_are_counted_apart() -> None:
    result = run(channel=THIN, rate_control=GCC)
    seconds = 240 / 24
    assert 5 * seconds < result.feedback.packets < 11 * seconds  # every 100 ms, while packets arrive
    assert sum(each.bytes_feedback for each in result.deliveries) == result.feedback.bytes
    counted = sum(each.bytes_payload + OVERHEAD_BYTES * each.packets_sent for each in result.deliveries)
    assert counted == result.conservation.sent.bytes


def test_each_frame_says_its_target_and_what_the_codec_was_asked_for() -> None:
    result = run(channel=THIN, rate_control=GCC)
    assert result.deliveries[0].target_bps == 100_000
    for each in result.deliveries:
        assert each.bpp_asked is not None and each.bytes_payload == 4 * round(each.bpp_asked * 65536 / 8 / 4)
    assert all(each.bpp_asked is None for each in run(channel=THIN).deliveries)


def test_a_film_that_is_encoded_already_can_not_be_rate_controlled() -> None:
    with pytest.raises(MediaError, match="rate is fixed"):
        run_session(scenario(rate_control=ORACLE), film(3))


def sent_times(result: SessionResult) -> list[list[float]]:
    times: dict[int, list[float]] = {}
    for packet in result.packets:
        times.setdefault(packet.frame, []).append(packet.time_sent_ms)
    return list(times.values())


def test_without_pacing_a_frame_leaves_at_once_and_with_it_over_its_share_of_the_interval() -> None:
    assert all(len(set(times)) == 1 for times in sent_times(run(24)))
    for factor in (1.0, 2.5):
        for number, times in enumerate(sent_times(run(24, pacing={"model": "paced", "factor": factor}))):
            expected = number / 24 * 1000 + np.arange(4) / 4 * 1000 / 24 / factor
            assert times == pytest.approx(expected, abs=1e-3)


def test_adaptive_playout_shows_frames_sooner_where_delays_allow_and_in_order() -> None:
    jitter = {"delay": {"model": "uniform", "mean": "40 ms", "jitter": "20 ms", "reorder": True}}
    playout = {"model": "adaptive", "deadline": "300 ms", "window": 100, "percentile": 0.95}
    result = run(480, channel=jitter, playout=playout)
    delays = [each.render_ns - each.capture_ns for each in result.deliveries if each.render_ns is not None]
    assert delays[0] == 300e6 and 50e6 < np.mean(delays[-100:]) < 65e6
    late = [packet.fate == "late" for packet in result.packets[-800:]]
    assert 0.01 < np.mean(late) < 0.12
    shown = [each.render_ns for each in result.deliveries if each.render_ns is not None]
    assert all(one <= two for one, two in pairwise(shown))


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 1000),
    st.sampled_from([GCC, ORACLE, {"model": "fixed"}]),
    st.sampled_from([{}, {"model": "paced"}, {"model": "paced", "factor": 0.5}]),
    st.sampled_from([{}, {"model": "adaptive", "window": 20}]),
    st.sampled_from([False, True]),
    st.sampled_from(["none", {"code": "xor", "overhead": "50 %", "frames": 2}]),
    st.integers(1, 3),
    st.floats(0, 0.5),
)  # fmt: skip
def test_whatever_is_combined_packets_are_conserved_and_frames_shown_in_order(
    seed: int, control: Any, pacing: Any, playout: Any, nack: bool, fec: Any, depth: int, loss: float
) -> None:
    channel = {
        **THIN,
        "loss": {"model": "bernoulli", "rate": loss},
        "delay": {"model": "uniform", "mean": "40 ms", "jitter": "40 ms", "reorder": True},
    }
    sections = {
        "rate_control": control, "pacing": pacing, "playout": playout, "packetizer": {"depth": depth},
        "protection": {"nack": nack, "fec": fec}, "channel": channel,
    }  # fmt: skip
    result = run(30, seed=seed, **sections)
    assert len(result.deliveries) == 30 and result == run(30, seed=seed, **sections)
    shown = [each.render_ns for each in result.deliveries if each.render_ns is not None]
    assert all(one <= two for one, two in pairwise(shown))


def test_one_cache_serves_many_channels() -> None:
    from simulator.toy_media import ToyCodec

    frames = np.random.default_rng(1).integers(0, 256, (24, 256, 256, 3)).astype(np.uint8)
    encodings = Encodings(ToyCodec(), frames, 4, "raster")
    results = [run_session(scenario(seed, channel=THIN, rate_control=GCC), encodings) for seed in (1, 2)]
    for result in results:
        sent = encodings.sent(result.deliveries)
        assert [each.bytes_payload for each in result.deliveries] == [
            sum(len(part.data) for part in frame.slices) for frame in sent
        ]
