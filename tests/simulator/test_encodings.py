from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from simulator.encodings import BATCH, Encodings
from simulator.errors import MediaError
from simulator.media import EncodedFrame
from simulator.toy_media import ToyCodec

FRAMES = np.random.default_rng(1).integers(0, 256, (30, 32, 32, 3)).astype(np.uint8)


class Counting(ToyCodec):
    """The toy codec, which notes what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, Sequence[float] | None]] = []

    def encode(self, frames: Any, slices: int, interleave: str, bpp: Any = None) -> list[EncodedFrame]:
        self.calls.append((len(frames), bpp))
        return super().encode(frames, slices, interleave, bpp)


def film(on_progress: Any = None) -> tuple[Encodings, Counting]:
    codec = Counting()
    return Encodings(codec, FRAMES, 2, "raster", on_progress), codec


def test_at_the_own_rate_frames_are_encoded_once_in_batches() -> None:
    done: list[int] = []
    encodings, codec = film(done.append)
    assert encodings.all() == ToyCodec().encode(FRAMES, 2, "raster") == encodings.all()
    assert codec.calls == [(BATCH, None), (30 - BATCH, None)] and done == [BATCH, 30]


def test_a_frame_is_encoded_once_a_rate() -> None:
    encodings, codec = film()
    first, other = encodings.frame(3, 0.2), encodings.frame(3, 0.1)
    assert encodings.frame(3, 0.2) is first and encodings.frame(3, 0.1) is other
    assert codec.calls == [(1, [0.2]), (1, [0.1])]
    assert sum(len(part.data) for part in first.slices) > sum(len(part.data) for part in other.slices)
    assert first == ToyCodec().encode(FRAMES[3:4], 2, "raster", [0.2])[0]


def test_a_codec_that_can_not_vary_its_rate_says_so() -> None:
    class Stubborn(ToyCodec):
        def encode(self, frames: Any, slices: int, interleave: str, bpp: Any = None) -> list[EncodedFrame]:
            if bpp is not None:
                raise MediaError("rate_control", "codec stubborn can not vary its rate")
            return super().encode(frames, slices, interleave)

    with pytest.raises(MediaError, match="can not vary its rate"):
        Encodings(Stubborn(), FRAMES, 2, "raster").frame(0, 0.1)
