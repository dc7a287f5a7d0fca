import pytest

from simulator.rate_aimd import Aimd, PastMaximum, ReceivedRate

MS = 1_000_000
SECOND = 1000 * MS


def test_overuse_lowers_then_holds_normal_raises_and_underuse_holds() -> None:
    aimd, steps = Aimd(100_000, 10_000, 1e6), []
    for number, usage in enumerate(["overuse", "normal", "normal", "underuse", "normal", "normal", "overuse"]):
        before = aimd.rate_bps
        after = aimd.update(usage, 100_000, 100 * MS, number * SECOND)  # type: ignore[arg-type]
        steps.append((after > before) - (after < before))
    assert steps == [-1, 0, 1, 0, 0, 1, -1]


def test_far_from_the_limit_the_rate_grows_by_8_percent_a_second() -> None:
    aimd = Aimd(1_000_000, 10_000, 1e7)
    for step in range(11):
        aimd.update("normal", 1e7, 50 * MS, step * 100 * MS)
    assert aimd.rate_bps == pytest.approx(1_080_000)


def test_a_low_rate_grows_by_1_kbit_a_step_at_least() -> None:
    aimd = Aimd(100_000, 10_000, 1e7)
    for step in range(11):
        aimd.update("normal", 1e7, 50 * MS, step * 100 * MS)
    assert aimd.rate_bps == pytest.approx(110_000)


def test_the_rate_stays_below_one_and_a_half_times_what_arrives_but_does_not_fall_for_that() -> None:
    aimd = Aimd(100_000, 10_000, 1e6)
    for step in range(60):
        aimd.update("normal", 80_000, 0, step * SECOND)
    assert aimd.rate_bps == pytest.approx(130_000)  # and 10 kbit/s
    aimd.update("normal", 1_000, 0, 61 * SECOND)
    assert aimd.rate_bps == pytest.approx(130_000)


def test_overuse_cuts_the_rate_to_85_percent_of_what_arrives_and_5_kbit_then_it_climbs_evenly() -> None:
    aimd = Aimd(100_000, 10_000, 1e6)
    assert aimd.update("overuse", 90_000, 100 * MS, 0) == pytest.approx(71_500)
    assert aimd.update("normal", 90_000, 100 * MS, 100 * MS) == pytest.approx(71_500)
    frame_bits = 71_500 / 30  # one packet; two response times are 400 ms
    assert aimd.update("normal", 90_000, 100 * MS, 200 * MS) == pytest.approx(71_500 + frame_bits / 0.4 * 0.1)


@pytest.mark.parametrize("interval_ms", [25, 50, 100, 200])
def test_near_the_limit_the_climb_does_not_depend_on_how_often_feedback_comes(interval_ms: int) -> None:
    aimd = Aimd(100_000, 10_000, 1e6)
    aimd.update("overuse", 90_000, 100 * MS, 0)
    for now_ms in range(1000, 2001, interval_ms):
        aimd.update("normal", 90_000, 100 * MS, now_ms * MS)
    assert aimd.rate_bps - 71_500 == pytest.approx(71_500 / 30 / 0.4, rel=0.05)


def test_the_climb_is_a_packet_in_two_response_times_and_4_kbit_a_second_at_least() -> None:
    for rate, rtt_ms, slope in ((2_000_000, 100, 1_695_000 / 30 / 6 / 0.4), (20_000, 900, 4_000)):
        aimd = Aimd(rate, 10_000, 1e7)
        before = aimd.update("overuse", rate, rtt_ms * MS, 0)
        aimd.update("normal", rate, rtt_ms * MS, 0)
        after = aimd.update("normal", rate, rtt_ms * MS, 200 * MS)
        assert after - before == pytest.approx(slope * 0.2)


def test_a_second_cut_waits_a_round_trip_unless_far_too_much_is_sent() -> None:
    aimd = Aimd(100_000, 10_000, 1e6)
    aimd.update("overuse", 90_000, 100 * MS, 0)
    assert aimd.update("overuse", 80_000, 100 * MS, 99 * MS) == pytest.approx(71_500)
    assert aimd.update("overuse", 80_000, 100 * MS, 100 * MS) == pytest.approx(63_000)
    assert aimd.update("overuse", 31_000, 100 * MS, 110 * MS) == pytest.approx(21_350)


def test_before_it_is_known_what_arrives_overuse_halves_the_rate() -> None:
    aimd = Aimd(100_000, 10_000, 1e6)
    assert [aimd.update("overuse", None, 100 * MS, at * MS) for at in (0, 50, 100)] == [50_000, 50_000, 25_000]


def test_what_arrives_above_three_deviations_of_the_past_maximum_forgets_it() -> None:
    maximum = PastMaximum()
    assert maximum.compare(100_000) == "unknown"
    maximum.add(100_000)
    off = 3_000 * (0.4 * 100) ** 0.5
    assert [maximum.compare(100_000 + d) for d in (-off - 1, -off + 1, off - 1, off + 1)] == [
        "below", "near", "near", "above",
    ]  # fmt: skip


def test_the_rate_never_leaves_its_limits() -> None:
    aimd = Aimd(100_000, 50_000, 101_000)
    aimd.update("normal", 1e6, 0, 0)
    assert aimd.update("normal", 1e6, 0, SECOND) == 101_000
    assert aimd.update("overuse", 10_000, 0, 2 * SECOND) == 50_000


def test_the_received_rate_is_that_of_the_last_half_second() -> None:
    rate = ReceivedRate()
    for step in range(11):
        assert rate.rate_bps() is None
        rate.add([(step * 50 * MS, 125)])
    assert rate.rate_bps() == 125 * 8 * 20  # 10 packets within half a second
    rate.add([(2 * SECOND, 125)])
    assert rate.rate_bps() == 125 * 8 * 2
