"""Refinement: tokens sought decode better than the nearest, and are as lawful as these."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from codec import refine
from codec.books import book_of
from codec.errors import RequestError
from codec.model import Codec
from codec.perceptual import Squeeze
from codec.quality import psnr_db
from codec.refine import Refinement, inside, tiles
from codec.tokens import Tokens
from codec.vqs import write_vqs
from tests.codec.tiny import photograph, tiny_codec

SHIPPED = Path(refine.__file__).parent / "weights"
SOUGHT = Refinement(steps=12)


def psnr(codec: Codec, tokens: Tokens, frame: NDArray[np.uint8]) -> float:
    shown = codec.decode(codec.conceal([tokens]), (frame.shape[0], frame.shape[1]))
    return float(psnr_db(frame[None], shown)[0])


@pytest.mark.parametrize("ratios", [(0.0, 0.0, 1.0), (0.2, 0.3, 0.5), (1.0, 0.0, 0.0)])
def test_the_same_decoder_paints_tokens_that_were_sought_nearer(ratios: tuple[float, float, float]) -> None:
    codec, frame = tiny_codec(), photograph(64, 96)
    nearest, sought = codec.encode(frame, ratios), codec.encode(frame, ratios, refinement=SOUGHT)
    assert np.array_equal(nearest.level, sought.level)
    assert psnr(codec, sought, frame) > psnr(codec, nearest, frame)


def test_the_shipped_weights_gain_a_fifth_of_a_decibel_on_a_photograph() -> None:
    import skimage.data

    codec, frame = Codec.load(SHIPPED), skimage.data.astronaut()[:128, 128:256]
    plain = psnr(codec, codec.encode(frame), frame)
    assert psnr(codec, codec.encode(frame, refinement=Refinement(steps=8)), frame) > plain + 0.2


def test_what_is_sought_does_not_depend_on_the_batch_or_on_chance() -> None:
    codec, frames = tiny_codec(), np.stack([photograph(48, 48, seed) for seed in range(3)])
    together = codec.encode_batch(frames, (0.2, 0.3, 0.5), refinement=SOUGHT)
    for frame, tokens in zip(frames, together, strict=True):
        alone = codec.encode(frame, (0.2, 0.3, 0.5), refinement=SOUGHT)
        assert np.array_equal(alone.index, tokens.index)


@pytest.mark.parametrize("bpp", [0.04, 0.06, 0.2])
def test_a_rate_asked_for_is_kept(bpp: float) -> None:
    codec, frame = tiny_codec(), photograph(96, 96)
    tokens = codec.encode(frame, bpp=bpp, refinement=SOUGHT)
    file = write_vqs((96, 96), codec.to_slices(tokens), codec.hash)
    assert 0.8 * bpp < 8 * len(file) / 96**2 <= bpp


def test_a_rate_out_of_reach_of_what_is_sought_takes_the_nearest() -> None:
    codec, frame = tiny_codec(), photograph(64, 64)
    with pytest.raises(RequestError, match="the least") as refused:
        codec.encode(frame, bpp=1e-3)
    least = float(str(refused.value).rpartition(" ")[2])
    assert len(codec.encode(frame, bpp=least, refinement=SOUGHT)) == 16


@pytest.mark.parametrize("losses", [(1.0, 2.0), (2.0, 1.0)])
def test_what_is_found_is_dropped_if_it_is_shown_worse(
    losses: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    codec, frame, told = tiny_codec(), photograph(64, 64), iter(losses)
    nearest = codec.encode(frame)
    monkeypatch.setattr(refine.Refiner, "refine", lambda self, picture, features, choice: [-z for z in features])
    monkeypatch.setattr(refine.Refiner, "loss", lambda self, y, x, coarse: next(told))
    kept = np.array_equal(codec.encode(frame, refinement=SOUGHT).index, nearest.index)
    assert kept == (losses[0] < losses[1])


def test_a_sub_codebook_is_kept_to() -> None:
    codec, frame = tiny_codec(), photograph(64, 64)
    sought = codec.encode(frame, codes=8, refinement=SOUGHT)
    assert set(book_of(sought)) == {1} and sought.index.max() < 8
    assert psnr(codec, sought, frame) > psnr(codec, codec.encode(frame, codes=8), frame)


def test_large_pictures_are_refined_tile_by_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, frame = tiny_codec(), photograph(96, 160)
    whole = codec.encode(frame, (0.2, 0.3, 0.5), refinement=SOUGHT)
    monkeypatch.setattr(refine, "TILE", 4)
    monkeypatch.setattr(refine, "HALO", 1)
    tiled, nearest = (codec.encode(frame, (0.2, 0.3, 0.5), refinement=how) for how in (SOUGHT, None))
    gain, most = (psnr(codec, found, frame) - psnr(codec, nearest, frame) for found in (tiled, whole))
    assert gain > most / 2 > 0


@pytest.mark.parametrize("grid", [(1, 1), (48, 48), (49, 7), (68, 120)])
def test_tiles_cover_each_block_once_and_their_windows_stay_in_the_picture(grid: tuple[int, int]) -> None:
    covered = np.zeros(grid, int)
    for tile, window in tiles(*grid):
        covered[tile.at(1)] += 1
        assert 0 <= window.top <= tile.top and tile.bottom <= window.bottom <= grid[0]
        assert inside(tile, window, 1).sum() == 4 * (tile.bottom - tile.top) * (tile.right - tile.left)
    assert (covered == 1).all()


def test_a_perceptual_distance_takes_part(squeeze: Squeeze) -> None:
    codec, frame = tiny_codec(), photograph(16, 40)  # smaller than the window that is shaken
    seen = codec.encode(frame, (1.0, 0.0, 0.0), refinement=Refinement(6, squeeze))
    assert not np.array_equal(seen.index, codec.encode(frame, (1.0, 0.0, 0.0), refinement=Refinement(6)).index)


def test_no_steps_are_refused() -> None:
    with pytest.raises(RequestError, match="at least 1 step, got 0"):
        Refinement(steps=0)
