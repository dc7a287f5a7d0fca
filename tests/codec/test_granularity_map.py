"""Granularity map: any quad-tree comes back, at the cost that was foretold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec import granularity_map
from codec.entropy import SymbolReader, SymbolWriter, size_bytes, uniform
from codec.errors import BitstreamError

quarters_of_blocks = st.lists(
    st.one_of(st.just([0] * 4), st.lists(st.sampled_from([1, 2]), min_size=4, max_size=4)), max_size=40
).map(lambda rows: np.array(rows, np.uint8).reshape(-1, 4))


@given(quarters_of_blocks)
def test_any_map_comes_back_and_costs_what_was_foretold(quarters: np.ndarray) -> None:
    writer = SymbolWriter()
    granularity_map.write(writer, quarters)
    data = writer.getvalue()
    assert np.array_equal(granularity_map.read(SymbolReader(data), len(quarters)), quarters)
    counts = np.bincount(granularity_map.kinds_of(quarters), minlength=6)
    assert np.array_equal(granularity_map.read_counts(SymbolReader(data), len(quarters)), counts)
    foretold = int(size_bytes(*granularity_map.cost(counts)))
    assert len(data) <= foretold <= len(data) + 3


def test_the_cost_of_one_split_block_in_four_is_worked_by_hand() -> None:
    # Counts: 0..4, 0..1, then nothing is left; kinds: 1 of 4 blocks; pattern: one of 4 quarters.
    cost, symbols = granularity_map.cost(np.array([3, 0, 1, 0, 0, 0]))
    assert cost / 2**16 == pytest.approx(np.log2(5) + 2 * np.log2(2) + (8 - 3 * np.log2(3)) + 2, abs=1e-4)
    assert symbols == 4 + 1 + 5
    assert granularity_map.tokens_of(np.array([3, 0, 1, 0, 0, 0])) == 3 + 3 + 4


def test_kinds_that_disagree_with_their_counts_are_refused() -> None:
    rng, refused = np.random.default_rng(1), 0
    for _ in range(50):
        try:
            granularity_map.read(SymbolReader(rng.bytes(30)), 40)
        except BitstreamError as error:
            refused += "blocks of each kind must be" in str(error)
    assert refused > 25


def test_a_map_of_one_kind_costs_its_counts_only() -> None:
    writer, counts = SymbolWriter(), SymbolWriter()
    granularity_map.write(writer, np.full((40, 4), 2, np.uint8))
    for _ in range(5):
        counts.write(0, uniform(41))
    assert writer.getvalue() == counts.getvalue()
