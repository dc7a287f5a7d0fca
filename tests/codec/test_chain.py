"""Chain: states of many steps at once, and the largest step that fits."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from codec.chain import Chain, bisect_fit, largest_fit


def test_states_equal_applying_the_events_one_by_one() -> None:
    rng = np.random.default_rng(4)
    step = np.sort(rng.integers(1, 21, 60))
    before = rng.integers(0, 5, 60)
    chain = Chain(
        20, rng.integers(50, 90, (3, 7)), step, rng.integers(0, 3, 60), np.stack([before, before + 1], 1),
        rng.integers(-99, 999, 60), False,
    )  # fmt: skip
    asked = np.array([0, 1, 7, 8, 20])
    for found, upto in zip(chain.states(asked), asked, strict=True):
        state = chain.state.copy()
        for at in np.flatnonzero(step <= upto):
            state[chain.slice[at], chain.kind[at, 0]] -= 1
            state[chain.slice[at], chain.kind[at, 1]] += 1
            state[chain.slice[at], 6] += chain.cost[at]
        assert np.array_equal(found, state)


@given(st.integers(0, 400), st.integers(0, 2**20), st.lists(st.integers(0, 900), min_size=2, max_size=30))
def test_a_larger_limit_never_gives_fewer_bytes(last: int, seed: int, limits: list[int]) -> None:
    rng = np.random.default_rng(seed)
    sizes = np.cumsum(rng.integers(-2, 6, last + 1)) + 20  # now and then a step is smaller than one before it
    chosen = [largest_fit(last, limit, lambda steps: sizes[steps]) for limit in sorted(limits)]
    got = [-1 if step is None else int(sizes[step]) for step in chosen]
    assert got == sorted(got)
    assert all(size <= limit for size, limit in zip(got, sorted(limits), strict=True))


@given(st.integers(0, 400), st.integers(0, 2**20), st.lists(st.integers(0, 900), min_size=2, max_size=30))
def test_bisecting_never_gives_fewer_bytes_for_a_larger_limit(last: int, seed: int, limits: list[int]) -> None:
    rng = np.random.default_rng(seed)
    sizes = np.cumsum(rng.integers(-2, 6, last + 1)) + 20
    chosen = [bisect_fit(last, limit, lambda step, _: sizes[step]) for limit in sorted(limits)]
    got = [-1 if step is None else int(sizes[step]) for step in chosen]
    assert got == sorted(got)
    assert all(size <= limit for size, limit in zip(got, sorted(limits), strict=True))


def test_bisecting_finds_the_last_of_rising_sizes_that_fits() -> None:
    assert [bisect_fit(9, limit, lambda step, _: 5 + 2 * step) for limit in (4, 5, 12, 13, 99)] == [None, 0, 3, 4, 9]


def test_what_does_not_fit_at_all_is_told() -> None:
    assert largest_fit(10, 4, lambda steps: 5 + steps) is None
    assert largest_fit(10, 5, lambda steps: 5 + steps) == 0
    assert largest_fit(200, 1e9, lambda steps: 5 + steps) == 200
