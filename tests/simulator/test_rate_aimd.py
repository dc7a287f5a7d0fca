import pytest

from simulator.rate_aimd import NEXT, Aimd, PastMaximum, ReceivedRate

MS = 1_000_000
SECOND = 1000 * MS


def test_the_transitions_are_those_of_the_draft() -> None:
    table = {
        "overuse": {"hold": "decrease", "increase": "decrease", "decrease": "decrease"},
        "normal": {"hold": "increase", "increase": "increase", "decrease": "hold"},
        "underuse": {"hold": "hold", "increase": "hold", "decrease": "hold"},
    }
    assert {(signal, state): then for signal, row in table.items() for state, then in row.items()} == NEXT


def test_far_from_the_limit_the_rate_grows_by_8_percent_a_second() -> None:
    aimd = Aimd(100_000, 10_000, 1e6)
    for step in range(11):
        aimd.update("normal", 1e6, 50 * MS, step * 100 * MS)
    assert aimd.rate_bps == pytest.approx(108_000)


def test_the_rate_stays_below_one_and_a_half_times_what_arrives_but_does_not_fall_for_that() -> None:
    aimd = Aimd(100_000, 10_000, 1e6)
    for step in range(60):
        aimd.update("normal", 80_000, 0, step * SECOND)
    assert aimd.rate_bps == pytest.approx(120_000)
    aimd.update("normal", 1_000, 0, 61 * SECOND)
    assert aimd.rate_bps == pytest.approx(120_000)


def test_overuse_cuts_the_rate_to_85_percent_of_what_arrives_then_holds_then_climbs_by_steps() -> None:
    aimd = Aimd(100_000, 10_000, 1e6)
    aimd.update("overuse", 90_000, 100 * MS, 0)
    assert (aimd.state, aimd.rate_bps) == ("decrease", pytest.approx(76_500))
    aimd.update("normal", 90_000, 100 * MS, 100 * MS)
    assert (aimd.state, aimd.rate_bps) == ("hold", pytest.approx(76_500))
    aimd.update("normal", 90_000, 100 * MS, 200 * MS)  # near the past maximum: half a packet, at least 1000 bit/s
    assert (aimd.state, aimd.rate_bps) == ("increase", pytest.approx(77_500))


def test_the_additive_step_is_half_a_packet_a_response_time() -> None:
    aimd = Aimd(2_000_000, 10_000, 1e7)
    aimd.update("overuse", 2_000_000, 100 * MS, 0)
    aimd.update("normal", 2_000_000, 100 * MS, 0)
    before = aimd.rate_bps
    aimd.update("normal", 2_000_000, 100 * MS, 200 * MS)
    frame_bits = before / 30  # 56667 bits: 6 packets
    assert aimd.rate_bps - before == pytest.approx(0.5 * frame_bits / 6)


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
        rate.add(step * 50 * MS, 125)
    assert rate.rate_bps() == 125 * 8 * 20  # 10 packets within half a second
    rate.add(2 * SECOND, 125)
    assert rate.rate_bps() == 125 * 8 * 2
