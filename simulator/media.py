"""The only door between network and codec: what a codec must offer.

    frames uint8 [T, H, W, 3] --encode--> EncodedFrame: slices of bytes     (before the network)
    slices that came in time  --decode--> DecodedFrame: picture, state, confidence   (after it)

The network half sees `Slice` as bytes with a token count and nothing else; so it runs, and is
tested, without weights and without torch. `ToyCodec` (simulator/toy_media.py) is a whole
codec in pure numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Slice(NamedTuple):
    """A part of one frame that travels in one packet and decodes alone, given the picture size.

    A tuple, as `Packet` is: each packet that arrives makes one.

    Attributes:
        index: Which slice of its frame, 0 to count - 1.
        count: Slices of the frame.
        tokens: Tokens inside.
        data: The coded bytes, with their own checksum.
        erased: Tokens a channel took out of it, by their place in the slice; for `decode` they are lost.
        importance: 0 for what costs most to lose, one more for each halving of that cost (`importance`
            has the rule); parity may protect slices unequally.
    """

    index: int  # type: ignore[assignment]  # two methods of tuples, which nobody asks a slice for
    count: int  # type: ignore[assignment]
    tokens: int
    data: bytes
    erased: tuple[int, ...] = ()
    importance: int = 0


@dataclass(frozen=True)
class EncodedFrame:
    """One frame as slices; `tokens` over all slices, `size` = (height, width) in pixels."""

    slices: tuple[Slice, ...]
    tokens: int
    size: tuple[int, int]


@dataclass(frozen=True)
class DecodedFrame:
    """One frame rebuilt from the slices that arrived.

    Attributes:
        picture: uint8 [H, W, 3].
        block_state: uint8 [h, w], one cell a 16x16 block: 0 lost and left a hole, 1 concealed,
            2 received.
        confidence: float32 [h, w] in [0, 1]: 1 received, 0 nothing known.
        guess: The codec's own record of what it guessed, for `count_correct`.
        slices_corrupt: Slices whose checksum failed; they were treated as lost.
        tokens_lost: Tokens of the slices that arrived which were of no use: erased, or in a corrupt slice.
    """

    picture: NDArray[np.uint8]
    block_state: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    guess: Any
    slices_corrupt: int
    tokens_lost: int = 0


class MediaCodec(Protocol):
    """What the simulator asks of a codec. Any class with these methods will do."""

    @property
    def name(self) -> str:
        """Short name for tables and folders."""
        ...

    def encode(
        self, frames: NDArray[np.uint8], slices: int, interleave: str, bpp: Sequence[float] | None = None
    ) -> list[EncodedFrame]:
        """Pictures uint8 [T, H, W, 3] to T encoded frames of `slices` slices each.

        Args:
            frames: The pictures.
            slices: Slices a frame.
            interleave: Which tokens share a slice.
            bpp: A rate for each frame, in bits a pixel of payload, to be met as nearly as the codec
                can; None for the rate it was configured with.

        Raises:
            MediaError: If the pictures, the number of slices or a rate do not suit this codec; if rates
                are given and it cannot vary its own.
        """
        ...

    def decode(
        self,
        received: Sequence[Sequence[Slice]],
        size: tuple[int, int],
        concealment: str,
        temporal: bool,
    ) -> list[DecodedFrame]:
        """One stream in display order, each frame from whatever slices arrived (possibly none).

        Damaged slices are counted and treated as lost, and so are erased tokens. Unless `temporal` is
        set, a frame's result must not depend on the others it is decoded with: many streams share what
        they have in common.

        Raises:
            MediaError: If the concealment method is unknown to this codec.
        """
        ...

    def count_correct(self, sent: EncodedFrame, decoded: DecodedFrame) -> int:
        """Of the tokens that were missing, how many were guessed exactly."""
        ...

    def describe(self) -> dict[str, Any]:
        """Name, version and model hash, for provenance.json."""
        ...


@runtime_checkable
class SharingCodec(Protocol):
    """What a codec may offer besides: several methods at once, for less work than one after another."""

    def decode_each(
        self, received: Sequence[Sequence[Slice]], size: tuple[int, int], methods: Sequence[str]
    ) -> dict[str, list[DecodedFrame]]:
        """By method, what `decode` gives for these frames with that method, not temporal.

        Raises:
            MediaError: If a method is unknown to this codec.
        """
        ...


def needs_stream(codec: MediaCodec) -> bool:
    """Whether frames refer to others, so that `decode` must get a whole stream from its start.

    A codec says so with an attribute `needs_stream = True`; without it, each frame stands alone.
    """
    return bool(getattr(codec, "needs_stream", False))
