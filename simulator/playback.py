"""PASS 2: what arrived -> pictures and their quality, in batches, through the codec's door.

Each frame is shown in three ways, so that two differences can be read off: what the codec costs
(sent against lossless) and what the channel costs, without and with help (holes, concealed).

    encoded, all slices       --decode--> lossless      what a perfect link would show
    encoded, slices in time   --decode--> holes         nothing guessed: method none
                              --decode--> concealed     what the viewer sees

A frame of which nothing arrived in time is frozen: the screen keeps the picture before it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulator.errors import MediaError
from simulator.media import HOLE, DecodedFrame, EncodedFrame, MediaCodec, Slice, needs_stream

if TYPE_CHECKING:
    from simulator.session import FrameDelivery

Pictures = NDArray[np.uint8]  # [T, H, W, 3]
Columns = dict[str, NDArray[np.float64]]  # [T] each
Measure = Callable[[Pictures, Pictures], Columns]  # (reference, shown) -> columns

BATCH = 24  # frames a batch: one second of film, enough to keep a network busy


@dataclass(frozen=True)
class Playback:
    """What a viewer saw, frame by frame (T frames, h x w blocks).

    Attributes:
        columns: Quality of what was shown under its own name (psnr_db, ...), the same without loss
            with `_lossless` and without concealment with `_holes` behind the name; float64 [T].
        tokens_correct: Of the missing tokens, those guessed exactly; int64 [T].
        slices_corrupt: Slices whose own checksum failed; int64 [T].
        tokens_lost: Tokens that arrived but were of no use: erased, or in a corrupt slice; int64 [T].
        sent, holes, concealed, lossless: Pictures, uint8 [T, H, W, 3].
        block_state: uint8 [T, h, w]: 0 lost and left a hole, 1 concealed, 2 received.
        confidence: float32 [T, h, w] in [0, 1].
    """

    columns: Columns
    tokens_correct: NDArray[np.int64]
    slices_corrupt: NDArray[np.int64]
    tokens_lost: NDArray[np.int64]
    sent: Pictures
    holes: Pictures
    concealed: Pictures
    lossless: Pictures
    block_state: NDArray[np.uint8]
    confidence: NDArray[np.float32]


def play(
    codec: MediaCodec,
    frames: Pictures,
    encoded: Sequence[EncodedFrame],
    deliveries: Sequence["FrameDelivery"],
    concealment: str,
    temporal: bool,
    measure: Measure,
    on_progress: Callable[[int], None] | None = None,
) -> Playback:
    """Decode and judge one stream.

    Args:
        codec: The codec that made `encoded`.
        frames: What was sent, uint8 [T, H, W, 3].
        encoded: The encoded frames, in display order.
        deliveries: What the network made of each of them.
        concealment: The codec's method for holes.
        temporal: Whether it may look at earlier frames; then the stream is decoded in one go.
        measure: Judges pictures [T, H, W, 3] against references, frame by frame.
        on_progress: Called with the number of frames done.

    Raises:
        MediaError: If the codec has no such method, or cannot lose the single tokens that were erased.
    """
    count = len(frames)
    assert count == len(encoded) == len(deliveries), (count, len(encoded), len(deliveries))
    screen = _Screen.dark(frames.shape[1:3])
    parts: list[Playback] = []
    for batch in _batches(count, count if temporal or needs_stream(codec) else BATCH):
        received = [() if d.frozen else d.received for d in deliveries[batch]]
        decoded = _decode(codec, encoded[batch], received, concealment, temporal)
        part, screen = _show(codec, frames[batch], encoded[batch], decoded, screen, measure)
        parts.append(part)
        if on_progress:
            on_progress(batch.stop)
    return _join(parts)


@dataclass(frozen=True)
class _Screen:
    """What stands on the two screens, uint8 [H, W, 3]: the one with holes, the concealed one."""

    holes: NDArray[np.uint8]
    concealed: NDArray[np.uint8]

    @classmethod
    def dark(cls, size: tuple[int, ...]) -> "_Screen":
        """Before the first frame: mid grey, the mean a decoder without knowledge would show."""
        grey = np.full((*size, 3), HOLE, dtype=np.uint8)
        return cls(grey, grey)


@dataclass(frozen=True)
class _Decoded:
    """The three versions of a batch; None where a frame is frozen."""

    lossless: list[DecodedFrame]
    holes: list[DecodedFrame | None]
    concealed: list[DecodedFrame | None]


def _batches(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _decode(
    codec: MediaCodec,
    encoded: Sequence[EncodedFrame],
    received: Sequence[tuple[Slice, ...]],
    concealment: str,
    temporal: bool,
) -> _Decoded:
    """Decode a batch three ways; a frame that arrived whole is decoded once and bit-exact in all.

    Raises:
        MediaError: If tokens were erased and the codec did not count them as lost.
    """
    size = encoded[0].size
    lossless = codec.decode([frame.slices for frame in encoded], size, "none", False)
    if needs_stream(codec):  # a frame that came whole may still show what an earlier one lost
        frozen = [not got for got in received]
        methods = [codec.decode(received, size, method, temporal) for method in ("none", concealment)]
        _check_erased(codec, received, methods[0])
        return _Decoded(lossless, *([None if f else d for f, d in zip(frozen, m, strict=True)] for m in methods))
    whole = [_same(got, sent.slices) for got, sent in zip(received, encoded, strict=True)]
    damaged = [i for i, got in enumerate(received) if got and not whole[i]]
    some = [received[i] for i in damaged]
    holes = codec.decode(some, size, "none", False) if some else []
    concealed = holes if concealment == "none" else []
    if temporal:  # needs the whole stream, frozen frames too
        concealed = [codec.decode(received, size, concealment, True)[i] for i in damaged]
    elif some and not concealed:
        concealed = codec.decode(some, size, concealment, False)
    _check_erased(codec, some, holes)
    return _Decoded(lossless, _fill(lossless, whole, damaged, holes), _fill(lossless, whole, damaged, concealed))


def _check_erased(codec: MediaCodec, received: Sequence[Sequence[Slice]], holes: Sequence[DecodedFrame]) -> None:
    for slices, frame in zip(received, holes, strict=True):
        if frame.tokens_lost < sum(len(part.erased) for part in slices):
            raise MediaError("channel.loss.model", f"codec {codec.name} cannot lose single tokens", "token_erasure")


def _same(got: Sequence[Slice], sent: Sequence[Slice]) -> bool:
    return sorted(got, key=lambda part: part.index) == sorted(sent, key=lambda part: part.index)


def _fill(
    lossless: Sequence[DecodedFrame], whole: Sequence[bool], damaged: Sequence[int], made: Sequence[DecodedFrame]
) -> list[DecodedFrame | None]:
    """Whole frames from `lossless`, damaged ones from `made`, None for frozen ones."""
    frames: list[DecodedFrame | None] = [
        frame if arrived else None for frame, arrived in zip(lossless, whole, strict=True)
    ]
    for index, frame in zip(damaged, made, strict=True):
        frames[index] = frame
    return frames


def _show(
    codec: MediaCodec,
    sent: Pictures,
    encoded: Sequence[EncodedFrame],
    decoded: _Decoded,
    screen: _Screen,
    measure: Measure,
) -> tuple[Playback, _Screen]:
    """Put a batch on the screens and judge it; the screens go on to the next batch."""
    lossless = np.stack([frame.picture for frame in decoded.lossless])
    holes = _hold(decoded.holes, screen.holes)
    concealed = _hold(decoded.concealed, screen.concealed)
    best = measure(sent, lossless)
    columns = {
        **_judge(sent, concealed, lossless, best, measure),
        **_named(best, "_lossless"),
        **_named(_judge(sent, holes, lossless, best, measure), "_holes"),
    }
    blank = np.zeros_like(decoded.lossless[0].block_state)
    states = [frame.block_state if frame else blank for frame in decoded.concealed]
    doubts = [frame.confidence if frame else blank for frame in decoded.concealed]
    correct = [
        codec.count_correct(truth, frame) if frame else 0
        for truth, frame in zip(encoded, decoded.concealed, strict=True)
    ]
    part = Playback(
        columns=columns,
        tokens_correct=np.array(correct, dtype=np.int64),
        slices_corrupt=np.array([f.slices_corrupt if f else 0 for f in decoded.concealed], dtype=np.int64),
        tokens_lost=np.array([f.tokens_lost if f else 0 for f in decoded.concealed], dtype=np.int64),
        sent=sent,
        holes=holes,
        concealed=concealed,
        lossless=lossless,
        block_state=np.stack(states),
        confidence=np.stack(doubts).astype(np.float32),
    )
    return part, _Screen(holes[-1], concealed[-1])


def _hold(frames: Sequence[DecodedFrame | None], before: NDArray[np.uint8]) -> Pictures:
    """Pictures on the screen: a frozen frame repeats the one before it."""
    shown = []
    for frame in frames:
        before = frame.picture if frame else before
        shown.append(before)
    return np.stack(shown)


def _judge(sent: Pictures, shown: Pictures, lossless: Pictures, best: Columns, measure: Measure) -> Columns:
    """Quality of `shown`; frames equal to the lossless ones take their values over from `best`."""
    changed = np.flatnonzero((shown != lossless).any(axis=(1, 2, 3)))
    columns = {name: np.array(values, dtype=np.float64) for name, values in best.items()}
    if changed.size:
        for name, values in measure(sent[changed], shown[changed]).items():
            columns[name][changed] = values
    return columns


def _named(columns: Columns, suffix: str) -> Columns:
    return {f"{name}{suffix}": values for name, values in columns.items()}


def _join(parts: Sequence[Playback]) -> Playback:
    def all_of(name: str) -> NDArray[np.generic]:
        return np.concatenate([getattr(part, name) for part in parts])

    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    fields = [name for name in Playback.__dataclass_fields__ if name != "columns"]
    return Playback(columns=columns, **{name: all_of(name) for name in fields})  # type: ignore[arg-type]
