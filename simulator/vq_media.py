"""The VQ codec as a MediaCodec: the one module of the simulator that imports `codec`, and so torch."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from codec.bitstream import TokenSlice
from codec.conceal import METHODS
from codec.config import BLOCK
from codec.errors import CodecError
from codec.latents import Concealed
from codec.model import Codec
from codec.perceptual import Squeeze
from codec.quality import QUICK
from codec.quality import measure as measure_quality
from codec.rate import ALL_COARSE
from codec.tokens import Tokens, block_of
from simulator.errors import MediaError
from simulator.media import DecodedFrame, EncodedFrame, Slice

Measure = Callable[[NDArray[np.uint8], NDArray[np.uint8]], dict[str, NDArray[np.float64]]]


class VqMedia:
    """Multi-granularity VQ tokens, range coded, concealed by the masked transformer.

    Args:
        bpp: Requested bits per pixel of the tokens, from 0.039; or
        ratios: (fine, medium, coarse) shares of area. Default: all coarse.
        entropy: "static" or "uniform".
        weights: Folder of weights; default: those shipped.
        device: "cpu", "cuda", or "auto": CUDA where there is one.

    Raises:
        MediaError: If the options contradict each other or the codec refuses them.
    """

    name = "vq"

    def __init__(
        self,
        bpp: float | None = None,
        ratios: Sequence[float] | None = None,
        entropy: str = "static",
        weights: str | None = None,
        device: str = "auto",
    ) -> None:
        if bpp is not None and ratios is not None:
            raise MediaError("codec", "give bpp or ratios, not both", f"bpp={bpp}, ratios={ratios}")
        if ratios is not None and len(ratios) != 3:
            raise MediaError("codec.ratios", "three shares are needed: fine, medium, coarse", ratios)
        self._bpp, self._entropy = bpp, entropy
        self._ratios = ALL_COARSE if ratios is None else (ratios[0], ratios[1], ratios[2])
        try:
            self._codec = Codec.load(None if weights is None else Path(weights), device)
        except CodecError as error:
            raise MediaError(*error.args) from error

    def encode(self, frames: NDArray[np.uint8], slices: int, interleave: str) -> list[EncodedFrame]:
        """Pictures uint8 [T, H, W, 3] to encoded frames; see `MediaCodec.encode`."""
        size = (frames.shape[1], frames.shape[2])
        try:
            tokens = self._codec.encode_batch(frames, self._ratios, self._bpp)
            coded = [self._codec.to_slices(t, slices, interleave, self._entropy) for t in tokens]
        except CodecError as error:
            raise MediaError(*error.args) from error
        return [
            EncodedFrame(tuple(Slice(s.index, s.count, s.tokens, s.data) for s in parts), len(t.level), size)
            for t, parts in zip(tokens, coded, strict=True)
        ]

    def decode(
        self, received: Sequence[Sequence[Slice]], size: tuple[int, int], concealment: str, temporal: bool
    ) -> list[DecodedFrame]:
        """Slices that arrived to pictures; see `MediaCodec.decode`."""
        if concealment not in METHODS:
            raise MediaError("concealment.method", "unknown", concealment, f"Available: {', '.join(METHODS)}")
        grid = (-(-size[0] // BLOCK), -(-size[1] // BLOCK))
        arrived = [self._codec.from_slices(grid, _token_slices(slices)) for slices in received]
        filled = self._codec.conceal([tokens for tokens, _ in arrived], concealment, temporal)
        pictures = self._codec.decode(filled, size)
        guesses = concealment not in ("none", "zero")
        return [
            DecodedFrame(picture, *_per_block(guess, guesses), guess, corrupt)
            for picture, guess, (_, corrupt) in zip(pictures, filled, arrived, strict=True)
        ]

    def count_correct(self, sent: EncodedFrame, decoded: DecodedFrame) -> int:
        """Of the missing tokens, those guessed exactly; see `MediaCodec.count_correct`."""
        guess: Concealed = decoded.guess
        holes = ~guess.tokens.known
        if not holes.any():
            return 0
        truth, _ = self._codec.from_slices(guess.tokens.grid, _token_slices(sent.slices))
        true_index = _coarse_index(truth)
        return int((true_index[block_of(guess.tokens)[holes]] == guess.tokens.index[holes]).sum())

    def describe(self) -> dict[str, Any]:
        """Weights and their hash, for provenance."""
        return self._codec.describe()


def _token_slices(slices: Sequence[Slice]) -> list[TokenSlice]:
    return [TokenSlice(s.index, s.count, s.tokens, s.data) for s in slices]


def _coarse_index(tokens: Tokens) -> NDArray[np.int64]:
    """Index of each coarse block, -1 for split blocks: [h*w]."""
    index = np.full(tokens.grid[0] * tokens.grid[1], -1, np.int64)
    coarse = tokens.level == 0
    index[block_of(tokens)[coarse]] = tokens.index[coarse]
    return index


def _per_block(guess: Concealed, guesses: bool) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """State (0 hole, 1 concealed, 2 received) and mean confidence of each block, [h, w]."""
    block = block_of(guess.tokens)
    count = np.bincount(block)
    confidence = np.bincount(block, weights=guess.confidence) / count
    received = np.bincount(block, weights=guess.tokens.known) == count
    state = np.where(received, 2, 1 if guesses else 0).astype(np.uint8)
    return state.reshape(guess.tokens.grid), confidence.astype(np.float32).reshape(guess.tokens.grid)


def measure(squeeze_path: Path | None = None, flip: bool = False) -> Measure:
    """The quality columns of `codec.quality`; FLIP if wished, `squeeze` if its weights file is given.

    Raises:
        MediaError: If that file cannot be read, or FLIP is not installed.
    """
    if flip and not importlib.util.find_spec("flip_evaluator"):
        raise MediaError("output.flip", "needs the package flip-evaluator", True, "pip install flip-evaluator")
    names = (*QUICK, "flip") if flip else QUICK
    try:
        squeeze = None if squeeze_path is None else Squeeze(squeeze_path)
    except CodecError as error:
        raise MediaError(*error.args) from error

    def judge(reference: NDArray[np.uint8], shown: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
        columns = measure_quality(reference, shown, names)
        if squeeze is not None:
            with torch.inference_mode():
                pairs = zip(_planes(reference), _planes(shown), strict=True)
                columns["squeeze"] = np.array([float(squeeze(b[None], a[None])) for a, b in pairs])
        return columns

    return judge


def _planes(frames: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
