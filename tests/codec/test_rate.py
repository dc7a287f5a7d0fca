"""Rate: requests become shares of area, monotone and exact before entropy coding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.errors import RequestError
from codec.rate import ALL_COARSE, KNOTS, fixed_length_bpp, ratios_for_bpp


@given(st.floats(0.0405, 0.625))
def test_ratios_are_shares_whose_fixed_length_rate_is_the_request(bpp: float) -> None:
    ratios = ratios_for_bpp(bpp)
    assert min(ratios) >= 0 and sum(ratios) == pytest.approx(1)
    assert fixed_length_bpp(ratios) == pytest.approx(bpp)


def test_a_higher_request_never_leaves_more_area_coarse_or_makes_less_fine() -> None:
    requests = np.linspace(0.039, 0.625, 500)
    fine, _, coarse = np.array([ratios_for_bpp(float(bpp)) for bpp in requests]).T
    assert (np.diff(fine) >= -1e-12).all() and (np.diff(coarse) <= 1e-12).all()


def test_the_lowest_request_is_all_coarse() -> None:
    assert ratios_for_bpp(0.04) == ratios_for_bpp(0.0391) == ALL_COARSE


@pytest.mark.parametrize("bpp", [0.0, 0.02, -1.0, 0.7, float("nan")])
def test_rates_out_of_reach_are_refused_with_the_range(bpp: float) -> None:
    with pytest.raises(RequestError, match=r"must be from 0.0391 \(all coarse\) to 0.625 \(all fine\)"):
        ratios_for_bpp(bpp)


def test_published_ratios_cost_what_arithmetic_says() -> None:
    """Control-GIC's 0.5, 0.4, 0.1 at K = 1024: 10 (0.5/16 + 0.4/64 + 0.1/256) bits, without its map."""
    assert fixed_length_bpp((0.5, 0.4, 0.1)) == pytest.approx(0.378906, abs=1e-6)


def test_every_knot_is_a_split_of_the_whole_area() -> None:
    assert all(sum(knot) == pytest.approx(1) for knot in KNOTS)
