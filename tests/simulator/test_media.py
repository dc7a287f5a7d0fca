"""The door between network and codec, by the toy codec."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simulator.blocks import HOLE, block_means, fill_from_neighbours
from simulator.errors import MediaError
from simulator.media import MediaCodec, Slice
from simulator.toy_media import ToyCodec
from simulator.toy_slices import INTERLEAVES, slice_order

CODEC: MediaCodec = ToyCodec()


def noise(height: int, width: int, count: int = 1, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def test_all_slices_give_the_block_means_exactly() -> None:
    frames = noise(64, 96)
    (encoded,) = CODEC.encode(frames, 4, "low_discrepancy")
    (decoded,) = CODEC.decode([encoded.slices], (64, 96), "none", False)
    np.testing.assert_array_equal(decoded.picture[::16, ::16], block_means(frames[0]))
    assert encoded.tokens == 4 * 6 and (decoded.block_state == 2).all() and (decoded.confidence == 1).all()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(16, 80),
    st.integers(16, 80),
    st.integers(1, 4),
    st.sampled_from(INTERLEAVES),
    st.data(),
)
def test_any_subset_of_slices_gives_right_tokens_or_holes_never_wrong_ones(
    height: int, width: int, slices: int, interleave: str, data: st.DataObject
) -> None:
    frames = noise(height, width)
    slices = min(slices, -(-height // 16) * -(-width // 16))
    (encoded,) = CODEC.encode(frames, slices, interleave)
    kept = data.draw(st.lists(st.sampled_from(encoded.slices), unique=True))
    (decoded,) = CODEC.decode([kept], (height, width), "none", False)
    known = decoded.block_state == 2
    np.testing.assert_array_equal(decoded.guess[known], block_means(frames[0])[known])
    assert (decoded.guess[~known] == HOLE).all() and known.sum() == sum(part.tokens for part in kept)
    assert decoded.picture.shape == (height, width, 3) and decoded.slices_corrupt == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3), st.data())
def test_a_damaged_slice_is_counted_and_treated_as_lost(index: int, data: st.DataObject) -> None:
    (encoded,) = CODEC.encode(noise(64, 64), 4, "low_discrepancy")
    good = encoded.slices[index]
    place = data.draw(st.integers(0, len(good.data) - 1))
    flip = data.draw(st.integers(1, 255))
    hurt = bytearray(good.data)
    hurt[place] ^= flip
    damaged = Slice(good.index, good.count, good.tokens, bytes(hurt))
    rest = [part for part in encoded.slices if part.index != index]
    with_damage, without = CODEC.decode([[*rest, damaged], rest], (64, 64), "neighbour_mean", False)
    assert (with_damage.slices_corrupt, without.slices_corrupt) == (1, 0)
    np.testing.assert_array_equal(with_damage.picture, without.picture)


@pytest.mark.parametrize("data", [b"", b"\0" * 6, b"\0" * 7, b"\xff" * 50])
def test_bytes_that_are_no_slice_are_counted_as_damaged(data: bytes) -> None:
    (decoded,) = CODEC.decode([[Slice(0, 1, 1, data)]], (32, 32), "none", False)
    assert decoded.slices_corrupt == 1 and (decoded.block_state == 0).all()


def test_a_slice_of_another_picture_size_is_not_painted() -> None:
    (encoded,) = CODEC.encode(noise(64, 64), 2, "raster")
    (decoded,) = CODEC.decode([encoded.slices], (32, 32), "none", False)
    assert decoded.slices_corrupt == 2


def test_side_by_side_blocks_travel_in_different_slices_of_four() -> None:
    order = slice_order((16, 16), "low_discrepancy", 4)
    owner = np.empty((16, 16), dtype=int)
    owner.ravel()[order] = np.arange(256) // 64
    assert np.bincount(owner.ravel()).tolist() == [64] * 4
    assert (owner[:, 1:] != owner[:, :-1]).mean() > 0.95 and (owner[1:] != owner[:-1]).all()


@pytest.mark.parametrize("count", [2, 4])
def test_a_checkerboard_parts_all_neighbours(count: int) -> None:
    owner = np.empty((16, 16), dtype=int)
    owner.ravel()[slice_order((16, 16), "checkerboard", count)] = np.arange(256) // (256 // count)
    assert (owner[:, 1:] != owner[:, :-1]).all() and (owner[1:] != owner[:-1]).all()


def test_concealment_paints_a_flat_picture_whole_and_counts_it_right() -> None:
    frames = np.full((1, 64, 64, 3), 77, dtype=np.uint8)
    (encoded,) = CODEC.encode(frames, 4, "low_discrepancy")
    (decoded,) = CODEC.decode([encoded.slices[:1]], (64, 64), "neighbour_mean", False)
    assert (decoded.picture == 77).all() and CODEC.count_correct(encoded, decoded) == 12
    assert sorted(np.unique(decoded.block_state)) == [1, 2]
    assert (decoded.confidence[decoded.block_state == 1] < 1).all()


def test_holes_are_never_counted_as_right_guesses() -> None:
    (encoded,) = CODEC.encode(np.full((1, 32, 32, 3), HOLE, dtype=np.uint8), 1, "raster")
    (decoded,) = CODEC.decode([()], (32, 32), "none", False)
    assert CODEC.count_correct(encoded, decoded) == 0


def test_with_nothing_known_concealment_shows_grey_and_claims_no_confidence() -> None:
    filled, confidence = fill_from_neighbours(np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4), bool))
    assert (filled == HOLE).all() and (confidence == 0).all()


def test_guesses_lose_confidence_with_distance_from_what_is_known() -> None:
    known = np.zeros((1, 5), bool)
    known[0, 0] = True
    filled, confidence = fill_from_neighbours(np.full((1, 5, 3), 9, np.uint8), known)
    assert (filled == 9).all() and (np.diff(confidence[0]) < 0).all()


@pytest.mark.parametrize(("slices", "size"), [(0, 64), (17, 64), (256, 512)])
def test_more_slices_than_blocks_or_255_are_refused(slices: int, size: int) -> None:
    with pytest.raises(MediaError, match="Lower packets_per_frame"):
        CODEC.encode(np.zeros((1, size, size, 3), np.uint8), slices, "raster")


def test_unknown_methods_are_refused_by_name() -> None:
    with pytest.raises(MediaError, match="codec toy has none and neighbour_mean, got 'expected'"):
        CODEC.decode([()], (32, 32), "expected", False)
    with pytest.raises(MediaError, match="within one frame"):
        CODEC.decode([()], (32, 32), "none", True)
    with pytest.raises(MediaError, match="must be one of raster, low_discrepancy, checkerboard, got 'zigzag'"):
        CODEC.encode(noise(32, 32), 1, "zigzag")


@settings(max_examples=40, deadline=None)
@given(st.floats(0.001, 1), st.integers(1, 4))
def test_a_rate_is_met_as_nearly_as_whole_bits_a_token_allow(bpp: float, slices: int) -> None:
    frames = noise(64, 80)
    (encoded,) = CODEC.encode(frames, slices, "raster", [bpp])
    spent = 8 * sum(len(part.data) for part in encoded.slices) / (64 * 80)
    step, headers = 20 / (64 * 80), 8 * 7 * slices / (64 * 80)  # a bit for each of 20 tokens
    lowest, highest = 3 * step + headers, 24 * step + headers
    rounding = 8 * slices / (64 * 80)  # slices end at whole bytes
    assert min(max(bpp, lowest), highest) - step - 1e-9 <= spent <= min(max(bpp, lowest), highest) + rounding
    (decoded,) = CODEC.decode([encoded.slices], (64, 80), "none", False)
    assert (decoded.block_state == 2).all()


def test_more_bits_a_token_bring_decoded_colours_nearer_to_the_true_ones() -> None:
    frames = noise(64, 64)
    errors = []
    for bits in (3, 6, 12, 18, 24):
        (encoded,) = CODEC.encode(frames, 1, "raster", [(bits * 16 + 8 * 7) / 4096])
        (decoded,) = CODEC.decode([encoded.slices], (64, 64), "none", False)
        errors.append(np.abs(decoded.guess.astype(int) - block_means(frames[0])).mean())
    assert errors[-1] == 0 and all(more > less for more, less in itertools.pairwise(errors))


def test_each_frame_of_a_batch_has_its_own_rate() -> None:
    frames = np.concatenate([noise(64, 64)] * 2)
    low, high = CODEC.encode(frames, 2, "raster", [0.02, 0.08])
    assert sum(len(part.data) for part in low.slices) < sum(len(part.data) for part in high.slices)
