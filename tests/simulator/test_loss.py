import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simulator.channel import loss, markov
from simulator.scenario import Scenario
from simulator.streams import Draws, generator

SEEDS = range(5)
CHANNELS = [  # p, r, h, k
    (0.02, 0.25, 0.0, 1.0),  # simple Gilbert
    (0.1, 0.5, 0.3, 1.0),  # Gilbert
    (0.05, 0.2, 0.4, 0.98),  # Gilbert-Elliott
    (0.9, 0.8, 0.1, 0.9),  # restless: neighbours differ
]


def sequence(model, count):
    return np.array([model.lost(now_ns) for now_ns in range(count)])


def bernoulli(rate, seed=1):
    return loss.Bernoulli(rate, Draws(generator(seed, "loss")))


def gilbert_elliott(p, r, h=0.0, k=1.0, seed=1):
    return markov.GilbertElliott(p, r, h, k, Draws(generator(seed, "state")), Draws(generator(seed, "loss")))


def by_rate(rate, mean_burst, seed=1):
    return gilbert_elliott(*markov.from_rate_and_burst(rate, mean_burst), seed=seed)


def loss_and_pair(p, r, h, k):
    """P_L and P_LL of a two-state chain: pi D 1 and pi D P D 1, with D the losses by state."""
    pi, moves, lose = np.array([r, p]) / (p + r), np.array([[1 - p, p], [r, 1 - r]]), np.diag([1 - k, 1 - h])
    return (pi @ lose).sum(), (pi @ lose @ moves @ lose).sum()


def mean_run(lost):
    return lost.sum() / (np.diff(lost.astype(int), prepend=0) == 1).sum()


def test_a_channel_without_loss_loses_nothing():
    assert not sequence(loss.NoLoss(), 1000).any()


@pytest.mark.parametrize("rate", [0.01, 0.2, 0.7])
def test_bernoulli_loses_its_rate_within_four_standard_errors(rate):
    lost = np.concatenate([sequence(bernoulli(rate, seed), 40_000) for seed in SEEDS])
    assert abs(lost.mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / lost.size)


def test_bernoulli_runs_have_the_geometric_mean():
    lost = np.concatenate([sequence(bernoulli(0.3, seed), 40_000) for seed in SEEDS])
    assert mean_run(lost) == pytest.approx(1 / 0.7, rel=0.01)


def test_rates_of_nought_and_one_are_exact():
    assert not sequence(bernoulli(0.0), 1000).any() and sequence(bernoulli(1.0), 1000).all()


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**32))
@settings(max_examples=30)
def test_a_higher_rate_loses_all_that_a_lower_rate_loses(one, other, seed):
    low, high = (sequence(bernoulli(rate, seed), 200) for rate in sorted((one, other)))
    assert not (low & ~high).any()


@given(st.floats(0, 0.45), st.floats(0, 0.45), st.floats(1, 20), st.integers(0, 2**32))
@settings(max_examples=30)
def test_in_bursts_too_a_higher_rate_loses_all_that_a_lower_rate_loses(one, other, burst, seed):
    assume(burst >= 1 / (1 - max(one, other)))  # bursts longer than those of chance
    low, high = (sequence(by_rate(rate, burst, seed), 200) for rate in sorted((one, other)))
    assert not (low & ~high).any()


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_stationary_loss_is_that_of_the_formula(channel):
    p, r, h, k = channel
    rate = (r * (1 - k) + p * (1 - h)) / (p + r)
    assert rate == pytest.approx(loss_and_pair(*channel)[0])
    lost = np.concatenate([sequence(gilbert_elliott(*channel, seed=seed), 40_000) for seed in SEEDS])
    memory = (1 + abs(1 - p - r)) / (1 - abs(1 - p - r))  # fewer independent draws than packets
    assert abs(lost.mean() - rate) < 4 * np.sqrt(rate * (1 - rate) * memory / lost.size)


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_mean_run_of_losses_is_that_of_the_formula_within_three_per_cent(channel):
    single, pair = loss_and_pair(*channel)
    runs = [mean_run(sequence(gilbert_elliott(*channel, seed=seed), 40_000)) for seed in SEEDS]
    assert np.mean(runs) == pytest.approx(single / (single - pair), rel=0.03)


def test_the_first_packet_is_lost_as_often_as_any_other():
    first = np.array([gilbert_elliott(0.02, 0.05, seed=seed).lost(0) for seed in range(2000)])
    rate = 0.02 / 0.07
    assert abs(first.mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / first.size)


def test_delivery_in_the_bad_state_leaves_the_fades_where_they_were():
    hard, soft = (sequence(gilbert_elliott(0.05, 0.2, h=h), 5000) for h in (0.0, 0.5))
    assert not (soft & ~hard).any() and 0 < soft.sum() < hard.sum()


def test_fast_code_does_what_netems_switch_does():
    p, r, h, k = 0.1, 0.3, 0.2, 0.95
    state, chance = generator(1, "state").random(501), generator(1, "loss").random(500)
    bad, expected = state[0] < p / (p + r), []
    for move, draw in zip(state[1:], chance, strict=True):
        if bad:
            expected.append(draw < 1 - h)
            bad = not move >= 1 - r
        else:
            expected.append(draw < 1 - k)
            bad = move < p
    assert sequence(gilbert_elliott(p, r, h, k), 500).tolist() == expected


@given(st.floats(0, 0.999), st.floats(1, 1e4))
def test_rate_and_burst_come_back_from_p_and_r(rate, burst):
    assume(burst >= rate / (1 - rate))
    p, r = markov.from_rate_and_burst(rate, burst)
    assert 0 <= p <= 1 and 0 < r <= 1
    assert p / (p + r) == pytest.approx(rate) and 1 / r == pytest.approx(burst)


def test_the_burst_of_chance_makes_a_bernoulli_channel():
    p, r = markov.from_rate_and_burst(0.2, 1 / 0.8)
    assert p == pytest.approx(0.2) and p + r == pytest.approx(1)  # the next state forgets this one


def test_bursts_too_short_for_their_rate_are_refused_with_the_nearest_that_are_not():
    with pytest.raises(ValueError, match=r"mean_burst 4 with this rate, or rate 0\.6666 with this burst"):
        markov.from_rate_and_burst(0.8, 2)
    assert markov.from_rate_and_burst(0.8, 4) == (1.0, 0.25)
    markov.from_rate_and_burst(0.6666, 2)


@pytest.mark.parametrize(("rate", "burst"), [(1.0, 5), (-0.1, 5), (0.1, 0.5)])
def test_what_is_no_rate_or_burst_is_refused(rate, burst):
    with pytest.raises(ValueError, match="needs 0 <= rate < 1 and mean_burst >= 1"):
        markov.from_rate_and_burst(rate, burst)


@pytest.mark.parametrize(
    ("section", "rate", "run"),
    [
        ({"model": "none"}, 0, None),
        ({"model": "bernoulli", "rate": "20 %"}, 0.2, 1.25),
        ({"model": "gilbert_elliott", "rate": "10 %", "mean_burst": 4}, 0.1, 4),
        ({"model": "gilbert_elliott", "p": 0.05, "r": 0.2, "h": 0.5}, 0.1, 1 / 0.6),  # 1 / (1 - (1 - r) (1 - h))
    ],
)
def test_a_scenario_gets_the_loss_it_names(section, rate, run):
    model = Scenario.model_validate({"name": "x", "channel": {"loss": section}}).channel.loss
    lost = np.concatenate([sequence(loss.make(model, seed), 20_000) for seed in SEEDS])
    assert lost.mean() == pytest.approx(rate, rel=0.05)
    assert run is None or mean_run(lost) == pytest.approx(run, rel=0.05)
