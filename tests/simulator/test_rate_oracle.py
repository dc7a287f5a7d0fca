import pytest

from simulator.channel.bandwidth import Constant, Infinite
from simulator.rate_oracle import Oracle

MS = 1_000_000
SECOND = 1000 * MS


class Steps:
    """A line of 1 Mbit/s in even seconds and of nothing in odd ones."""

    def finish_ns(self, start_ns: int, size_bytes: int) -> int:
        left_ns = size_bytes * 8 * 1000
        while True:
            if start_ns // SECOND % 2:
                start_ns = (start_ns // SECOND + 1) * SECOND
            room_ns = (start_ns // SECOND + 1) * SECOND - start_ns
            if left_ns <= room_ns:
                return start_ns + left_ns
            left_ns -= room_ns
            start_ns += room_ns


def test_on_a_constant_line_it_asks_for_the_utilisation_of_it() -> None:
    oracle = Oracle(Constant(400_000), 500 * MS, 0.9, 10_000, 5_000_000)
    for time_ns in range(0, 10 * SECOND, 40 * MS):
        assert oracle.target_bps(time_ns) == pytest.approx(360_000, rel=0.03)


def test_it_slows_down_before_an_outage_and_starts_again_before_its_end() -> None:
    oracle = Oracle(Steps(), 500 * MS, 1.0, 10_000, 5_000_000)
    found = {ms: oracle.target_bps(ms * MS) for ms in range(0, 4000, 50)}
    assert found[500] == pytest.approx(1e6, rel=0.02) and found[750] == pytest.approx(5e5, rel=0.1)
    assert found[1000] == 10_000 and found[1750] == pytest.approx(5e5, rel=0.1)
    assert found[2400] == pytest.approx(1e6, rel=0.02)


def test_on_a_line_without_limit_it_asks_for_the_most() -> None:
    assert Oracle(Infinite(), 500 * MS, 0.9, 10_000, 5_000_000).target_bps(0) == 5_000_000
