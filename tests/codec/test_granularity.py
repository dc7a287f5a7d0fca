"""Granularity: ratios are met per picture, ties tip nothing over."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.errors import RequestError
from codec.granularity import allocate, density, grey
from codec.quadtree import levels_of_quarters
from tests.codec.tiny import photograph


def areas(quarters: np.ndarray) -> tuple[float, float, float]:
    """Shares of area (fine, medium, coarse)."""
    return float((quarters == 2).mean()), float((quarters == 1).mean()), float((quarters == 0).mean())


@given(st.integers(0, 10), st.integers(0, 10), st.integers(1, 8), st.integers(1, 8))
def test_ratios_are_met_to_the_nearest_block(fine: int, medium: int, rows: int, cols: int) -> None:
    total = fine + medium + 5
    ratios = (fine / total, medium / total, 5 / total)
    quarters = allocate(photograph(16 * rows, 16 * cols), ratios)
    got = areas(quarters)
    assert abs(got[2] - ratios[2]) <= 0.5 / (rows * cols) + 1e-9
    # Fine quarters live in split blocks only, of which rounding may leave half a block less.
    assert abs(got[0] - ratios[0]) <= 0.5 / (rows * cols) + 1e-9
    levels_of_quarters(quarters)  # a quad-tree, or it raises


def test_a_flat_picture_keeps_its_ratios_and_is_not_sent_all_fine() -> None:
    flat = np.full((64, 64, 3), 128, np.uint8)
    assert areas(allocate(flat, (0.25, 0.25, 0.5))) == (0.25, 0.25, 0.5)
    assert areas(allocate(flat, (0.0, 0.0, 1.0))) == (0.0, 0.0, 1.0)


def test_equal_blocks_are_split_from_the_end_in_raster_order_every_time() -> None:
    flat = np.zeros((32, 32, 3), np.uint8)
    quarters = allocate(flat, (0.0, 0.5, 0.5))
    assert quarters[::2, ::2].tolist() == [[0, 0], [1, 1]]


def test_busy_places_are_finer_than_flat_ones() -> None:
    quarters = allocate(photograph(64, 64), (0.25, 0.25, 0.5))
    assert (quarters[:, :4] == 0).all()  # the ramp on the left
    assert (quarters[:, 4:] > 0).all()  # the noise on the right


def test_density_is_the_entropy_of_thirty_two_grey_levels() -> None:
    patch = np.zeros((8, 8), np.uint8)
    assert density(patch, 8).tolist() == [[0.0]]
    patch[:, 4:] = 255  # two levels, equally often: 1 bit
    assert density(patch, 8)[0, 0] == pytest.approx(1)
    patch[:4] = 128  # 1/2, 1/4, 1/4: 1.5 bits
    assert density(patch, 8)[0, 0] == pytest.approx(1.5)
    every = (np.arange(64) * 4).reshape(8, 8).astype(np.uint8)
    assert density(every, 8)[0, 0] == pytest.approx(5)


@given(st.integers(0, 2**20))
def test_density_equals_the_obvious_way(seed: int) -> None:
    luma = np.random.default_rng(seed).integers(0, 256, (16, 24), np.uint8) // 3
    fast = density(luma, 8)
    for row in range(2):
        for col in range(3):
            values = luma[8 * row : 8 * row + 8, 8 * col : 8 * col + 8] // 8
            p = np.unique(values, return_counts=True)[1] / 64
            assert fast[row, col] == pytest.approx(-(p * np.log2(p)).sum())


def test_grey_weighs_the_channels_as_bt_601_does() -> None:
    colours = np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert grey(colours).tolist() == [[255, 0, 77, 149, 29]]


@pytest.mark.parametrize("ratios", [(0.5, 0.5, 0.5), (-0.1, 0.1, 1.0), (0.0, 0.0, 0.0), (float("nan"), 0.0, 1.0)])
def test_ratios_that_are_no_shares_are_refused(ratios: tuple[float, float, float]) -> None:
    with pytest.raises(RequestError, match="sum to 1"):
        allocate(np.zeros((16, 16, 3), np.uint8), ratios)
