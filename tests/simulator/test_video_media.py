"""Video as MediaCodecs: rate control, key frames, and a broken chain frozen until the next of them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from simulator.errors import MediaError
from simulator.fragments import Joined, join
from simulator.frames import load_frames
from simulator.media import EncodedFrame, MediaCodec
from simulator.media_loader import load_codec
from simulator.metrics import measure_psnr
from simulator.playback import play
from simulator.video_media import KINDS, decodable

pytest.importorskip("av", reason="PyAV is not installed: pip install 'vqstream[video]'")

SIZE = (64, 96)
FRAMES = load_frames("builtin", 9, 24, SIZE, 1)


@pytest.fixture(scope="module", params=KINDS)
def codec(request: pytest.FixtureRequest) -> MediaCodec:
    return load_codec(request.param, {"bpp": 1.0, "keyframe_interval": 4})


@pytest.fixture(scope="module")
def encoded(codec: MediaCodec) -> list[EncodedFrame]:
    return codec.encode(FRAMES, 4, "low_discrepancy")


def test_key_frames_come_at_the_interval_and_the_rate_is_near(codec: MediaCodec, encoded: list[EncodedFrame]) -> None:
    keys = [number for number, frame in enumerate(encoded) if join(frame.slices).key]
    assert keys[0] == 0 and max(np.diff([*keys, len(encoded)])) <= 4
    bits = 8 * sum(len(part.data) for frame in encoded for part in frame.slices)
    assert 0.5 < bits / FRAMES[..., 0].size < 1.5  # nine frames are few for a rate control


def test_a_whole_stream_decodes_to_every_frame(codec: MediaCodec, encoded: list[EncodedFrame]) -> None:
    shown = codec.decode([frame.slices for frame in encoded], SIZE, "none", False)
    assert all((frame.block_state == 2).all() for frame in shown)
    assert measure_psnr(FRAMES, np.stack([frame.picture for frame in shown]))["psnr_db"].min() > 20


def test_the_same_frames_make_the_same_bytes(codec: MediaCodec, encoded: list[EncodedFrame]) -> None:
    assert codec.encode(FRAMES, 4, "low_discrepancy") == encoded


def test_a_lost_packet_freezes_the_picture_until_the_next_key_frame(
    codec: MediaCodec, encoded: list[EncodedFrame]
) -> None:
    whole = codec.decode([frame.slices for frame in encoded], SIZE, "none", False)
    received = [() if number == 2 else frame.slices for number, frame in enumerate(encoded)]
    resumed = next(n for n, frame in enumerate(encoded) if n > 2 and join(frame.slices).key)
    frozen, grey = (codec.decode(received, SIZE, method, True) for method in ("copy_previous", "none"))
    for number in range(len(FRAMES)):
        held = 2 <= number < resumed
        assert np.array_equal(frozen[number].picture, whole[1 if held else number].picture)
        assert (frozen[number].block_state == (1 if held else 2)).all()
        assert (grey[number].picture == 128).all() == held


def test_a_damaged_packet_breaks_its_frame(codec: MediaCodec, encoded: list[EncodedFrame]) -> None:
    part = encoded[0].slices[0]
    hurt = type(part)(part.index, part.count, part.tokens, part.data[:-1] + bytes([part.data[-1] ^ 1]))
    (shown,) = codec.decode([[hurt, *encoded[0].slices[1:]]], SIZE, "copy_previous", True)
    assert shown.slices_corrupt == 1 and (shown.picture == 128).all()


def test_playback_shows_the_broken_chain_in_frames_that_came_whole() -> None:
    codec = load_codec("h264", {"bpp": 1.0, "keyframe_interval": 4})
    encoded = codec.encode(FRAMES, 4, "raster")
    received = [() if number == 1 else frame.slices for number, frame in enumerate(encoded)]
    deliveries: list[Any] = [SimpleNamespace(received=slices, frozen=not slices) for slices in received]
    seen = play(codec, FRAMES, encoded, deliveries, "copy_previous", True, measure_psnr)
    assert np.array_equal(seen.concealed[3], seen.lossless[0])  # came whole, but refers to the lost one
    assert np.array_equal(seen.concealed[4], seen.lossless[4])  # key frame
    assert seen.columns["psnr_db"][4] == seen.columns["psnr_db_lossless"][4]


def test_a_chain_starts_at_a_key_frame_and_ends_at_the_first_hole() -> None:
    def frame(letter: str) -> Joined:
        return Joined(None if letter == "." else b"x", letter == "K", 0)

    for letters, wanted in (
        ("KPP", [0, 1, 2]),
        ("K.PK", [0, 3]),
        ("PPK", [2]),
        (".PKP", [2, 3]),
        ("KP.K.P", [0, 1, 3]),
    ):
        assert list(decodable([frame(letter) for letter in letters])) == wanted


def test_mistakes_are_refused_with_what_is_allowed() -> None:
    codec = load_codec("h264", {})
    with pytest.raises(MediaError, match="even sides"):
        codec.encode(FRAMES[:, :63], 1, "raster")
    with pytest.raises(MediaError, match="keeps one rate"):
        codec.encode(FRAMES, 1, "raster", [0.1] * 9)  # type: ignore[call-arg]
    with pytest.raises(MediaError, match="none and copy_previous, got 'zero'"):
        codec.decode([()], SIZE, "zero", True)
    with pytest.raises(MediaError, match="at least 1, got 0"):
        load_codec("vp9", {"keyframe_interval": 0})
