"""Still pictures as MediaCodecs: the rate is met, JPEG slices decode alone, the others all or nothing."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import features

from simulator.errors import MediaError
from simulator.fragments import PART_BYTES, cut, join, seal, unseal
from simulator.frames import load_frames
from simulator.jpeg_media import JpegMedia
from simulator.media import EncodedFrame, Slice
from simulator.media_loader import load_codec
from simulator.pillow_media import highest_within, read, save

FRAMES = load_frames("builtin", 2, 24, (72, 90), 1)  # 5 x 6 blocks, the last ones cut
STILLS = {"jpeg": "jpg", "jpeg2000": "jpg_2000", "webp": "webp", "avif": "avif"}
STATES = {"none": 0, "copy_previous": 1}


def bits_a_pixel(encoded: EncodedFrame) -> float:
    return 8 * sum(len(part.data) for part in encoded.slices) / (encoded.size[0] * encoded.size[1])


@pytest.fixture(params=STILLS)
def name(request: pytest.FixtureRequest) -> str:
    if not features.check(STILLS[request.param]):
        pytest.skip(f"this Pillow has no {request.param}")
    return str(request.param)


def test_frames_meet_the_rate_asked_for_from_below(name: str) -> None:
    codec = load_codec(name, {"bpp": 2.0})
    for encoded in codec.encode(FRAMES, 3, "raster"):
        assert 1.6 < bits_a_pixel(encoded) <= 2.0
        assert encoded.tokens == sum(part.tokens for part in encoded.slices) == 30
    low, high = JpegMedia().encode(FRAMES, 3, "raster", [1.5, 3.0])
    assert bits_a_pixel(low) <= 1.5 < bits_a_pixel(high) <= 3.0


def test_a_rate_that_cannot_be_had_gives_the_lowest_quality(name: str) -> None:
    codec, lowest = load_codec(name, {"bpp": 1e-6}), 0 if name in ("webp", "avif") else 1
    assert codec.encode(FRAMES, 3, "raster") == load_codec(name, {"quality": lowest}).encode(FRAMES, 3, "raster")


def test_whole_frames_decode_to_what_the_library_shows(name: str) -> None:
    codec = load_codec(name, {"quality": 40})
    encoded = codec.encode(FRAMES, 3, "raster")
    for sent, decoded in zip(encoded, codec.decode([e.slices for e in encoded], (72, 90), "none", False), strict=True):
        assert decoded.picture.shape == (72, 90, 3) and (decoded.block_state == 2).all()
        assert (
            (decoded.confidence == 1).all() and decoded.slices_corrupt == 0 and codec.count_correct(sent, decoded) == 0
        )
    if name == "jpeg":
        plain = read(save(FRAMES[0], "JPEG", quality=40))
        shown = codec.decode([encoded[0].slices], (72, 90), "none", False)[0].picture
        assert np.array_equal(shown, plain)


def test_what_never_came_is_grey_or_the_frame_before(name: str) -> None:
    codec = load_codec(name, {"quality": 40})
    first, second = codec.encode(FRAMES, 3, "raster")
    for method, state in STATES.items():
        shown, held = codec.decode([first.slices, ()], (72, 90), method, True)
        assert (held.block_state == state).all() and (held.confidence == 0).all()
        assert np.array_equal(held.picture, shown.picture) if state else (held.picture == 128).all()
    assert len(second.slices) == len(first.slices) or name != "jpeg"


@pytest.mark.parametrize("slices", [1, 2, 4, 5, 7, 30])
def test_each_jpeg_slice_decodes_alone_and_the_rest_stays_as_it_was(slices: int) -> None:
    codec = JpegMedia(quality=30)
    first, second = codec.encode(FRAMES, slices, "raster")
    whole = codec.decode([first.slices, second.slices], (72, 90), "none", False)
    for part in second.slices:
        grey, old = (codec.decode([first.slices, [part]], (72, 90), m, True)[1] for m in STATES)
        came = np.repeat(np.repeat(grey.block_state == 2, 16, 0), 16, 1)[:72, :90]
        assert (grey.block_state == 2).sum() == part.tokens
        assert (grey.picture[~came] == 128).all() and np.array_equal(old.picture[~came], whole[0].picture[~came])
        # Chroma is interpolated across the border of a slice: two pixels from it, pictures are the same.
        inside = came & ~_near(~came, 2)
        assert np.array_equal(grey.picture[inside], whole[1].picture[inside])


def _near(mask: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    for _ in range(steps):
        padded = np.pad(mask, 1)
        mask = padded[1:-1, 1:-1] | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
        mask = mask | np.pad(mask, 1)[:-2, :-2] | np.pad(mask, 1)[2:, 2:]
    return mask


def test_a_damaged_slice_is_counted_and_taken_as_lost(name: str) -> None:
    codec = load_codec(name, {"quality": 40})
    (sent,) = codec.encode(FRAMES[:1], 3, "raster")
    first = sent.slices[0]
    hurt = Slice(0, first.count, first.tokens, first.data[:-1] + bytes([first.data[-1] ^ 1]))
    (damaged,) = codec.decode([[hurt, *sent.slices[1:]]], (72, 90), "none", False)
    (missing,) = codec.decode([sent.slices[1:]], (72, 90), "none", False)
    assert damaged.slices_corrupt == 1 and np.array_equal(damaged.picture, missing.picture)


def test_frames_that_only_decode_whole_take_as_few_packets_as_they_need() -> None:
    for size in (0, 1, PART_BYTES, PART_BYTES + 1, 5 * PART_BYTES):
        frame = bytes(range(256)) * 24
        parts = cut(frame[:size], 17, key=False)
        assert len(parts) == max(1, -(-size // PART_BYTES)) and sum(part.tokens for part in parts) == 17
        assert join(parts[::-1]) == (frame[:size], False, 0)
        assert join(parts[1:]).data is None or not parts[1:]
    assert unseal(seal(b"x")) == b"x" and unseal(b"") is None and unseal(seal(b"x")[:-1]) is None
    with pytest.raises(MediaError, match="255 packets"):
        cut(bytes(256 * PART_BYTES), 1)


@pytest.mark.parametrize("budget", [0, 10, 55, 1000])
def test_the_search_finds_the_highest_quality_within_the_budget(budget: int) -> None:
    found = highest_within(lambda q: (Slice(0, 1, 1, bytes(3 * q)),), (1, 40), budget)
    wanted = max([1, *(q for q in range(1, 41) if 3 * q <= budget)])
    size = len(found[0].data)
    assert size == 3 * wanted or 0.97 * budget <= size <= budget


def test_mistakes_are_refused_with_what_is_allowed(name: str) -> None:
    for options, message in (
        ({"bpp": 1, "quality": 5}, "not both"),
        ({"quality": 5000}, "has whole qualities"),
        ({"bpp": 0}, "above 0"),
        ({"speed": 3}, "no such option"),
    ):
        with pytest.raises(MediaError, match=message):
            load_codec(name, options)
    codec = load_codec(name, {})
    with pytest.raises(MediaError, match="none and copy_previous, got 'expected'"):
        codec.decode([()], (32, 32), "expected", False)
    with pytest.raises(MediaError, match="looks at the frame before"):
        codec.decode([()], (32, 32), "copy_previous", False)
    with pytest.raises(MediaError, match="1 to 30 slices"):
        JpegMedia().encode(FRAMES, 31, "raster")
