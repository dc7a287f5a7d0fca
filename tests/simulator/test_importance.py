"""How important slices are said to be, against what losing them does."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.blocks import fill_from_neighbours
from simulator.importance import LEAST, block_costs, importances
from simulator.jpeg_media import JpegMedia
from simulator.session import run_session
from tests.simulator.tiny import scenario


def half_detailed():
    """A picture whose upper half is flat and whose lower half is noise, uint8 [128, 64, 3]."""
    picture = np.full((128, 64, 3), 90, np.uint8)
    picture[64:] = np.random.default_rng(1).integers(0, 256, (64, 64, 3))
    return picture


@given(st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=9))
def test_each_step_is_half_the_cost_of_the_one_before(costs):
    for cost, importance in zip(costs, importances(costs), strict=True):
        share = cost / max(costs)
        assert share <= 2.0**-importance * (1 + 1e-9)
        assert importance == LEAST or share > 2.0 ** -(importance + 1) * (1 - 1e-9)


def test_what_costs_nothing_matters_least_unless_nothing_costs_anything():
    assert importances([0.0, 3.0]) == [LEAST, 0] and importances([0.0, 0.0]) == [0, 0] and importances([]) == []


def test_the_cost_of_a_block_is_its_error_when_guessed_from_its_neighbours():
    picture = np.random.default_rng(2).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    costs = block_costs(picture)
    means = picture.reshape(3, 16, 4, 16, 3).mean(axis=(1, 3))
    for row, col in np.ndindex(3, 4):
        known = np.ones((3, 4), dtype=bool)
        known[row, col] = False
        around = [means[y, x] for y, x in np.ndindex(3, 4) if max(abs(y - row), abs(x - col)) == 1]
        block = picture[16 * row : 16 * row + 16, 16 * col : 16 * col + 16].astype(float)
        assert costs[row, col] == pytest.approx(np.square(block - np.mean(around, axis=0)).sum(), rel=0.01)
        filled, _ = fill_from_neighbours(np.rint(means).astype(np.uint8), known)
        assert np.abs(filled[row, col] - np.mean(around, axis=0)).max() <= 1


def test_a_picture_smaller_than_a_block_and_one_of_odd_sides_have_costs():
    assert block_costs(np.zeros((16, 16, 3), np.uint8)).tolist() == [[0.0]]
    assert block_costs(half_detailed()[:50, :61]).shape == (4, 4)


def test_jpeg_says_that_flat_slices_matter_less():
    (encoded,) = JpegMedia(bpp=1.0).encode(half_detailed()[None], 4, "raster")
    flat, _, noise, also = (part.importance for part in encoded.slices)
    assert (noise, also) == (0, 0) and flat == LEAST


def test_unequal_parity_at_equal_bytes_keeps_more_of_the_slices_that_matter():
    film = JpegMedia(bpp=1.0).encode(np.stack([half_detailed()] * 300), 4, "raster")
    missed, parity = {}, {}
    for name, overhead in (("equal", 0.5), ("unequal", [1.0, 0.0])):
        missing, spent = 0, []
        for seed in range(5):
            wanted = scenario(seed, "1 s", protection={"fec": {"code": "rs", "overhead": overhead}},
                              loss={"model": "bernoulli", "rate": 0.2})  # fmt: skip
            result = run_session(wanted, film)
            missing += sum({2, 3} > {part.index for part in each.received} & {2, 3} for each in result.deliveries)
            spent.append(sum(each.packets_fec for each in result.deliveries))
        missed[name], parity[name] = missing, np.mean(spent)
    assert parity["unequal"] == parity["equal"] and missed["unequal"] < 0.7 * missed["equal"]


@pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="PyAV is not installed")
def test_in_films_a_frame_matters_by_the_frames_that_break_with_it():
    from simulator.video_media import VideoMedia

    frames = np.stack([np.roll(half_detailed(), shift, axis=1) for shift in range(10)])
    encoded = VideoMedia("h264", bpp=0.5, keyframe_interval=8).encode(frames, 4, "raster")
    told = [{part.importance for part in frame.slices} for frame in encoded]
    assert told == [{each} for each in (0, 0, 0, 0, 1, 1, 2, 3, 2, 3)]  # breaks 8 7 6 5 4 3 2 1, and 2 1
