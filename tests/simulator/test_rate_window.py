import pytest

from simulator.congestion_feedback import PacketReport
from simulator.rate_window import CongestionWindow

MS = 1_000_000


def window(target_bps: float = 400_000, rtt_ms: int = 50) -> CongestionWindow:
    """One that may hold 100 ms more than the round trip it has seen: 7500 bytes."""
    made = CongestionWindow(100 * MS, 50_000)
    made.on_feedback([PacketReport(0, MS, 100)], target_bps, rtt_ms * MS)
    return made


def test_before_any_packet_arrived_nothing_is_pushed_back() -> None:
    made = CongestionWindow(100 * MS, 50_000)
    made.on_feedback([PacketReport(0, None, 100)], 400_000, 50 * MS)
    made.update(1_000_000)
    assert made.limit(400_000) == 400_000


@pytest.mark.parametrize(("under_way", "ratio"), [(7_500, 1.0), (7_501, 0.95), (11_250, 0.95), (11_251, 0.9)])
def test_more_under_way_than_the_window_pushes_by_5_percent_and_far_more_by_10(under_way: int, ratio: float) -> None:
    made = window()
    made.update(under_way)
    assert made.limit(400_000) == pytest.approx(400_000 * ratio)


def test_it_comes_back_by_5_percent_a_step_and_at_once_when_hardly_anything_is_under_way() -> None:
    made = window()
    for _ in range(10):
        made.update(20_000)
    pushed = made.ratio
    assert pushed == pytest.approx(0.9**10)
    made.update(7_000)
    assert made.ratio == pytest.approx(pushed * 1.05)
    made.update(700)
    assert made.ratio == 1


def test_it_pushes_no_further_than_the_least_rate_and_never_raises_a_lower_target() -> None:
    made = window()
    for _ in range(100):
        made.update(20_000)
    assert made.limit(400_000) == 50_000 and made.limit(40_000) == 40_000


def test_the_window_follows_target_and_least_round_trip_half_way_and_has_a_floor() -> None:
    made = window()
    made.on_feedback([PacketReport(0, MS, 100), PacketReport(10 * MS, MS, 100)], 400_000, 350 * MS)  # the least stays
    made.update(7_501)
    assert made.ratio == 0.95
    made.on_feedback([PacketReport(0, MS, 100)], 200_000, 50 * MS)  # halfway from 7500 to 3750
    assert _pushes(made, 5_626) and not _pushes(made, 5_625)
    for _ in range(20):
        made.on_feedback([PacketReport(0, MS, 100)], 1_000, 50 * MS)
    assert _pushes(made, 3_001) and not _pushes(made, 3_000)


def _pushes(made: CongestionWindow, under_way: int) -> bool:
    before = made.ratio
    made.update(under_way)
    return made.ratio < before
