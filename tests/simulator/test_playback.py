"""What a viewer sees of what arrived; deliveries are written by hand."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.blocks import HOLE
from simulator.errors import MediaError
from simulator.frames import load_frames
from simulator.media import DecodedFrame, EncodedFrame, Slice
from simulator.metrics import measure_psnr
from simulator.playback import BATCH, Playback, play
from simulator.toy_media import ToyCodec

SIZE = (64, 64)
FRAMES = load_frames("builtin", BATCH + 6, 24, SIZE, seed=5)
CODEC = ToyCodec()
ENCODED = CODEC.encode(FRAMES, 4, "low_discrepancy")


def deliveries(arrived: dict[int, Sequence[int]]) -> list[Any]:
    """All slices of all frames, but of those named only the ones named."""
    made = []
    for number, frame in enumerate(ENCODED):
        received = tuple(frame.slices[index] for index in arrived.get(number, range(4)))
        made.append(SimpleNamespace(received=received, frozen=not received))
    return made


def playback(arrived: dict[int, Sequence[int]], method: str = "neighbour_mean", codec: Any = CODEC) -> Playback:
    return play(codec, FRAMES, ENCODED, deliveries(arrived), method, False, measure_psnr)


def test_without_loss_all_three_versions_are_bit_exact_and_nothing_is_concealed() -> None:
    seen = playback({})
    for version in (seen.holes, seen.concealed):
        np.testing.assert_array_equal(version, seen.lossless)
    assert (seen.block_state == 2).all() and (seen.confidence == 1).all() and not seen.tokens_correct.any()
    for suffix in ("_lossless", "_holes"):
        np.testing.assert_array_equal(seen.columns["psnr_db"], seen.columns[f"psnr_db{suffix}"])


def test_columns_judge_what_stands_under_their_name() -> None:
    seen = playback({3: [0, 2], 7: [1], 20: []})
    for name, shown in (("", seen.concealed), ("_lossless", seen.lossless), ("_holes", seen.holes)):
        np.testing.assert_array_equal(seen.columns[f"psnr_db{name}"], measure_psnr(FRAMES, shown)["psnr_db"])


def test_concealment_helps_and_only_where_something_was_lost() -> None:
    seen = playback({3: [0, 2], 7: [1, 2, 3]})
    better = seen.columns["psnr_db"] - seen.columns["psnr_db_holes"]
    assert np.flatnonzero(better).tolist() == [3, 7] and better[[3, 7]].min() > 1
    assert ((seen.block_state == 1).sum(axis=(1, 2)) == np.where(np.arange(len(FRAMES)) == 3, 8, 0)
            + np.where(np.arange(len(FRAMES)) == 7, 4, 0)).all()  # fmt: skip


def test_a_frozen_frame_repeats_the_one_before_also_across_batches() -> None:
    seen = playback({BATCH - 1: [0], BATCH: [], BATCH + 1: []})
    for version in (seen.holes, seen.concealed):
        np.testing.assert_array_equal(version[BATCH + 1], version[BATCH - 1])
    assert (seen.holes[BATCH] != seen.concealed[BATCH]).any()
    assert (seen.block_state[BATCH] == 0).all() and seen.tokens_correct[BATCH] == 0
    np.testing.assert_array_equal(
        seen.lossless[BATCH], CODEC.decode([ENCODED[BATCH].slices], SIZE, "none", False)[0].picture
    )


def test_before_the_first_frame_the_screen_is_grey() -> None:
    seen = playback({0: []})
    assert (seen.concealed[0] == HOLE).all() and (seen.holes[0] == HOLE).all()


def test_without_concealment_holes_and_shown_are_one() -> None:
    seen = playback({3: [0]}, "none")
    np.testing.assert_array_equal(seen.concealed, seen.holes)
    assert (seen.block_state[3] == 0).sum() == 12


def test_a_damaged_slice_is_counted_and_concealed() -> None:
    made = deliveries({})
    first = ENCODED[2].slices[0]
    made[2].received = (Slice(0, 4, first.tokens, b"rubbish"), *ENCODED[2].slices[1:])
    seen = play(CODEC, FRAMES, ENCODED, made, "neighbour_mean", False, measure_psnr)
    assert seen.slices_corrupt.tolist() == [0, 0, 1] + [0] * (len(FRAMES) - 3)
    assert (seen.block_state[2] == 1).sum() == first.tokens


def test_slices_in_any_order_make_a_whole_frame() -> None:
    seen = playback({4: [3, 1, 0, 2]})
    assert (seen.block_state == 2).all()


class CountingCodec(ToyCodec):
    """Counts how many frames are decoded, by method."""

    def __init__(self) -> None:
        self.decoded = {"none": 0, "neighbour_mean": 0}

    def decode(
        self, received: Sequence[Sequence[Slice]], size: tuple[int, int], concealment: str, temporal: bool
    ) -> list[DecodedFrame]:
        self.decoded[concealment] += len(received)
        return super().decode(received, size, concealment, False)


def test_whole_frames_are_decoded_once_and_frozen_ones_need_no_guess() -> None:
    codec = CountingCodec()
    playback({3: [0], 8: [], 9: [2]}, codec=codec)
    assert codec.decoded == {"none": len(FRAMES) + 2, "neighbour_mean": 2}


def test_a_temporal_codec_gets_the_whole_stream_at_once() -> None:
    codec = CountingCodec()
    play(codec, FRAMES, ENCODED, deliveries({3: [0], 8: []}), "neighbour_mean", True, measure_psnr)
    assert codec.decoded["neighbour_mean"] == len(FRAMES)


def test_progress_ends_with_all_frames() -> None:
    told: list[int] = []
    play(CODEC, FRAMES, ENCODED, deliveries({}), "none", False, measure_psnr, told.append)
    assert told == [BATCH, len(FRAMES)]


def test_an_unknown_method_is_the_codecs_error() -> None:
    with pytest.raises(MediaError, match="codec toy has none and neighbour_mean"):
        playback({0: [1]}, "expected")


def test_a_stream_shorter_than_its_deliveries_is_our_own_mistake() -> None:
    frames: NDArray[np.uint8] = FRAMES[:3]
    encoded: list[EncodedFrame] = ENCODED[:2]
    with pytest.raises(AssertionError):
        play(CODEC, frames, encoded, deliveries({})[:3], "none", False, measure_psnr)
