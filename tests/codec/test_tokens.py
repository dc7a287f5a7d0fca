"""Tokens: a canonical order, checked at birth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.books import check_codes
from codec.parts import Part, merge, select
from codec.quadtree import check_quad_tree, collapse, expand, levels_of_quarters, starts
from codec.tokens import FULL, Books, Tokens, block_of, from_dense, positions, quarters_of, to_dense, with_lost_blocks
from tests.codec.made import any_tokens, random_tokens


def make(level: list[int], grid: tuple[int, int] = (1, 1)) -> Tokens:
    n = len(level)
    return Tokens(grid, np.array(level, np.uint8), np.zeros(n, np.int32), np.ones(n, bool))


def slow_cells(tokens: Tokens) -> list[tuple[int, int, int]]:
    """Block, row and column of every token by walking block by block: the obvious way."""
    found, queue = [], [int(level) for level in tokens.level]
    for block in range(tokens.grid[0] * tokens.grid[1]):
        row, col = divmod(block, tokens.grid[1])
        if queue[0] == 0:
            queue.pop(0)
            found.append((block, row, col))
            continue
        for quarter in range(4):
            y, x = 2 * row + quarter // 2, 2 * col + quarter % 2
            if queue[0] == 1:
                queue.pop(0)
                found.append((block, y, x))
                continue
            for cell in range(4):
                assert queue.pop(0) == 2
                found.append((block, 2 * y + cell // 2, 2 * x + cell % 2))
    assert not queue
    return found


@given(any_tokens)
def test_positions_equal_those_found_by_walking(tokens: Tokens) -> None:
    expected = slow_cells(tokens)
    assert block_of(tokens).tolist() == [block for block, _, _ in expected]
    size = 2.0**tokens.level
    centres = [((y + 0.5) / s, (x + 0.5) / s) for (_, y, x), s in zip(expected, size, strict=True)]
    assert np.array_equal(positions(tokens), np.array(centres, np.float32))


@given(any_tokens)
def test_dense_maps_and_tokens_are_inverse(tokens: Tokens) -> None:
    dense = to_dense(tokens)
    assert from_dense([level.index for level in dense], quarters_of(tokens), tokens.books) == tokens
    assert sum(int(level.present.sum()) for level in dense) == len(tokens)
    covered = [np.kron(level.present, np.ones((4 >> i, 4 >> i), int)) for i, level in enumerate(dense)]
    assert (np.sum(covered, axis=0) == 1).all()


@given(any_tokens)
def test_quarters_and_levels_are_inverse(tokens: Tokens) -> None:
    assert np.array_equal(levels_of_quarters(quarters_of(tokens)), tokens.level)
    assert np.array_equal(collapse(expand(tokens.level)), tokens.level)


@given(any_tokens, st.integers(1, 9), st.integers(0, 99))
def test_parts_merge_to_the_whole_in_any_order_and_number(tokens: Tokens, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    owner = rng.integers(count, size=tokens.grid[0] * tokens.grid[1])
    parts = [select(tokens, np.flatnonzero(owner == i)) for i in rng.permutation(count)]
    assert merge(tokens.grid, [*parts, *parts]) == tokens
    half = parts[: count // 2]
    lost = ~np.isin(np.arange(len(owner)), np.concatenate([np.zeros(0, int), *(p.blocks for p in half)]))
    whole = tokens if half else replace(tokens, books=FULL)  # nothing came: nothing tells the codebooks
    assert merge(tokens.grid, half) == with_lost_blocks(whole, lost)


@given(any_tokens, st.integers(0, 99))
def test_a_lost_block_is_one_unknown_coarse_token(tokens: Tokens, seed: int) -> None:
    lost = np.random.default_rng(seed).random(tokens.grid[0] * tokens.grid[1]) < 0.5
    left = with_lost_blocks(tokens, lost)
    assert np.array_equal(~left.known, lost[block_of(left)])
    assert (left.level[~left.known] == 0).all() and (~left.known).sum() == lost.sum()
    kept = ~lost[block_of(tokens)]
    assert np.array_equal(left.index[left.known], tokens.index[kept])
    assert with_lost_blocks(left, lost) == left


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ([3], "0, 1 or 2"),
        ([1, 1, 1], "cover 16 cells"),
        ([1, 1, 1, 1, 1], "cover 16 cells"),
        ([0, 0], "cover 16 cells"),
        ([], "cover 16 cells"),
        ([2, 1, 2, 2, 2, 1, 1], "token 1 straddles"),
        ([1, 0, 1, 1, 1], "token 1 straddles"),
    ],
)
def test_levels_that_are_no_quad_tree_are_refused(level: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(level)


def test_a_quad_tree_has_one_worked_order() -> None:
    level = np.array([1, 2, 2, 2, 2, 1, 1, 0], np.uint8)
    check_quad_tree(level, 2)
    assert starts(level).tolist() == [0, 4, 5, 6, 7, 8, 12, 16]
    assert expand(level).tolist() == [[1, 2, 1, 1], [0, 0, 0, 0]]


def test_wrong_types_lengths_and_indices_are_refused() -> None:
    good = make([0])
    with pytest.raises(ValueError, match=r"tokens.index must be int32"):
        Tokens((1, 1), good.level, good.index.astype(np.int64), good.known)
    with pytest.raises(ValueError, match=r"tokens.known must be bool"):
        Tokens((1, 1), good.level, good.index, np.ones(2, bool))
    with pytest.raises(ValueError, match="not be negative"):
        Tokens((1, 1), good.level, good.index - 1, good.known)
    with pytest.raises(ValueError, match="at least one block"):
        Tokens((0, 1), good.level[:0], good.index[:0], good.known[:0])
    with pytest.raises(ValueError, match="index of token 0 must be below 4, got 4"):
        check_codes(Tokens((1, 1), good.level, good.index + 4, good.known), 4)
    check_codes(Tokens((1, 1), good.level, good.index + 4, ~good.known), 4)  # a hole's index means nothing
    with pytest.raises(ValueError, match="index of token 0 must be below 2, got 3"):
        check_codes(Tokens((1, 1), good.level, good.index + 3, good.known, Books(1)), 4)


@pytest.mark.parametrize("books", [(-1, 0), (16, 0), (0, 1), (1, 255), (1, -1)])
def test_books_out_of_range_are_refused(books: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="books must be"):
        Tokens((1, 1), *(getattr(make([0]), name) for name in ("level", "index", "known")), Books(*books))


def test_parts_of_different_codebooks_do_not_merge() -> None:
    parts = [select(random_tokens((2, 2), books=Books(book)), np.arange(2)) for book in (0, 1)]
    with pytest.raises(ValueError, match="same codebooks"):
        merge((2, 2), parts)


def test_a_block_coarse_in_some_quarters_only_is_refused() -> None:
    with pytest.raises(ValueError, match="all four quarters"):
        levels_of_quarters(np.array([[0, 1], [1, 1]], np.uint8))


def test_tokens_are_equal_when_their_arrays_are() -> None:
    tokens = random_tokens((3, 4))
    assert tokens == random_tokens((3, 4)) and tokens != random_tokens((3, 4), seed=1)
    assert tokens != "tokens"
    with pytest.raises(TypeError):
        hash(tokens)


def test_an_empty_part_is_no_trouble() -> None:
    tokens = random_tokens((2, 2))
    nothing = select(tokens, np.zeros(0, np.int64))
    assert isinstance(nothing, Part) and len(nothing.level) == 0
    assert not merge((2, 2), [nothing]).known.any()
