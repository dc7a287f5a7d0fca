import pytest

from simulator.freezes import Freezes, freezes, screen_times


@pytest.mark.parametrize(
    ("gap_ms", "count"),
    [(189.9, 0), (190.0, 1), (400.0, 1)],  # at 40 ms a frame: max(3 x 40, 40 + 150) = 190
)
def test_an_interval_freezes_from_the_mean_and_150_ms_on(gap_ms: float, count: int) -> None:
    assert freezes([0, 40, 80, 80 + gap_ms], 40).count == count


def test_of_slow_films_an_interval_freezes_from_three_times_the_mean_on() -> None:
    assert freezes([0, 100, 399], 100).count == 0
    assert freezes([0, 100, 400], 100) == Freezes(1, 0.3)


def test_the_mean_is_that_of_the_last_30_intervals_and_so_adapts_to_a_slow_stream() -> None:
    slow = [500.0 * number for number in range(40)]
    found = freezes(slow, 40)
    # interval n + 1 freezes while 500 >= max(3 m, m + 150) with m = (500 n + 40 (30 - n)) / 30: n <= 8
    assert found == Freezes(9, 4.5)


def test_frames_missing_at_either_end_of_a_film_count() -> None:
    capture = [40.0 * number for number in range(20)]
    render = [None] * 5 + [each + 100 for each in capture[5:10]] + [None] * 10
    times = screen_times(capture, render, 40)
    assert times == [100, 300, 340, 380, 420, 460, 900]
    assert freezes(times, 40) == Freezes(2, 0.2 + 0.44)


def test_a_film_shown_whole_has_an_interval_a_frame() -> None:
    assert screen_times([0.0, 40.0], [100.0, 140.0], 40) == [100, 140, 180]


def test_a_film_of_which_nothing_was_shown_is_one_freeze() -> None:
    assert freezes(screen_times([0.0, 40.0, 80.0, 120.0, 160.0], [None] * 5, 40), 40) == Freezes(1, 0.2)
