from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import units


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("40 ms", 40_000_000),
        ("40ms", 40_000_000),
        (" 1.5 s ", 1_500_000_000),
        ("200 us", 200_000),
        ("10 ns", 10),
        (40, 40_000_000),
        (0.5, 500_000),
        ("1e3 ms", 1_000_000_000),
        (".5 s", 500_000_000),
        ("0", 0),
    ],
)
def test_durations_are_read_exactly(text, expected_ns):
    assert units.parse_duration_ns(text) == expected_ns


@pytest.mark.parametrize(
    ("text", "expected_bps"),
    [
        ("1 Mbit/s", 10**6),
        ("500 kbit/s", 500_000),
        ("1Mbps", 10**6),
        ("2 Gbit/s", 2 * 10**9),
        ("300 bit/s", 300),
        (1e6, 10**6),
        ("0.1 Mbit/s", 100_000),
    ],
)
def test_rates_are_read_exactly(text, expected_bps):
    assert units.parse_rate_bps(text) == expected_bps


@pytest.mark.parametrize(("text", "expected"), [("20 %", 0.2), ("20%", 0.2), (0.2, 0.2), ("0.2", 0.2), (0, 0), (1, 1)])
def test_shares_are_read_exactly(text, expected):
    assert units.parse_share(text) == expected


@pytest.mark.parametrize(
    "value", ["", "ms", "fast", "40 minutes", "40 MS", -1, "-1 ms", "1e999 s", float("nan"), float("inf"), True, "1_0"]
)
def test_what_is_no_duration_is_refused_with_an_example(value):
    with pytest.raises(ValueError, match=r"a duration is .* Example: 40 ms") as caught:
        units.parse_duration_ns(value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", ["1 MB/s", "1 mbit/s", "1 Mbit", -1, "5 ms", False])
def test_what_is_no_rate_is_refused_with_an_example(value):
    with pytest.raises(ValueError, match=r"a rate is .* Example: 1 Mbit/s"):
        units.parse_rate_bps(value)


@pytest.mark.parametrize("value", [20, "120 %", -0.1, "-5 %", "20 percent", float("nan")])
def test_what_is_no_share_is_refused_with_an_example(value):
    with pytest.raises(ValueError, match=r"a share is .* Example: 20 %"):
        units.parse_share(value)


@given(st.integers(0, 2**63 - 1))
def test_formatting_and_parsing_give_the_same_number_back(value):
    assert units.parse_duration_ns(units.format_duration(value)) == value
    assert units.parse_rate_bps(units.format_rate(value)) == value


@given(st.integers(0, 10**6), st.integers(1, 10**11))
def test_no_packet_beats_the_rate_of_its_line_and_none_wastes_a_nanosecond(size_bytes, rate_bps):
    time_ns = units.transmission_ns(size_bytes, rate_bps)
    needed = Fraction(size_bytes * 8 * 10**9, rate_bps)
    assert needed <= time_ns < needed + 1


@given(st.integers(0, 10**7), st.floats(0.5, 1000))
def test_frame_times_are_within_half_a_nanosecond_of_the_exact_ones(frame, fps):
    exact = Fraction(frame) * 10**9 / Fraction(fps)
    assert abs(units.frame_time_ns(frame, fps) - exact) <= Fraction(1, 2)


def test_a_day_of_ntsc_frames_does_not_drift():
    assert units.frame_time_ns(30_000 * 86, 30_000 / 1001) == 1001 * 86 * units.SECOND_NS
