"""The VQ codec as a MediaCodec: the one module of the simulator that imports `codec`, and so torch."""

import importlib.util
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from codec.bitstream import TokenSlice
from codec.conceal import METHODS
from codec.conceal_own import is_path
from codec.config import BLOCK
from codec.errors import CodecError
from codec.interleave import partition
from codec.latents import Concealed, LatentMaps
from codec.model import Codec
from codec.perceptual import Squeeze
from codec.quality import QUICK
from codec.quality import measure as measure_quality
from codec.rate_path import ALL_COARSE
from codec.rate_request import Packing
from codec.refine import Refinement
from codec.tokens import Tokens, block_of
from simulator.errors import MediaError
from simulator.importance import block_costs, importances
from simulator.media import DecodedFrame, EncodedFrame, Slice

T = TypeVar("T")

BATCH = 16  # frames whose slices are read at once, and that a GPU takes; a CPU takes one a thread

Measure = Callable[[NDArray[np.uint8], NDArray[np.uint8]], dict[str, NDArray[np.float64]]]


class VqMedia:
    """Multi-granularity VQ tokens, range coded, concealed by the masked transformer.

    Args:
        bpp: Requested bits per pixel of the slices, from 0.012 to 0.6; or
        ratios: (fine, medium, coarse) shares of area. Default: all coarse.
        codebook: Coarse codewords, 8, 16, ... 1024 (default); `bpp` chooses them itself.
        entropy: "static", "uniform" or "context"; the last takes seconds a frame, and bytes below the rate asked for.
        weights: Folder of weights; default: those shipped.
        precision: "fp32", "bf16" for decoder and predictor, or "auto": bf16 where the device multiplies it.
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
        precision: str = "auto",
        device: str = "auto",
        codebook: int | None = None,
        refine: int | None = None,
        squeeze: str | None = None,
    ) -> None:
        if bpp is not None and codebook is not None:
            raise MediaError("codec.codebook", "bpp chooses the codebook itself", codebook, "Give one of the two")
        if bpp is not None and ratios is not None:
            raise MediaError("codec", "give bpp or ratios, not both", f"bpp={bpp}, ratios={ratios}")
        if ratios is not None and len(ratios) != 3:
            raise MediaError("codec.ratios", "three shares are needed: fine, medium, coarse", ratios)
        self._bpp, self._entropy, self._codebook = bpp, entropy, codebook
        self._ratios = ALL_COARSE if ratios is None else (ratios[0], ratios[1], ratios[2])
        if squeeze is not None and refine is None:
            raise MediaError("codec.squeeze", "goes with codec.refine", squeeze, "Add refine: 20")
        try:
            self._refinement = None
            if refine is not None:
                self._refinement = Refinement(refine, None if squeeze is None else Squeeze(Path(squeeze)))
            self._codec = Codec.load(None if weights is None else Path(weights), device, precision)
        except CodecError as error:
            raise MediaError(*error.args) from error
        on_cpu = self._codec.quantizer.codebook.device.type == "cpu"
        self._batch = 1 if on_cpu else BATCH
        remember_last(self._codec.decoder)
        remember_last(self._codec.concealer.predictor)

    def encode(
        self, frames: NDArray[np.uint8], slices: int, interleave: str, bpp: Sequence[float] | None = None
    ) -> list[EncodedFrame]:
        """Pictures uint8 [T, H, W, 3] to encoded frames; see `MediaCodec.encode`."""
        size = (frames.shape[1], frames.shape[2])

        packing = Packing(slices, interleave, self._entropy, file=False)

        def make(batch: Sequence[int]) -> list[tuple[Tokens, list[TokenSlice]]]:
            rates = self._bpp if bpp is None else [bpp[number] for number in batch]
            tokens = self._codec.encode_batch(
                frames[list(batch)], self._ratios, rates, self._codebook, packing, self._refinement
            )
            coded = self._codec.to_slices_batch(tokens, slices, interleave, self._entropy)
            return list(zip(tokens, coded, strict=True))

        try:
            coded = self._side_by_side(make, range(len(frames)))
        except CodecError as error:
            raise MediaError(*error.args) from error
        blocks = partition((-(-size[0] // BLOCK), -(-size[1] // BLOCK)), slices, interleave)
        return [
            EncodedFrame(_slices(parts, block_costs(frame).ravel(), blocks), len(t.level), size)
            for frame, (t, parts) in zip(frames, coded, strict=True)
        ]

    def decode(
        self, received: Sequence[Sequence[Slice]], size: tuple[int, int], concealment: str, temporal: bool
    ) -> list[DecodedFrame]:
        """Slices that arrived to pictures; see `MediaCodec.decode`."""
        if temporal:
            return self._decode_film(received, size, concealment)
        if concealment == "copy_previous":
            rule = "copy_previous looks at the frame before"
            raise MediaError("concealment.temporal", rule, False, "Set it to true")
        return self.decode_each(received, size, [concealment])[concealment]

    def decode_each(
        self, received: Sequence[Sequence[Slice]], size: tuple[int, int], methods: Sequence[str]
    ) -> dict[str, list[DecodedFrame]]:
        """The same frames by several methods, with one pass of a network for all that feed it the same.

        Frames pass in batches of one fixed size, so that none depends on how many there are.
        """
        for method in methods:
            if method not in METHODS and not is_path(method):
                raise MediaError("concealment.method", "unknown", method, f"Available: {', '.join(METHODS)}")

        def make(batch: Sequence[_Arrived]) -> list[dict[str, DecodedFrame]]:
            padded = [*batch, *[batch[-1]] * (self._batch - len(batch))]
            made = self._decode_batch(padded, size, methods)
            return [{method: made[method][row] for method in methods} for row in range(len(batch))]

        frames = self._side_by_side(make, self._arrived(received, size))
        return {method: [frame[method] for frame in frames] for method in methods}

    def _side_by_side(self, work: Callable[[Any], list[T]], items: Any) -> list[T]:
        """Work on items in batches of one size, on a CPU several batches at once with one thread each."""
        batches = [items[start : start + self._batch] for start in range(0, len(items), self._batch)]
        done = threads().map(work, batches) if self._batch == 1 else map(work, batches)
        return [made for part in done for made in part]

    def _decode_batch(
        self, arrived: Sequence["_Arrived"], size: tuple[int, int], methods: Sequence[str]
    ) -> dict[str, list[DecodedFrame]]:
        made: dict[str, list[DecodedFrame]] = {}
        for method in sorted(methods, key=_rank):  # neighbours in METHODS feed a network the same
            try:
                filled = self._codec.conceal([each.tokens for each in arrived], method)
            except CodecError as error:  # a method of the user's
                raise MediaError(*error.args) from error
            made[method] = self._pictures(filled, arrived, size, method)
        return made

    def _decode_film(
        self, received: Sequence[Sequence[Slice]], size: tuple[int, int], method: str
    ) -> list[DecodedFrame]:
        """Frames of one film, each looking back at the one before it."""
        arrived = self._arrived(received, size)
        try:
            filled = self._codec.conceal([each.tokens for each in arrived], method, temporal=True)
        except CodecError as error:
            raise MediaError(*error.args) from error

        def make(rows: Sequence[int]) -> list[DecodedFrame]:
            return self._pictures([filled[row] for row in rows], [arrived[row] for row in rows], size, method)

        return self._side_by_side(make, range(len(filled)))

    def _pictures(
        self, filled: Sequence[Concealed], arrived: Sequence["_Arrived"], size: tuple[int, int], method: str
    ) -> list[DecodedFrame]:
        guesses = method not in ("none", "zero")
        return [
            DecodedFrame(picture, *_per_block(guess, guesses), guess, got.corrupt, got.lost)
            for picture, guess, got in zip(self._codec.decode(filled, size), filled, arrived, strict=True)
        ]

    def _arrived(self, received: Sequence[Sequence[Slice]], size: tuple[int, int]) -> list["_Arrived"]:
        """What is left of each frame; many are read at once, each thread its own."""
        grid = (-(-size[0] // BLOCK), -(-size[1] // BLOCK))
        some = [received[start : start + BATCH] for start in range(0, len(received), BATCH)]
        return [one for part in threads().map(partial(self._arrived_together, grid=grid), some) for one in part]

    def _arrived_together(self, received: Sequence[Sequence[Slice]], grid: tuple[int, int]) -> list["_Arrived"]:
        found = self._codec.from_slices_batch(grid, [_token_slices(slices) for slices in received])
        arrived = []
        for slices, (tokens, corrupt) in zip(received, found, strict=True):
            left = self._without_erased(tokens, slices)
            arrived.append(_Arrived(left, corrupt, _tokens(slices) - int(left.known.sum())))
        return arrived

    def _without_erased(self, tokens: Tokens, slices: Sequence[Slice]) -> Tokens:
        """Tokens of slices with holes also where tokens were erased."""
        gone: list[int] = []
        for part in slices:
            if part.erased:  # alone, a slice shows which of all tokens are its own
                alone, _ = self._codec.from_slices(tokens.grid, _token_slices([part]))
                own = alone.start[alone.known]
                gone += own[list(part.erased)].tolist() if len(own) else []
        return replace(tokens, known=tokens.known & ~np.isin(tokens.start, gone)) if gone else tokens

    def count_correct(self, sent: EncodedFrame, decoded: DecodedFrame) -> int:
        """Of the missing tokens, those guessed exactly; see `MediaCodec.count_correct`."""
        guess: Concealed = decoded.guess
        holes = ~guess.tokens.known
        if not holes.any():
            return 0
        truth, _ = self._codec.from_slices(guess.tokens.grid, _token_slices(sent.slices))
        at = np.searchsorted(truth.start, guess.tokens.start[holes])  # where each hole begins, a token does
        right = truth.index[at] == guess.tokens.index[holes]
        return int((right & (truth.level[at] == guess.tokens.level[holes])).sum())

    def describe(self) -> dict[str, Any]:
        """Name, SHA-256 of the weights as `model_hash`, and the networks' sizes, for provenance."""
        told = self._codec.describe()
        return {"name": self.name, "model_hash": told.pop("sha256"), **told}


def _slices(
    parts: Sequence[TokenSlice], costs: NDArray[np.float64], blocks: Sequence[NDArray[np.int64]]
) -> tuple[Slice, ...]:
    """Slices as the network wants them; `costs` of all blocks, and which blocks each slice has."""
    important = importances([float(costs[own].sum()) for own in blocks])
    return tuple(
        Slice(part.index, part.count, part.tokens, part.data, importance=importance)
        for part, importance in zip(parts, important, strict=True)
    )


class _Arrived(NamedTuple):
    """What is left of a frame: its tokens, its damaged slices, the tokens that these or an erasure took."""

    tokens: Tokens
    corrupt: int
    lost: int


def _rank(method: str) -> int:
    return METHODS.index(method) if method in METHODS else len(METHODS)


def _tokens(slices: Sequence[Slice]) -> int:
    return sum(part.tokens for part in slices)


@lru_cache
def threads() -> ThreadPoolExecutor:
    """As many threads as torch would use, each of which uses one.

    The last bits of a sum depend on how many threads add it up. Frames side by side, each on one
    thread, give the same bits on any number of cores, and keep these busier than one frame can.
    """
    return ThreadPoolExecutor(torch.get_num_threads(), initializer=torch.set_num_threads, initargs=(1,))


def remember_last(network: torch.nn.Module) -> None:
    """Let a network answer a question that it was just asked from memory.

    `argmax` and `expected` ask the predictor for the same distribution, `none` and `zero` the decoder
    for the same picture.
    """
    ask = network.forward
    last = threading.local()  # each thread asks its own questions

    def forward(*inputs: Any) -> Any:
        tensors = _tensors(inputs)
        if not (hasattr(last, "asked") and _equal(tensors, last.asked)):
            last.asked, last.answer = tensors, ask(*inputs)
        return last.answer

    network.forward = forward


def _tensors(inputs: Any) -> list[torch.Tensor | None]:
    """All tensors of a network's arguments, in order."""
    if isinstance(inputs, LatentMaps):
        inputs = (inputs.code, inputs.present, inputs.confidence)
    if isinstance(inputs, (list, tuple)):
        return [tensor for part in inputs for tensor in _tensors(part)]
    return [inputs]


def _equal(some: list[torch.Tensor | None], others: list[torch.Tensor | None]) -> bool:
    pairs = zip(some, others, strict=True)
    return all(a is b or (a is not None and b is not None and torch.equal(a, b)) for a, b in pairs)


def _token_slices(slices: Sequence[Slice]) -> list[TokenSlice]:
    return [TokenSlice(s.index, s.count, s.tokens, s.data) for s in slices]


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

    def one(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
        columns = measure_quality(a[None], b[None], names)
        if squeeze is not None:
            with torch.inference_mode():
                columns["squeeze"] = np.array([float(squeeze(_planes(b[None]), _planes(a[None])))])
        return columns

    def judge(reference: NDArray[np.uint8], shown: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
        # One by one, so that no value depends on how many pictures, or threads, there are.
        each = list(threads().map(one, reference, shown))
        return {name: np.concatenate([values[name] for values in each]) for name in each[0]}

    return judge


def _planes(frames: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
