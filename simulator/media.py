"""The only door between network and codec: what a codec must offer, and a toy that offers it.

    frames uint8 [T, H, W, 3] --encode--> EncodedFrame: slices of bytes     (before the network)
    slices that came in time  --decode--> DecodedFrame: picture, state, confidence   (after it)

The network half sees `Slice` as bytes with a token count and nothing else; so it runs, and is
tested, without weights and without torch. `ToyCodec` is a whole codec in pure numpy: a token is the
mean colour of a 16x16 block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from simulator import toy_slices
from simulator.errors import MediaError
from simulator.toy_slices import FULL_BITS, HEADER, INTERLEAVES, TOKEN_BITS, shares, slice_order


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


BLOCK = 16  # pixels a side of one token's block
HOLE = 128  # mid grey: what a viewer sees where nothing is known


def block_means(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean colour of each block, uint8 [H, W, 3] -> uint8 [h, w, 3]; edges are repeated outwards."""
    means: NDArray[np.uint8] = ((block_sums(frame) + BLOCK * BLOCK // 2) // (BLOCK * BLOCK)).astype(np.uint8)
    return means


def block_sums(frame: NDArray[np.uint8], power: int = 1) -> NDArray[np.uint32]:
    """Sums of the values of each block, or of their squares, uint8 [H, W, 3] -> uint32 [h, w, 3]; edges likewise."""
    height, width = frame.shape[:2]
    padded = np.pad(frame, ((0, -height % BLOCK), (0, -width % BLOCK), (0, 0)), mode="edge")
    rows, cols = padded.shape[0] // BLOCK, padded.shape[1] // BLOCK
    lines = (padded.astype(np.uint32) ** power).reshape(rows, BLOCK, -1).sum(axis=1, dtype=np.uint32)
    sums: NDArray[np.uint32] = lines.reshape(rows, cols, BLOCK, 3).sum(axis=2, dtype=np.uint32)
    return sums


def fill_from_neighbours(
    tokens: NDArray[np.uint8], known: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Fill unknown blocks with the mean of their known neighbours, ring by ring.

    Args:
        tokens: uint8 [h, w, 3].
        known: bool [h, w].

    Returns:
        The filled tokens, and a confidence float32 [h, w]: 1 where known; for a guess half the
        share of its eight neighbours it was made from, halved again with each further ring.
    """
    values, have = tokens.astype(np.float64), known.copy()
    confidence = known.astype(np.float32)
    weight = 0.5
    while have.any() and not have.all():
        total, count = np.zeros_like(values), np.zeros(have.shape)
        padded = np.pad(np.where(have[..., None], values, 0), ((1, 1), (1, 1), (0, 0)))
        mask = np.pad(have.astype(np.float64), 1)
        for dy, dx in np.ndindex(3, 3):
            total += padded[dy : dy + have.shape[0], dx : dx + have.shape[1]]
            count += mask[dy : dy + have.shape[0], dx : dx + have.shape[1]]
        fresh = ~have & (count > 0)
        values[fresh] = total[fresh] / count[fresh, None]
        confidence[fresh] = weight * count[fresh] / 8
        have |= fresh
        weight /= 2
    filled = np.rint(values).astype(np.uint8) if have.any() else np.full_like(tokens, HOLE)
    return filled, confidence


class ToyCodec:
    """A codec in pure numpy for tests and docs: one token is the mean colour of a 16x16 block.

    Its rate is that of 3 to 24 bits a token, 0.012 to 0.094 bits a pixel, headers of slices apart.
    """

    name = "toy"
    methods = ("none", "neighbour_mean")

    def encode(
        self, frames: NDArray[np.uint8], slices: int, interleave: str, bpp: Sequence[float] | None = None
    ) -> list[EncodedFrame]:
        """Pictures uint8 [T, H, W, 3] to T frames of `slices` slices; rates beyond its own are cut off.

        Raises:
            MediaError: If there are fewer blocks than slices, or the interleave is unknown.
        """
        if interleave not in INTERLEAVES:
            raise MediaError("packetizer.interleave", f"must be one of {', '.join(INTERLEAVES)}", interleave)
        depths = [FULL_BITS] * len(frames) if bpp is None else [_token_bits(rate, slices, frames) for rate in bpp]
        return [self._encode_frame(frame, slices, interleave, bits) for frame, bits in zip(frames, depths, strict=True)]

    def _encode_frame(self, frame: NDArray[np.uint8], slices: int, interleave: str, bits: int) -> EncodedFrame:
        means = block_means(frame)
        rows, cols = means.shape[:2]
        if not 1 <= slices <= min(rows * cols, 255):
            raise MediaError(
                "packetizer.packets_per_frame",
                f"a picture of {rows} x {cols} blocks makes 1 to {min(rows * cols, 255)} slices",
                slices,
                "Lower packets_per_frame or enlarge source.size",
            )
        dealt = means.reshape(-1, 3)[slice_order((rows, cols), interleave, slices)]
        borders = shares(rows * cols, slices)
        parts = [dealt[borders[i] : borders[i + 1]] for i in range(slices)]
        made = tuple(
            Slice(i, slices, len(part), toy_slices.write(part, i, slices, interleave, bits))
            for i, part in enumerate(parts)
        )
        return EncodedFrame(made, rows * cols, (frame.shape[0], frame.shape[1]))

    def decode(
        self,
        received: Sequence[Sequence[Slice]],
        size: tuple[int, int],
        concealment: str,
        temporal: bool,
    ) -> list[DecodedFrame]:
        """Slices to pictures; see `MediaCodec.decode`.

        Raises:
            MediaError: If `concealment` is not one of `methods`, or `temporal` is asked for.
        """
        if concealment not in self.methods:
            raise MediaError("concealment.method", f"codec toy has {' and '.join(self.methods)}", concealment)
        if temporal:
            raise MediaError("concealment.temporal", "codec toy guesses within one frame", temporal)
        return [self._decode_frame(slices, size, concealment) for slices in received]

    def _decode_frame(self, slices: Sequence[Slice], size: tuple[int, int], concealment: str) -> DecodedFrame:
        grid = (-(-size[0] // BLOCK), -(-size[1] // BLOCK))
        tokens, known, corrupt = _read_slices(slices, grid)
        arrived = known.sum()
        confidence = known.astype(np.float32)
        if concealment == "neighbour_mean":
            tokens, confidence = fill_from_neighbours(tokens, known)
        state = np.where(known, 2, int(concealment != "none")).astype(np.uint8)
        picture = tokens.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)[: size[0], : size[1]]
        lost = sum(part.tokens for part in slices) - int(arrived)
        return DecodedFrame(picture, state, confidence, tokens, corrupt, lost)

    def count_correct(self, sent: EncodedFrame, decoded: DecodedFrame) -> int:
        """Missing tokens whose three bytes were all guessed; holes are never right."""
        truth, _, _ = _read_slices(sent.slices, decoded.block_state.shape)
        right = (truth == decoded.guess).all(axis=-1) & (decoded.block_state == 1)
        return int(right.sum())

    def describe(self) -> dict[str, Any]:
        """The toy has no weights: name and version say all."""
        return {"name": self.name, "version": 2, "model_hash": None}


def _token_bits(bpp: float, slices: int, frames: NDArray[np.uint8]) -> int:
    """Most bits a token that keep a frame within `bpp`, headers of slices included."""
    height, width = frames.shape[1:3]
    blocks = -(-height // BLOCK) * -(-width // BLOCK)
    bits = (bpp * height * width - 8 * HEADER.size * slices) / blocks
    return int(min(max(bits, TOKEN_BITS[0]), TOKEN_BITS[-1]))


def _read_slices(slices: Sequence[Slice], grid: tuple[int, ...]) -> tuple[NDArray[np.uint8], NDArray[np.bool_], int]:
    """Tokens uint8 [h, w, 3] (HOLE where unknown), known bool [h, w], number of damaged slices."""
    rows, cols = grid
    tokens = np.full((rows * cols, 3), HOLE, dtype=np.uint8)
    known = np.zeros(rows * cols, dtype=bool)
    corrupt = 0
    for part in slices:
        found = toy_slices.read(part.data, (rows, cols))
        if found is None:
            corrupt += 1
            continue
        where, values = found
        kept = np.delete(np.arange(where.size), part.erased)
        tokens[where[kept]], known[where[kept]] = values[kept], True
    return tokens.reshape(rows, cols, 3), known.reshape(rows, cols), corrupt
