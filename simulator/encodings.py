"""Encoded frames, made when somebody asks and kept: each frame once a rate, however many channels it crosses.

frame(7)          at the codec's own rate: made in batches, since its neighbours will be asked for too
frame(7, 0.125)   at this rate: made alone, since nobody knows the next frame's rate yet
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.errors import MediaError
from simulator.media import EncodedFrame, MediaCodec

BATCH = 24  # frames: one second of film, enough to keep a network busy


class Film(Protocol):
    """What the sender asks of a film."""

    def __len__(self) -> int:
        """Frames of the film."""
        ...

    def frame(self, number: int, bpp: float | None = None) -> EncodedFrame:
        """Frame `number` at a rate in bits a pixel of payload; None: the codec's own."""
        ...


class Chosen(Protocol):
    """A frame by number, and the rate that was chosen for it."""

    @property
    def frame(self) -> int:
        """From 0."""
        ...

    @property
    def bpp_asked(self) -> float | None:
        """Bits a pixel of payload; None: the codec's own rate."""
        ...


class Ready:
    """A film that is encoded already, and so has one rate."""

    def __init__(self, frames: Sequence[EncodedFrame]) -> None:
        self._frames = frames

    def __len__(self) -> int:
        """Frames of the film."""
        return len(self._frames)

    def frame(self, number: int, bpp: float | None = None) -> EncodedFrame:
        """One frame.

        Raises:
            MediaError: If a rate is given.
        """
        if bpp is not None:
            raise MediaError("rate_control", "the frames are encoded already; their rate is fixed", bpp)
        return self._frames[number]


class Encodings:
    """A film on its way through one codec.

    Rates come from a ladder (`rate_budget.snap`), or hardly any frame would be asked for twice.

    Args:
        codec: The codec.
        frames: The film, uint8 [T, H, W, 3].
        slices: Slices a frame.
        interleave: Which tokens share a slice; see the codec.
        on_progress: Called with the number of frames made so far, at the codec's own rate.
    """

    def __init__(
        self,
        codec: MediaCodec,
        frames: NDArray[np.uint8],
        slices: int,
        interleave: str,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        self._codec, self._frames = codec, frames
        self._slices, self._interleave = slices, interleave
        self._on_progress = on_progress
        self._kept: dict[tuple[int, float | None], EncodedFrame] = {}

    def __len__(self) -> int:
        """Frames of the film."""
        return len(self._frames)

    def frame(self, number: int, bpp: float | None = None) -> EncodedFrame:
        """One frame.

        Args:
            number: From 0.
            bpp: Bits a pixel of payload; None for the codec's own rate.

        Raises:
            MediaError: If the codec refuses the frame or the rate.
        """
        kept = self._kept.get((number, bpp))
        if kept is not None:
            return kept
        start, stop = _batch(number, len(self)) if bpp is None else (number, number + 1)
        rates = None if bpp is None else [bpp]
        made = self._codec.encode(self._frames[start:stop], self._slices, self._interleave, rates)
        assert len(made) == stop - start, (self._codec.name, len(made), stop - start)
        for index, encoded in enumerate(made, start):
            self._kept[index, bpp] = encoded
        if bpp is None and self._on_progress:
            self._on_progress(stop)
        return self._kept[number, bpp]

    def all(self) -> list[EncodedFrame]:
        """The whole film at the codec's own rate."""
        return [self.frame(number) for number in range(len(self))]

    def sent(self, deliveries: Iterable[Chosen]) -> list[EncodedFrame]:
        """The frames of a session, at the rates chosen in it."""
        return [self.frame(each.frame, each.bpp_asked) for each in deliveries]


def _batch(number: int, total: int) -> tuple[int, int]:
    start = number // BATCH * BATCH
    return start, min(start + BATCH, total)
