import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rate_budget import FrameBudget, snap


@settings(deadline=None)
@given(st.floats(0.001, 10), st.floats(0.01, 0.1), st.floats(0.2, 2))
def test_a_rung_is_a_twelfth_of_an_octave_at_or_below_the_wish_and_within_the_limits(
    bpp: float, low: float, high: float
) -> None:
    rung = snap(bpp, low, high)
    steps = math.log2(rung) * 12
    assert steps == pytest.approx(round(steps)) and low * (1 - 1e-9) <= rung <= high * (1 + 1e-9)
    assert rung <= bpp * (1 + 1e-9) or rung < low * 2 ** (1 / 12)
    assert snap(rung, low, high) == rung


def spend(repair: float, encoder_error: float = 1.0, seconds: int = 20) -> float:
    """Mean rate of the last five seconds for a target of 100 kbit/s: headers 1200 bits a frame, and repair."""
    budget = FrameBudget(fps=25, pixels=65536, min_bpp=0.001, max_bpp=1, overhead_bits=1200)
    sent = []
    for _ in range(25 * seconds):
        payload = round(budget.bpp(100_000) * 65536 / 8 * encoder_error)
        wire = round(payload * (1 + repair)) + 150
        budget.sent(100_000, payload, wire)
        sent.append(wire * 8)
    return sum(sent[-125:]) / 5


@pytest.mark.parametrize(("repair", "encoder_error"), [(0, 1), (0.5, 1), (1.0, 1), (0, 1.3), (0.3, 0.8)])
def test_headers_repair_and_an_encoder_that_misses_its_rate_are_all_paid_from_the_target(
    repair: float, encoder_error: float
) -> None:
    assert spend(repair, encoder_error) == pytest.approx(100_000, rel=0.02)


def test_the_first_frame_pays_for_its_headers_before_any_was_sent() -> None:
    budget = FrameBudget(fps=25, pixels=65536, min_bpp=0.001, max_bpp=1, overhead_bits=1200)
    assert budget.bpp(100_000) == snap((4000 - 1200) / 65536, 0.001, 1)


def test_a_stretch_at_the_lower_limit_is_not_held_against_the_frames_after_it_for_long() -> None:
    budget = FrameBudget(fps=25, pixels=65536, min_bpp=0.1, max_bpp=1, overhead_bits=0)
    for _ in range(1000):
        budget.sent(10_000, 900, 900)  # far above the target, since the codec can not go lower
    asked = []
    for _ in range(50):
        asked.append(budget.bpp(1_000_000))
        budget.sent(1_000_000, round(asked[-1] * 8192), round(asked[-1] * 8192))
    assert asked[-1] == pytest.approx(0.5946, rel=0.07) and min(asked) > 0.4
