"""Loss with a memory against its formulas, and what is fitted from a trace against what made it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.channel import loss, markov
from simulator.channel.fit import fit
from simulator.scenario import Scenario
from simulator.streams import Draws, generator
from tests.simulator.test_loss import gilbert_elliott, loss_and_pair, mean_run, sequence

SEEDS = range(5)
COUNT = 40_000
MS = 1_000_000
FOUR = (0.05, 0.3, 0.4, 0.6, 0.02)  # p13, p31, p32, p23, p14


def draws(seed, purpose):
    return Draws(generator(seed, purpose))


def four_state(chances=FOUR, seed=1):
    return markov.FourState(*chances, draws(seed, "state"))


def fades(seed=1, good_ms=900, bad_ms=100, **loss):
    losses = {"loss_good": 0.0, "loss_bad": 1.0, **loss}
    return markov.ContinuousTime(good_ms * MS, bad_ms * MS, *losses.values(), draws(seed, "state"), draws(seed, "loss"))


def made(section, seed=1):
    return loss.make(Scenario.model_validate({"name": "x", "channel": {"loss": section}}).channel.loss, seed)


@given(st.booleans(), st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**32), st.integers(1, 60))
@settings(max_examples=60)
def test_a_walk_without_a_loop_goes_where_one_with_a_loop_goes(bad, p, r, seed, count):
    chances = np.random.default_rng(seed).random(count)
    state, slow = bad, []
    for chance in chances:
        slow.append(state)
        state = bool(chance < 1 - r) if state else bool(chance < p)
    states, last = markov.walk(bad, p, r, chances)
    assert (states.tolist(), last) == (slow, state)


def four_state_chain(p13, p31, p32, p23, p14):
    """Moves between states 1 to 4, and what each loses."""
    moves = np.array([[1 - p13 - p14, 0, p13, p14], [0, 1 - p23, p23, 0], [p31, p32, 1 - p31 - p32, 0], [1, 0, 0, 0]])
    return moves, np.diag([0, 0, 1, 1])


@pytest.mark.parametrize("chances", [FOUR, (0.1, 0.9, 0.0, 1.0, 0.0), (0.2, 0.1, 0.9, 0.3, 0.3)])
def test_four_states_lose_what_the_law_says_in_the_runs_it_says(chances):
    moves, lose = four_state_chain(*chances)
    pi = np.array(markov.four_state_law(*chances))
    assert pi @ moves == pytest.approx(pi) and pi.sum() == pytest.approx(1)
    lost = [sequence(four_state(chances, seed), COUNT) for seed in SEEDS]
    single, pair = (pi @ lose).sum(), (pi @ lose @ moves @ lose).sum()
    assert np.mean(lost) == pytest.approx(single, rel=0.05)
    assert np.mean([mean_run(each) for each in lost]) == pytest.approx(single / (single - pair), rel=0.05)


def test_four_states_with_the_defaults_of_netem_are_a_bernoulli_channel():
    lost = np.concatenate([sequence(made({"model": "four_state", "p13": 0.2}, seed), COUNT) for seed in SEEDS])
    assert lost.mean() == pytest.approx(0.2, rel=0.03) and mean_run(lost) == pytest.approx(1.25, rel=0.03)


def test_fades_take_their_share_of_time_within_ten_per_cent():
    shares, stays = [], []
    for seed in range(8):
        model = fades(seed)
        lost = np.array([model.lost(now_ns) for now_ns in range(0, 2000 * 1000 * MS, 10 * MS)])
        shares.append(lost.mean())
        stays.append(mean_run(lost) * 10)
    assert np.mean(shares) == pytest.approx(0.1, rel=0.1)
    # looked at every 10 ms, a stay of mean 100 ms is seen 1 / (1 - e^-0.1) times if at all, and good
    # ones of mean 900 ms in between are missed now and then: by the chain's moves in 10 ms
    leave = 0.9 * (1 - np.exp(-10 * (1 / 900 + 1 / 100)))
    assert np.mean(stays) == pytest.approx(10 / leave, rel=0.1)


def test_two_codecs_meet_the_same_fades_however_many_packets_they_send():
    few, many = fades(), fades()
    seen_by_few = {ms: few.lost(ms * MS) for ms in range(0, 60_000, 40)}
    seen_by_many = {ms: many.lost(ms * MS) for ms in range(0, 60_000, 1)}
    assert all(seen_by_many[ms] == lost for ms, lost in seen_by_few.items()) and any(seen_by_few.values())


def test_states_of_a_fade_may_lose_a_share():
    models = [fades(seed, loss_good=0.01, loss_bad=0.5) for seed in range(8)]
    lost = np.array([[model.lost(now_ns) for now_ns in range(0, 1500 * 1000 * MS, 50 * MS)] for model in models])
    assert lost.mean() == pytest.approx(0.9 * 0.01 + 0.1 * 0.5, rel=0.1)


def test_a_fading_scenario_may_give_the_share_of_time_instead_of_the_good_stay():
    by_stay = made({"model": "continuous_time", "mean_bad": 100, "mean_good": 900})
    by_rate = made({"model": "continuous_time", "mean_bad": 100, "rate": "10 %"})
    times = range(0, 100_000 * MS, 7 * MS)
    assert [by_stay.lost(now) for now in times] == [by_rate.lost(now) for now in times]


@pytest.mark.parametrize(("p", "r"), [(0.02, 0.25), (0.1, 0.5), (0.3, 0.4)])
def test_a_fit_by_moments_returns_the_channel_that_made_the_trace_within_five_per_cent(p, r):
    fits = [fit(sequence(gilbert_elliott(p, r, seed=seed), COUNT)) for seed in SEEDS]
    assert np.mean([each.p for each in fits]) == pytest.approx(p, rel=0.05)
    assert np.mean([each.r for each in fits]) == pytest.approx(r, rel=0.05)


def test_a_fit_has_the_loss_and_the_mean_run_of_its_trace():
    lost = np.array([0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0], dtype=bool)
    found = fit(lost)
    assert found.rate == pytest.approx(6 / 14) and found.mean_burst == pytest.approx(2)
    assert found.p / (found.p + found.r) == pytest.approx(found.rate)


@pytest.mark.parametrize("losses", [[], [0, 0, 0, 0], [1, 1, 1], [0, 1]])
def test_nothing_is_fitted_to_a_trace_without_bursts_and_gaps(losses):
    with pytest.raises(ValueError, match="at least 3 packets of which some were lost and some not"):
        fit(losses)


def test_the_formula_of_two_states_holds_for_a_hand_made_case():
    assert loss_and_pair(0.1, 0.4, 0.0, 1.0) == (pytest.approx(0.2), pytest.approx(0.12))
