"""PASS 2: what arrived -> pictures and their quality, in batches, through the codec's door.

Each frame is shown in three ways, so that two differences can be read off: what the codec costs
(sent against lossless) and what the channel costs, without and with help (holes, concealed).

    encoded, all slices       --decode--> lossless      what a perfect link would show
    encoded, slices in time   --decode--> holes         nothing guessed: method none
                              --decode--> concealed     what the viewer sees

A frame of which nothing arrived in time is frozen: the screen keeps the picture before it.

Many streams of one film (other losses, other methods) have most pictures in common. A `Projector`
decodes each pair of (frame, what arrived of it) once a method, and judges each picture once,
however many streams show it:

    streams --prepare--> what is not decoded yet --decode, in batches--> kept --show--> Playback
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simulator.blocks import HOLE
from simulator.errors import MediaError
from simulator.media import DecodedFrame, EncodedFrame, MediaCodec, SharingCodec, Slice, needs_stream

if TYPE_CHECKING:
    from simulator.session import FrameDelivery

Pictures = NDArray[np.uint8]  # [T, H, W, 3]
Columns = dict[str, NDArray[np.float64]]  # [T] each
Measure = Callable[[Pictures, Pictures], Columns]  # (reference, shown) -> columns; each picture for itself

BATCH = 24  # frames a batch: one second of film, enough to keep a network busy
MEMORY_BYTES = 1 << 29  # of pictures kept for other streams


@dataclass(frozen=True)
class Playback:
    """What a viewer saw, frame by frame (T frames, h x w blocks).

    Attributes:
        columns: Quality of what was shown under its own name (psnr_db, ...), the same without loss
            with `_lossless` and without concealment with `_holes` behind the name; float64 [T].
        tokens_correct: Of the missing tokens, those guessed exactly; int64 [T].
        slices_corrupt: Slices whose own checksum failed; int64 [T].
        tokens_lost: Tokens of slices that arrived, but damaged or without them; int64 [T].
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


Arrived: TypeAlias = tuple[tuple[int, bytes, tuple[int, ...]], ...]  # index, bytes, erased tokens of each slice
Key: TypeAlias = tuple[int, Arrived, str]  # frame, what arrived of it, method: names a decoded picture


@dataclass(frozen=True)
class Stream:
    """One way of a film through a network, and how its holes are to be filled.

    Attributes:
        encoded: What was sent, in display order.
        deliveries: What the network made of each frame.
        concealment: The codec's method for holes.
        temporal: Whether it may look at earlier frames; then the stream is decoded in one go.
        linked: Whether frames of this codec refer to others, received or not; see `media.needs_stream`.
    """

    encoded: Sequence[EncodedFrame]
    deliveries: Sequence["FrameDelivery"]
    concealment: str
    temporal: bool = False
    linked: bool = False

    @cached_property
    def received(self) -> list[tuple[Slice, ...]]:
        """Slices of each frame that came in time; none of a frozen one."""
        return [() if delivery.frozen else delivery.received for delivery in self.deliveries]

    @cached_property
    def sent(self) -> list[tuple[Slice, ...]]:
        """Slices of each frame."""
        return [frame.slices for frame in self.encoded]

    @cached_property
    def lossless(self) -> list[Key]:
        """Names of the pictures a perfect link would show."""
        method = _after("none", self.sent) if self.linked else "none"
        return [(number, arrived(slices), method) for number, slices in enumerate(self.sent)]

    @cached_property
    def holes(self) -> list[Key | None]:
        """Names of the pictures without concealment; None where frozen."""
        method = _after("none", self.received) if self.linked else "none"
        return [(number, arrived(slices), method) if slices else None for number, slices in enumerate(self.received)]

    @cached_property
    def concealed(self) -> list[Key | None]:
        """Names of the pictures the viewer sees; a frame that came whole is the lossless one."""
        looks_back = self.temporal or self.linked
        method = _after(self.concealment, self.received) if looks_back else self.concealment
        return [
            key if key in (None, best) else (key[0], key[1], method)
            for key, best in zip(self.holes, self.lossless, strict=True)
        ]

    def in_one_go(self) -> "list[_Film]":
        """What has to be decoded from its first frame on: by a codec that looks back, or whose frames are linked."""
        film = _Film(self.concealed, self.received, self.concealment, self.temporal)
        if self.linked:
            holes = _Film(self.holes, self.received, "none", False)
            return [_Film(self.lossless, self.sent, "none", False), holes, film]
        return [film] if self.temporal else []


class _Film(NamedTuple):
    """Pictures to be decoded in one go: their names, what arrived of each frame, how holes are filled."""

    keys: Sequence[Key | None]
    received: Sequence[tuple[Slice, ...]]
    method: str
    temporal: bool


def _after(method: str, received: Sequence[Sequence[Slice]]) -> str:
    """A method that looks back gives other pictures to each stream, so they need other names."""
    history = repr([arrived(slices) for slices in received])
    return f"{method} after {hashlib.sha256(history.encode()).hexdigest()}"


def arrived(slices: Iterable[Slice]) -> Arrived:
    """What arrived, in the order of the frame, however it arrived."""
    return tuple(sorted((part.index, part.data, part.erased) for part in slices))


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
    """Decode and judge one stream; see `Projector` for many.

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
    assert len(frames) == len(encoded) == len(deliveries), (len(frames), len(encoded), len(deliveries))
    stream = Stream(encoded, deliveries, concealment, temporal, needs_stream(codec))
    projector = Projector(codec, frames, measure)
    for start in range(0, len(frames), BATCH):
        stop = min(start + BATCH, len(frames))
        projector.prepare([stream], slice(start, stop))
        if on_progress:
            on_progress(stop)
    return projector.show(stream)


class Projector:
    """Decodes and judges the pictures of one film, each of them once.

    What a stream looks like does not depend on which others are prepared with it: a codec decodes,
    and a measure judges, each picture for itself (see `MediaCodec.decode`).

    Args:
        codec: The codec that encoded the film.
        frames: The film, uint8 [T, H, W, 3].
        measure: Judges pictures [T, H, W, 3] against references, frame by frame.
    """

    def __init__(self, codec: MediaCodec, frames: Pictures, measure: Measure) -> None:
        self._codec, self._frames, self._measure = codec, frames, measure
        self._decoded: dict[Key, DecodedFrame] = {}
        self._correct: dict[Key, int] = {}  # missing tokens guessed exactly
        self._judged: dict[tuple[int, Key | None], dict[str, float]] = {}  # by the frame it stands in for
        self._dark = np.full(frames.shape[1:], HOLE, dtype=np.uint8)  # before the first frame: mid grey

    def prepare(self, streams: Sequence[Stream], frames: slice = slice(None)) -> None:
        """Decode what these streams show of these frames and is not decoded yet, in batches.

        Raises:
            MediaError: If the codec lacks a method.
        """
        wanted: dict[tuple[int, Arrived], _Wanted] = {}
        for stream in streams:
            for film in stream.in_one_go():
                self._decode_in_one_go(stream, film)
            for number in range(*frames.indices(len(self._frames))):
                sent, received = stream.encoded[number], stream.received[number]
                for key, slices in ((stream.lossless[number], sent.slices), (stream.holes[number], received),
                                    (stream.concealed[number], received)):  # fmt: skip
                    if key and key not in self._decoded:
                        wanted.setdefault(key[:2], _Wanted(slices, sent, set())).methods.add(key[2])
        for methods, names in _by_methods(wanted).items():
            for start in range(0, len(names), BATCH):
                self._decode({name: wanted[name] for name in names[start : start + BATCH]}, methods)

    def show(self, stream: Stream) -> Playback:
        """What a viewer of one stream sees, and how good it is; decodes what is not prepared.

        Raises:
            MediaError: If the codec lacks a method.
        """
        self.prepare([stream])
        lossless, holes, concealed = stream.lossless, _held(stream.holes), _held(stream.concealed)
        made = [self._decoded[key] if key else None for key in stream.concealed]
        blank = np.zeros_like(self._decoded[lossless[0]].block_state)
        return Playback(
            columns={**self._judge(concealed), **self._judge(lossless, "_lossless"), **self._judge(holes, "_holes")},
            tokens_correct=np.array([self._correct[key] if key else 0 for key in stream.concealed], dtype=np.int64),
            slices_corrupt=np.array([frame.slices_corrupt if frame else 0 for frame in made], dtype=np.int64),
            tokens_lost=np.array([frame.tokens_lost if frame else 0 for frame in made], dtype=np.int64),
            sent=self._frames,
            holes=self._pictures(holes),
            concealed=self._pictures(concealed),
            lossless=self._pictures(lossless),
            block_state=np.stack([frame.block_state if frame else blank for frame in made]),
            confidence=np.stack([frame.confidence if frame else blank for frame in made]).astype(np.float32),
        )

    def trim(self) -> None:
        """Forget all pictures if they take too much memory; for the time between two streams."""
        if len(self._decoded) * self._dark.nbytes > MEMORY_BYTES:
            for kept in (self._decoded, self._correct, self._judged):
                kept.clear()

    def _decode(self, batch: "dict[tuple[int, Arrived], _Wanted]", methods: tuple[str, ...]) -> None:
        """Decode some frames by the same methods."""
        received, size = [each.slices for each in batch.values()], next(iter(batch.values())).sent.size
        for method, made in decode_each(self._codec, received, size, methods).items():
            for (name, each), frame in zip(batch.items(), made, strict=True):
                if frame.tokens_lost < sum(len(part.erased) for part in each.slices):
                    rule = f"codec {self._codec.name} cannot lose single tokens"
                    raise MediaError("channel.loss.model", rule, "token_erasure")
                self._keep((*name, method), each.sent, frame)

    def _decode_in_one_go(self, stream: Stream, film: _Film) -> None:
        """All frames of a film, frozen ones too; those decoded already, such as lossless ones, are kept."""
        missing = [key for key in film.keys if key and key not in self._decoded]
        missing = [key for key in missing if stream.linked or key != stream.lossless[key[0]]]
        if missing:
            made = self._codec.decode(film.received, stream.encoded[0].size, film.method, film.temporal)
            for key in missing:
                self._keep(key, stream.encoded[key[0]], made[key[0]])

    def _keep(self, key: Key, sent: EncodedFrame, frame: DecodedFrame) -> None:
        self._decoded[key] = frame
        self._correct[key] = 0 if key[1] == arrived(sent.slices) else self._codec.count_correct(sent, frame)

    def _judge(self, keys: Sequence[Key | None], suffix: str = "") -> Columns:
        """Quality of the pictures with these names, each against the frame in whose place it stands."""
        places = list(enumerate(keys))
        fresh = [place for place in places if place not in self._judged]
        for start in range(0, len(fresh), BATCH):
            batch = fresh[start : start + BATCH]
            reference = self._frames[[number for number, _ in batch]]
            columns = self._measure(reference, self._pictures([key for _, key in batch]))
            for row, place in enumerate(batch):
                self._judged[place] = {name: float(values[row]) for name, values in columns.items()}
        rows = [self._judged[place] for place in places]
        return {f"{name}{suffix}": np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]}

    def _pictures(self, keys: Sequence[Key | None]) -> Pictures:
        return np.stack([self._decoded[key].picture if key else self._dark for key in keys])


class _Wanted(NamedTuple):
    """A frame to decode: what arrived of it, what was sent, by which methods."""

    slices: Sequence[Slice]
    sent: EncodedFrame
    methods: set[str]


def _by_methods(wanted: dict[tuple[int, Arrived], _Wanted]) -> dict[tuple[str, ...], list[tuple[int, Arrived]]]:
    """Frames that are wanted by the same methods, so that a batch can be decoded at once."""
    groups: dict[tuple[str, ...], list[tuple[int, Arrived]]] = {}
    for name, each in wanted.items():
        groups.setdefault(tuple(sorted(each.methods)), []).append(name)
    return groups


def decode_each(
    codec: MediaCodec, received: Sequence[Sequence[Slice]], size: tuple[int, int], methods: Sequence[str]
) -> dict[str, list[DecodedFrame]]:
    """The same frames by several methods; a codec that can share work between them does.

    Raises:
        MediaError: If the codec lacks one of the methods.
    """
    if isinstance(codec, SharingCodec):
        return codec.decode_each(received, size, methods)
    return {method: codec.decode(received, size, method, False) for method in methods}


def _held(keys: Sequence[Key | None]) -> list[Key | None]:
    """What stands on the screen: a frozen frame repeats the one before it."""
    held, before = [], None
    for key in keys:
        before = key or before
        held.append(before)
    return held
