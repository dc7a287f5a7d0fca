"""Intervals by clip and seed: they hold what they promise, and frames do not narrow them."""

import math

import numpy as np

from simulator.report.bootstrap import Sums, draw_weights, interval, resample

WEIGHTS = draw_weights(6)


def sums(values: "np.typing.NDArray[np.float64]", frames: int = 1) -> Sums:
    """Means of units over so many equal frames: [C, n]."""
    return Sums(values * frames, np.full(values.shape, float(frames)))


def test_intervals_of_few_units_hold_the_truth_nearly_as_often_as_they_say() -> None:
    trials = np.random.default_rng(1).normal(7.0, 2.0, (1000, 6))
    draws = resample(sums(trials), WEIGHTS)
    expanded = np.array([interval(row, 6) for row in draws])
    plain = np.quantile(draws, (0.025, 0.975), axis=1).T
    held = [float(((bounds[:, 0] <= 7) & (bounds[:, 1] >= 7)).mean()) for bounds in (expanded, plain)]
    # 1000 trials: the standard error of a share near 0.93 is 0.008
    assert 0.90 < held[0] < 0.98 and held[1] < 0.88, held


def test_more_frames_of_the_same_clips_do_not_narrow_an_interval() -> None:
    values = np.array([[1.0, 2.0, 4.0, 8.0, 16.0, 32.0]])
    few, many = (interval(resample(sums(values, frames), WEIGHTS)[0], 6) for frames in (1, 1000))
    np.testing.assert_allclose(few, many)


def test_a_missing_unit_is_left_out_and_not_counted() -> None:
    there = Sums(np.array([[10.0, 20.0, 0, 0, 0, 0]]), np.array([[1.0, 1.0, 0, 0, 0, 0]]))
    assert there.ratio.tolist() == [15.0] and there.units.tolist() == [2]
    draws = resample(there, WEIGHTS)[0]
    known = draws[~np.isnan(draws)]  # some resamples have neither of the two
    assert 0 < known.size < draws.size and known.min() == 10 and known.max() == 20


def test_one_unit_has_no_interval() -> None:
    assert all(math.isnan(bound) for bound in interval(np.full(2000, 3.0), 1))


def test_an_interval_may_reach_to_infinity_but_never_averages_with_it() -> None:
    low, high = interval(np.array([0.1] * 1500 + [math.inf] * 500), 6)
    assert low == 0.1 and high == math.inf


def test_weights_are_whole_resamples_and_the_same_each_time() -> None:
    assert (WEIGHTS.sum(axis=1) == 6).all() and (draw_weights(6) == WEIGHTS).all()
