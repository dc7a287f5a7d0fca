"""Books: two numbers say which block takes which coarse codebook."""

from itertools import pairwise

import numpy as np
import pytest

from codec.books import blocks_before, book_of, book_of_block
from codec.interleave import partition
from codec.tokens import CUTS, Books, with_lost_blocks
from tests.codec.made import random_tokens

GRID = (32, 48)


def test_each_cut_takes_the_blocks_of_the_one_before_and_more() -> None:
    taken = [book_of_block(GRID, Books(3, cut)) == 2 for cut in range(CUTS)]
    assert not taken[0].any()
    assert all((a <= b).all() and a.sum() < b.sum() for a, b in pairwise(taken))
    assert [int(t.sum()) for t in taken] == [blocks_before(cut, 32 * 48) for cut in range(CUTS)]
    assert blocks_before(CUTS, 32 * 48) == 32 * 48


@pytest.mark.parametrize("count", [2, 4, 7, 16])
def test_every_slice_gets_its_share_of_the_larger_codebook(count: int) -> None:
    larger = book_of_block(GRID, Books(1, 100)) == 0
    shares = np.array([larger[blocks].mean() for blocks in partition(GRID, count, "low_discrepancy")])
    np.testing.assert_allclose(shares, 100 / 255, atol=0.06)


def test_the_larger_codebook_is_spread_over_the_picture() -> None:
    larger = (book_of_block(GRID, Books(1, 64)) == 0).reshape(4, 8, 6, 8).mean((1, 3))
    np.testing.assert_allclose(larger, 64 / 255, atol=0.1)


def test_only_coarse_tokens_have_a_book_and_lost_ones_keep_theirs() -> None:
    tokens = random_tokens((6, 7), books=Books(2, 90))
    book = book_of(tokens)
    assert (book[tokens.level > 0] == 0).all() and set(book[tokens.level == 0]) == {1, 2}
    lost = with_lost_blocks(tokens, np.ones(42, bool))
    assert np.array_equal(book_of(lost), book_of_block((6, 7), Books(2, 90)))
