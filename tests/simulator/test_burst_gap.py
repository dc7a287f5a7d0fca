import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.burst_gap import burst_gap


def lost_at(length: int, *places: int) -> np.ndarray:
    lost = np.zeros(length, dtype=bool)
    lost[list(places)] = True
    return lost


def test_sixteen_received_packets_part_two_losses_and_fifteen_join_them_to_a_burst() -> None:
    parted, joined = burst_gap(lost_at(100, 30, 47)), burst_gap(lost_at(100, 30, 46))
    assert (parted.bursts, joined.bursts) == (0, 1)
    assert parted.gap_density == 0.02 and math.isnan(parted.burst_density)
    assert joined.burst_density == 2 / 17 and joined.gap_density == 0 and joined.burst_packets == 17
    assert joined.gap_packets == (30 + 53) / 2


def test_a_sequence_that_begins_and_ends_with_bursts_has_one_gap_between() -> None:
    found = burst_gap(lost_at(50, 0, 1, 48, 49))
    assert (found.bursts, found.burst_density, found.burst_packets, found.gap_packets) == (2, 1.0, 2.0, 46.0)


@pytest.mark.parametrize("lost", [np.zeros(9, dtype=bool), np.zeros(0, dtype=bool)])
def test_without_losses_there_is_no_burst(lost: np.ndarray) -> None:
    found = burst_gap(lost)
    assert found.bursts == 0 and math.isnan(found.burst_density) and math.isnan(found.burst_packets)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=200))
def test_losses_in_bursts_and_gaps_are_all_losses(losses: list[bool]) -> None:
    lost = np.array(losses, dtype=bool)
    found = burst_gap(lost)
    inside = found.bursts * found.burst_packets if found.bursts else 0
    in_bursts = inside * found.burst_density if found.bursts else 0
    in_gaps = (len(lost) - inside) * found.gap_density if len(lost) > inside else 0
    assert in_bursts + in_gaps == pytest.approx(lost.sum())
