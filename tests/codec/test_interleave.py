"""Interleaving: every block in one slice, neighbours in different ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.errors import RequestError
from codec.interleave import METHODS, part_size, partition


def owners(grid: tuple[int, int], count: int, method: str) -> np.ndarray:
    """Slice of each block, [h, w]."""
    owner = np.full(grid[0] * grid[1], -1)
    for index, blocks in enumerate(partition(grid, count, method)):
        owner[blocks] = index
    return owner.reshape(grid)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 40), st.sampled_from(METHODS))
def test_every_block_is_in_exactly_one_slice_and_sizes_differ_by_one(h: int, w: int, count: int, method: str) -> None:
    parts = partition((h, w), count, method)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(h * w))
    sizes = [len(part) for part in parts]
    assert sizes == [part_size(h * w, count, i) for i in range(count)]
    assert max(sizes) - min(sizes) <= 1
    assert all((np.diff(part) > 0).all() for part in parts)


def test_raster_slices_are_runs() -> None:
    assert [part.tolist() for part in partition((2, 3), 2, "raster")] == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("grid", [(16, 16), (32, 48)])
@pytest.mark.parametrize(
    ("count", "right", "below"), [(2, 0.52, 0.15), (3, 0.28, 0.0), (4, 0.02, 0.0), (5, 0.0, 0.0), (16, 0.0, 0.0)]
)
def test_neighbours_share_a_slice_no_more_often_than_the_module_says(
    grid: tuple[int, int], count: int, right: float, below: float
) -> None:
    owner = owners(grid, count, "low_discrepancy")
    assert (owner[:, 1:] == owner[:, :-1]).mean() <= right
    assert (owner[1:] == owner[:-1]).mean() <= below


def test_the_low_discrepancy_order_is_the_same_for_ever() -> None:
    # A golden value, from this module's own output: streams of version 1 depend on it.
    assert owners((4, 8), 5, "low_discrepancy").tolist() == [
        [0, 3, 2, 1, 0, 4, 2, 1],
        [2, 1, 0, 4, 3, 1, 0, 4],
        [0, 4, 3, 2, 0, 4, 3, 2],
        [3, 2, 1, 4, 3, 2, 1, 4],
    ]


@pytest.mark.parametrize("grid", [(16, 16), (32, 48), (34, 43), (13, 21)])
@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 8, 16, 40])
def test_neighbours_share_a_slice_of_a_checkerboard_no_more_often_than_the_module_says(
    grid: tuple[int, int], count: int
) -> None:
    owner = owners(grid, count, "checkerboard")
    right, below = owner[:, 1:] == owner[:, :-1], owner[1:] == owner[:-1]
    assert right.mean() <= (0 if grid[1] % count == 0 else 0.034 if count <= 5 else 0.09)
    assert below.sum() <= (0 if grid[1] % count == 0 else 1)


@given(st.integers(1, 20), st.integers(1, 8), st.integers(1, 20))
def test_a_checkerboard_is_the_dispersed_map_of_h264_where_the_count_divides_the_width(
    h: int, columns: int, count: int
) -> None:
    w = columns * count
    dispersed = [(i % w + (i // w * count) // 2) % count for i in range(h * w)]  # as written in 8.2.2.2
    assert owners((h, w), count, "checkerboard").ravel().tolist() == dispersed


def test_every_slice_is_spread_evenly() -> None:
    owner = owners((32, 48), 4, "low_discrepancy")
    per_tile = np.stack([owner.reshape(4, 8, 6, 8).transpose(0, 2, 1, 3).reshape(24, 64) == i for i in range(4)])
    counts = per_tile.sum(-1)  # 16 of the 64 blocks of each tile would be perfectly even
    assert counts.min() >= 14 and counts.max() <= 18


def test_unknown_methods_and_counts_are_refused() -> None:
    with pytest.raises(RequestError, match="Available: raster, low_discrepancy, checkerboard"):
        partition((2, 2), 2, "chessboard")
    with pytest.raises(RequestError, match="at least 1"):
        partition((2, 2), 0, "raster")
    with pytest.raises(RequestError, match="unknown method"):
        partition((2, 2), 2, "")
