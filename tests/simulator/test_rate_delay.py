import pytest

from simulator.rate_delay import THRESHOLD_MS, Bursts, Change, Detector, Trendline

MS = 1_000_000


def test_packets_sent_within_5_ms_are_one_burst() -> None:
    bursts = Bursts()
    sent = [0, 2, 5, 40, 42, 80]
    changes = [bursts.add(each * MS, each * MS + 20 * MS) for each in sent]
    assert changes == [None] * 5 + [Change(sent_ms=37.0, arrived_ms=37.0, now_ms=62.0)]


def test_packets_that_come_out_of_one_jam_are_one_burst() -> None:
    bursts = Bursts()
    arrivals = [(0, 0), (40, 200), (80, 203), (120, 206), (240, 260), (300, 320)]
    changes = [bursts.add(sent * MS, arrived * MS) for sent, arrived in arrivals]
    # 80 and 120 arrive right behind 40: the burst is 40 to 120; its change is known once 240 has closed it
    assert changes[:4] == [None] * 4
    assert changes[4] == Change(sent_ms=120.0, arrived_ms=206.0, now_ms=206.0)


def feed(trendline: Trendline, delays_ms: list[float], every_ms: float = 40.0) -> float:
    before = 0.0
    for number, delay in enumerate(delays_ms, 1):
        trendline.add(Change(every_ms, every_ms + delay - before, number * every_ms + delay))
        before = delay
    return trendline.slope


def test_the_slope_of_a_steady_delay_is_zero_and_of_a_growing_queue_its_growth() -> None:
    assert feed(Trendline(), [20.0] * 100) == pytest.approx(0, abs=1e-3)
    # 10 ms more every 50 ms of arrival time
    assert feed(Trendline(), [10.0 * number for number in range(100)]) == pytest.approx(10 / 50, rel=0.01)
    assert feed(Trendline(), [1000 - 10.0 * number for number in range(100)]) < -0.2


def test_the_slope_is_zero_until_the_window_of_20_bursts_is_full() -> None:
    assert feed(Trendline(), [10.0 * number for number in range(19)]) == 0
    assert feed(Trendline(), [10.0 * number for number in range(20)]) > 0


CHANGE = Change(40.0, 40.0, 0.0)


def at(now_ms: float) -> Change:
    return Change(40.0, 40.0, now_ms)


def test_overuse_needs_a_second_sample_over_the_threshold_and_no_falling_slope() -> None:
    detector = Detector()
    said = [detector.update(slope, 60, at(40.0 * number)) for number, slope in enumerate([0.1, 0.09, 0.1, 0.0])]
    assert said == ["normal", "normal", "overuse", "normal"]


def test_a_slope_below_minus_the_threshold_is_underuse() -> None:
    assert Detector().update(-0.1, 60, CHANGE) == "underuse"


def test_the_gain_grows_with_the_number_of_bursts_up_to_60() -> None:
    slope = THRESHOLD_MS / (60 * 4) * 1.01
    for changes, said in ((59, "normal"), (60, "overuse"), (600, "overuse")):
        detector = Detector()
        detector.update(slope, changes, CHANGE)
        assert detector.update(slope, changes, CHANGE) == said


def test_the_threshold_follows_the_slope_slowly_up_and_faster_down_within_its_range() -> None:
    up, down = Detector(), Detector()
    for number in range(3):
        up.update(20 / 240, 60, at(10.0 * number))
        down.update(5 / 240, 60, at(10.0 * number))
    assert up.threshold_ms == pytest.approx(20 - 7.5 * (1 - 0.087) ** 2)  # k_up x 10 ms
    assert down.threshold_ms == pytest.approx(max(5 + 7.5 * (1 - 0.39) ** 2, 6))
    for number in range(3, 50):
        down.update(0.0, 60, at(10.0 * number))
    assert down.threshold_ms == 6


def test_a_spike_of_more_than_15_ms_over_the_threshold_teaches_it_nothing() -> None:
    detector = Detector()
    for number in range(5):
        detector.update(30 / 240, 60, at(100.0 * number))
    assert detector.threshold_ms == THRESHOLD_MS
