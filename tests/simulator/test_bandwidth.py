import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.channel import bandwidth
from simulator.channel.scale import scale_stamps
from simulator.channel.steps import Steps
from simulator.errors import TraceError
from simulator.scenario import Scenario
from simulator.units import MS_NS, SECOND_NS

BYTE_A_US = 8_000_000  # bit/s


def made(section, seed=1):
    model = Scenario.model_validate({"name": "x", "channel": {"bandwidth": section}}).channel.bandwidth
    return bandwidth.make(model, seed)


def back_to_back(line, sizes, start_ns=0):
    finishes = []
    for size in sizes:
        start_ns = line.finish_ns(start_ns, size)
        finishes.append(start_ns)
    return finishes


def test_a_line_of_constant_rows_is_a_constant_line():
    sizes = [100, 1500, 46, 999] * 50
    rows = bandwidth.Rows(Steps([(0, 7_777_777), (1_000_001, 7_777_777)], repeat=True))
    exact = np.cumsum(sizes) * 8 * SECOND_NS / 7_777_777
    assert np.abs(back_to_back(rows, sizes) - exact).max() <= len(sizes)  # each packet is rounded up by < 1 ns


def test_a_packet_that_outlasts_a_row_goes_on_at_the_next_rate():
    line = bandwidth.Rows(Steps([(0, BYTE_A_US), (1_000_000, BYTE_A_US // 4)], repeat=False))
    assert line.finish_ns(500_000, 1000) == 1_000_000 + 4 * 500_000


def test_while_the_rate_is_nought_packets_wait():
    line = bandwidth.Rows(Steps([(0, BYTE_A_US), (MS_NS, 0), (9 * MS_NS, BYTE_A_US)], repeat=False))
    assert back_to_back(line, [500, 1000, 100]) == [500_000, 9_500_000, 9_600_000]


def test_rows_carry_their_bits_over_any_period_and_start_again():
    line = bandwidth.Rows(Steps([(0, 2_000_000), (SECOND_NS, 0), (2 * SECOND_NS, 6_000_000)], repeat=True))
    finish = back_to_back(line, [1000] * 3000)[-1]  # a period of 3 s carries 1 MB: 2, 0 and 6 Mbit
    assert 0 <= finish - 9 * SECOND_NS < 10_000  # each packet is rounded up by less than a nanosecond


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 9)), min_size=2, max_size=8), st.data())
@settings(max_examples=60)
def test_no_line_of_rows_carries_more_than_its_rates_allow(rows, data):
    if not any(rate for _, rate in rows):
        return
    times = np.cumsum([0] + [length for length, _ in rows[:-1]]).tolist()
    rates = [(time, rate * 10**9) for time, (_, rate) in zip(times, rows, strict=True)]
    line, slow = bandwidth.Rows(Steps(rates, repeat=True)), Steps(rates, repeat=True)
    sizes = data.draw(st.lists(st.integers(1, 2000), min_size=1, max_size=10))
    finish = back_to_back(line, sizes)[-1]
    carried, now = 0, 0
    while now < finish:
        rate, until = slow.at(now)
        carried += rate * (min(until, finish) - now)
        now = until
    assert sum(sizes) * 8 * SECOND_NS <= carried <= sum(sizes) * 8 * SECOND_NS + len(sizes) * 9 * 10**9


def test_the_mahimahi_trace_of_one_stamp_is_a_line_of_twelve_megabits():
    finish = back_to_back(bandwidth.Mahimahi([1]), [1500] * 10_000)[-1]
    assert 10_000 * 1500 * 8 / (finish / SECOND_NS) == 12_000_000


def test_small_packets_share_an_opportunity_and_large_ones_take_several():
    line = bandwidth.Mahimahi([1, 2, 3, 10])
    assert back_to_back(line, [500, 1000, 1, 2000]) == [1 * MS_NS, 1 * MS_NS, 2 * MS_NS, 3 * MS_NS]


def test_opportunities_nobody_waits_for_are_wasted():
    line = bandwidth.Mahimahi([1, 2, 3, 10])
    assert line.finish_ns(0, 500) == MS_NS
    assert line.finish_ns(MS_NS + 1, 1000) == 2 * MS_NS  # what was left at 1 ms is gone
    assert line.finish_ns(4 * MS_NS, 1500) == 10 * MS_NS


def test_a_mahimahi_trace_wraps_at_its_last_stamp():
    line = bandwidth.Mahimahi([0, 4, 4, 10])
    assert back_to_back(line, [1500] * 9) == [ms * MS_NS for ms in (0, 4, 4, 10, 10, 14, 14, 20, 20)]
    assert bandwidth.Mahimahi([0, 4, 4, 10]).finish_ns(107 * MS_NS, 1500) == 110 * MS_NS


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.lists(st.integers(1, 4000), min_size=1, max_size=20))
@settings(max_examples=60)
def test_mahimahi_in_one_step_does_what_walking_all_opportunities_does(stamps, sizes):
    stamps = [*sorted(stamps)[:-1], max(stamps) + 1]
    walk = (ms + turn * stamps[-1] for turn in range(10**9) for ms in stamps)
    expected, left = [], 0
    for size in sizes:
        while size > left:
            size, left, now = size - left, 1500, next(walk)
        left -= size
        expected.append(now * MS_NS)
    assert back_to_back(bandwidth.Mahimahi(stamps), sizes) == expected


def test_a_scenario_gets_the_bandwidth_it_names(tmp_path):
    (tmp_path / "rates.txt").write_text("0 8\n1 0\n")
    (tmp_path / "stamps.txt").write_text("1\n2\n")
    assert made({"model": "infinite"}).finish_ns(5, 100) == 5
    assert made({"model": "rows", "rows": [[0, "8 Mbit/s"]]}).finish_ns(0, 1000) == MS_NS
    assert made({"model": "rows", "file": str(tmp_path / "rates.txt")}).finish_ns(0, 1000) == MS_NS
    assert made({"model": "mahimahi", "file": str(tmp_path / "stamps.txt")}).finish_ns(0, 1500) == MS_NS
    assert made({"model": "mahimahi", "stamps": [3]}).finish_ns(0, 1500) == 3 * MS_NS


def test_a_recorded_line_that_ends_standing_still_must_start_again(tmp_path):
    (tmp_path / "rates.txt").write_text("0 8\n1 0\n")
    with pytest.raises(TraceError, match="rates.txt: the last rate is 0: packets would wait for ever"):
        made({"model": "rows", "file": str(tmp_path / "rates.txt"), "repeat": False})


@settings(deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=60), st.integers(10_000, 50_000_000))
def test_a_scaled_mahimahi_trace_keeps_its_length_and_has_the_mean_wanted(stamps: list[int], mean_bps: int) -> None:
    stamps = sorted([*stamps, 5001])
    scaled = scale_stamps(stamps, mean_bps)
    assert scaled[-1] == 5001 and set(scaled) <= set(stamps) and scaled == sorted(scaled)
    assert abs(len(scaled) - mean_bps * 5.001 / 12_000) <= 1


def test_a_scaled_trace_has_its_ups_and_downs_where_they_were() -> None:
    stamps = [*range(100, 1000, 10), *range(1000, 2001, 2)]  # 90 opportunities, then 501
    scaled = scale_stamps(stamps, len(stamps) // 3 * 12_000 // 2)
    assert sum(stamp < 1000 for stamp in scaled) / len(scaled) == pytest.approx(90 / 591, abs=0.01)


def test_scaled_rows_carry_the_mean_wanted_over_a_period() -> None:
    section = {"model": "rows", "rows": [["1 s", "1 Mbit/s"], ["2 s", 0], ["3 s", "3 Mbit/s"]], "mean": "800 kbit/s"}
    line = made(section)  # 4 s: 2 of them at 1 Mbit/s, since the first row holds before its time too
    assert line.finish_ns(0, 400_000) == 4000 * MS_NS
    assert line.finish_ns(4000 * MS_NS, 400_000) == 8000 * MS_NS


def test_a_trace_may_begin_later() -> None:
    assert made({"model": "mahimahi", "stamps": [3, 10], "start": "5 ms"}).finish_ns(0, 1500) == 5 * MS_NS
    rows = [[0, 0], ["1 s", "8 Mbit/s"]]
    assert made({"model": "rows", "rows": rows, "start": "999 ms"}).finish_ns(0, 1000) == 2 * MS_NS


def test_with_a_random_start_each_seed_meets_another_part_and_the_same_one_each_time() -> None:
    section = {"model": "mahimahi", "stamps": [1000], "random_start": True}
    first = [made(section, seed).finish_ns(0, 1500) for seed in range(200)]
    assert first == [made(section, seed).finish_ns(0, 1500) for seed in range(200)]
    assert len(set(first)) > 150 and all(0 <= at <= 1000 * MS_NS and at % MS_NS == 0 for at in first)
    assert 400 * MS_NS < sum(first) / 200 < 600 * MS_NS
