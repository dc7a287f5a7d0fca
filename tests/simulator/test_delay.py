from statistics import NormalDist

import numpy as np
import pytest

from simulator.channel import delay
from simulator.errors import ScenarioError
from simulator.scenario import Scenario
from simulator.streams import generator

COUNT = 50_000
SEEDS = range(5)
MS = 1_000_000
LAWS = (delay.normal, delay.uniform, delay.pareto, delay.gamma)


def draws(seed=1):
    return generator(seed, "delay")


def sample(model, count=COUNT):
    return np.array([model.draw(now_ns) for now_ns in range(count)])


def samples(law, count=10_000):
    """Delays of five seeds, joined."""
    return np.concatenate([sample(delay.Random(law, True, draws(seed)), count) for seed in SEEDS])


def test_a_constant_delay_is_the_same_for_all():
    assert set(sample(delay.Constant(40 * MS), 100)) == {40 * MS}


@pytest.mark.parametrize("seed", SEEDS)
def test_normal_delays_have_their_mean_and_spread(seed):
    delays = sample(delay.Random(delay.normal(40 * MS, 8 * MS), True, draws(seed)))
    assert abs(delays.mean() - 40 * MS) < 4 * 8 * MS / np.sqrt(COUNT)  # four standard errors
    assert delays.std() == pytest.approx(8 * MS, rel=0.02)
    below = [(delays < 40 * MS + z * 8 * MS).mean() for z in (-2, -1, 0, 1, 2)]
    assert below == pytest.approx([NormalDist().cdf(z) for z in (-2, -1, 0, 1, 2)], abs=0.01)


def test_normal_delays_are_cut_at_nought_and_the_mean_grows_as_the_formula_says():
    delays = samples(delay.normal(8 * MS, 8 * MS))
    z = NormalDist()
    assert delays.min() == 0
    assert (delays == 0).mean() == pytest.approx(z.cdf(-1), abs=0.01)
    assert delays.mean() == pytest.approx(8 * MS * (z.cdf(1) + z.pdf(1)), rel=0.01)


def test_uniform_delays_fill_their_range_and_no_more():
    delays = samples(delay.uniform(100, 3))
    values, counts = np.unique(delays, return_counts=True)
    assert values.tolist() == list(range(97, 104))
    assert counts / COUNT == pytest.approx(np.full(7, 1 / 7), abs=0.01)


@pytest.mark.parametrize("law", LAWS)
def test_every_law_has_the_mean_of_the_scenario(law):
    means = [sample(delay.Random(law(40 * MS, 8 * MS), True, draws(seed))).mean() for seed in SEEDS]
    assert abs(np.mean(means) - 40 * MS) < 4 * 8 * MS / np.sqrt(5 * COUNT)  # four standard errors


@pytest.mark.parametrize(("law", "jitter_ms"), [(delay.pareto, 8), (delay.gamma, 8), (delay.gamma, 60)])
def test_laws_with_a_tail_have_the_spread_of_the_scenario(law, jitter_ms):
    delays = np.concatenate([sample(delay.Random(law(40 * MS, jitter_ms * MS), True, draws(s))) for s in SEEDS])
    assert delays.std() == pytest.approx(jitter_ms * MS, rel=0.05)


def test_pareto_delays_have_the_tail_of_the_formula():
    delays = samples(delay.pareto(40 * MS, 20 * MS))
    shape = 1 + np.sqrt(1 + 4)
    least = 40 * MS * (shape - 1) / shape
    assert delays.min() == pytest.approx(least, rel=0.001)
    for times in (1.2, 2, 3):
        assert (delays > times * least).mean() == pytest.approx(times**-shape, rel=0.1)


def test_gamma_delays_start_at_the_least_and_keep_mean_and_spread():
    delays = samples(delay.gamma(40 * MS, 8 * MS, 30 * MS))
    assert delays.min() >= 30 * MS
    assert (delays.mean(), delays.std()) == (pytest.approx(40 * MS, rel=0.01), pytest.approx(8 * MS, rel=0.03))


def test_empirical_delays_have_the_distribution_of_the_measured_ones():
    measured = draws(9).standard_exponential(2000) * 10 * MS
    delays = samples(delay.empirical(measured.astype(int).tolist(), 5 * MS))
    shares = np.linspace(0.05, 0.95, 19)
    assert np.quantile(delays - 5 * MS, shares) == pytest.approx(np.quantile(measured, shares), rel=0.05)


def test_a_trace_of_delays_is_followed_in_time():
    model = delay.Trace(delay.Steps([(0, 10), (100, 30)], repeat=False), 5, False)
    assert [model.draw(now) for now in (0, 99, 100, 10**9)] == [15, 15, 35, 35]


def test_delays_are_whole_nanoseconds():
    for model in (delay.Constant(5), *(delay.Random(law(50, 5), True, draws()) for law in LAWS)):
        assert type(model.draw(0)) is int


def test_equal_seeds_give_equal_delays_whether_or_not_packets_may_overtake():
    one, other = (
        sample(delay.Random(delay.normal(40 * MS, 8 * MS), reorder, draws()), 100) for reorder in (True, False)
    )
    assert (one == other).all()


@pytest.mark.parametrize(
    ("section", "kind", "reorder"),
    [
        ({"model": "constant", "mean": 40}, delay.Constant, False),
        ({"model": "normal", "mean": 40, "jitter": 8, "reorder": True}, delay.Random, True),
        ({"model": "uniform", "mean": 40, "jitter": 8}, delay.Random, False),
        ({"model": "pareto", "mean": 40, "jitter": 8}, delay.Random, False),
        ({"model": "gamma", "mean": 40, "jitter": 8, "least": 20, "reorder": True}, delay.Random, True),
        ({"model": "empirical", "values": [30, 40, 50], "reorder": True}, delay.Random, True),
        ({"model": "empirical", "values": [40]}, delay.Random, False),
        ({"model": "trace", "rows": [[0, 30], [1, 50]], "add": 10, "repeat": False}, delay.Trace, False),
    ],
)
def test_a_scenario_gets_the_delay_it_names(section, kind, reorder):
    model = delay.make(Scenario.model_validate({"name": "x", "channel": {"delay": section}}).channel.delay, 1)
    assert type(model) is kind and model.reorder is reorder
    assert sample(model, 2000).mean() == pytest.approx(40 * MS, rel=0.02)


class Odd:
    """A model of a user's own that gives what it is told to."""

    reorder = True

    def __init__(self, gives):
        self.gives = gives

    def draw(self, now_ns):
        return self.gives


@pytest.mark.parametrize("gives", [0.5, -1, None, "20 ms"])
def test_a_delay_of_ones_own_that_is_no_whole_time_is_refused(gives):
    odd = delay.Checked(Odd(gives), "mine:Odd")
    with pytest.raises(ScenarioError, match=r"^channel.delay: mine:Odd: draw must give whole nanoseconds, 0 or more"):
        odd.draw(0)


def test_a_delay_of_ones_own_may_give_numpys_numbers():
    assert delay.Checked(Odd(np.int64(7)), "mine:Odd").draw(0) == 7
