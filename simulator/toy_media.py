"""The toy: a whole codec in pure numpy, for tests, for docs, and to begin one's own from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator import toy_slices
from simulator.blocks import BLOCK, HOLE, block_means, fill_from_neighbours
from simulator.errors import MediaError
from simulator.media import DecodedFrame, EncodedFrame, Slice
from simulator.toy_slices import FULL_BITS, HEADER, INTERLEAVES, TOKEN_BITS, shares, slice_order


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
