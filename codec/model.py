"""Codec: the main path of the codec in one file.

frame --encode--> Tokens --to_slices--> slices ~~~ --from_slices--> Tokens with holes
                                                                        |
picture <--decode-- Concealed (all filled, with confidence) <--conceal--+

>>> codec = Codec.load()                                              # doctest: +SKIP
>>> tokens = codec.encode(frame)                                      # doctest: +SKIP
>>> received, corrupt = codec.from_slices(tokens.grid, codec.to_slices(tokens, 4)[:3])  # doctest: +SKIP
>>> picture = codec.decode(codec.conceal([received], "expected"), size=(256, 256))  # doctest: +SKIP
"""

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec import checkpoint
from codec.bitstream import TokenSlice, assemble_pictures, encode_pictures
from codec.codebook import CODEWORDS, HISTOGRAM, SubCodebook, smaller_sizes, split_books, with_coarse_books
from codec.conceal import Concealer, frame_after_frame
from codec.conceal_own import conceal_by_path, is_path
from codec.config import BLOCK, CodecConfig
from codec.context_model import ContextModel
from codec.decoder import Decoder
from codec.device import choose_device, to_tensor
from codec.encoder import Encoder
from codec.entropy import CONTEXT
from codec.errors import CheckpointError, RequestError
from codec.granularity import allocate
from codec.images import crop, pad_to_blocks
from codec.index_maps import IndexMaps
from codec.latents import Concealed, latent_maps
from codec.layers import channels_last, freeze
from codec.neighbour_tables import NAMES, NeighbourTables, NeighbourWeights
from codec.precision import choose_precision, lower
from codec.predictor import Predictor
from codec.quantizer import Quantizer
from codec.rate import allocate_for_bpp
from codec.rate_path import ALL_COARSE
from codec.rate_request import FILE, Allocation, Packing
from codec.refine import Refinement, Refiner
from codec.surprise import missing_bits
from codec.tables import Tables
from codec.tokens import Books, Tokens, positions

WEIGHTS = Path(__file__).parent / "weights"
PIXELS_AT_ONCE = 1 << 20  # frames of one batch together: bounds memory, and 2 cores gain nothing above

Item = TypeVar("Item")


def _batches(items: Sequence[Item], pixels_each: int) -> Iterator[Sequence[Item]]:
    size = max(1, PIXELS_AT_ONCE // pixels_each)
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Codec:
    """Tokenizer and predictor with their probability tables, ready to use.

    Args:
        config: Sizes of the networks.
        tokenizer: fp32 state dict of encoder, quantizer and decoder, the int32 `histogram`, and the smaller
            coarse codebooks (`codebook.with_coarse_books`).
        predictor: fp32 state dict of the masked transformer.
        sha: SHA-256 of the tokenizer's weights; its first bytes travel with every slice.
        source: Where the weights come from, for messages.
        device: "cpu", "cuda", or "auto": CUDA where there is one.
        precision: "fp32", "bf16" for what only paints, or "auto": bf16 where the device multiplies it.

    Attributes:
        predictor: In fp32, as a probability model needs it; what fills holes is a copy in `precision`.
    """

    def __init__(
        self,
        config: CodecConfig,
        tokenizer: dict[str, Tensor],
        predictor: dict[str, Tensor],
        sha: bytes,
        source: Path,
        device: str = "cpu",
        precision: str = "fp32",
    ) -> None:
        self.config, self.hash, self.source = config, sha, source
        self.encoder, self.quantizer = Encoder(config), Quantizer(config)
        self.decoder, self.predictor = Decoder(config), Predictor(config)
        tensors = dict(tokenizer)
        codewords, counts = tensors.pop(CODEWORDS), tensors.pop(HISTOGRAM)
        by_neighbours = neighbour_tables(tensors, config.codes)
        self.tables = Tables.from_counts(tensors.pop("histogram").numpy(), counts.numpy(), by_neighbours)
        whole = torch.nn.ModuleDict({"encoder": self.encoder, "quantizer": self.quantizer, "decoder": self.decoder})
        checkpoint.fill(whole, tensors, source)
        checkpoint.fill(self.predictor, predictor, source)
        where = choose_device(device)
        self.precision = choose_precision(precision, where)
        for network in (*whole.values(), self.predictor):
            network.requires_grad_(False).eval().to(where)
        channels_last(whole)
        lower(self.decoder, self.precision)
        freeze(whole)
        self.coarse_books = self._books(codewords)
        guessing = self.predictor if self.precision == "fp32" else copy.deepcopy(self.predictor)
        lower(guessing.layers, self.precision)
        lower(guessing.before, self.precision)
        keys = [guessing.keys(codewords) for codewords in self.quantizer.codebook]
        self.concealer = Concealer(guessing, self.quantizer.codebook, self.coarse_books, keys)
        self._context = ContextModel(self.predictor, self.quantizer.codebook, self.coarse_books, self.tables)

    def _books(self, codewords: Tensor) -> tuple[SubCodebook, ...]:
        """The smaller coarse codebooks, which must be as many as the tables know."""
        codebook = self.quantizer.codebook[0]
        sizes = smaller_sizes(len(codebook))
        if len(codewords) != sum(sizes) or [len(row) for row in self.tables.coarse] != sizes:
            raise CheckpointError(str(self.source), f"coarse codebooks of {sizes} are needed", len(codewords))
        return split_books(codebook, codewords.to(codebook.device))

    @classmethod
    def load(cls, folder: Path | None = None, device: str = "cpu", precision: str = "auto") -> "Codec":
        """Read `tokenizer.safetensors` and `predictor.safetensors` of a folder (default: those shipped).

        Raises:
            CheckpointError: If a file is missing, damaged, or of another version.
            RequestError: If the device is not to be had, or there is no such precision.
        """
        folder = WEIGHTS if folder is None else folder
        config, stored, sha = checkpoint.load(folder / "tokenizer.safetensors", "tokenizer")
        tokenizer = with_coarse_books(stored)
        if tokenizer is not stored:  # derived codebooks decode streams too, so they belong to the hash
            sha = checkpoint.digest(checkpoint.packed(tokenizer))
        _, predictor, _ = checkpoint.load(folder / "predictor.safetensors", "predictor")
        return cls(config, tokenizer, predictor, sha, folder, device, precision)

    @torch.inference_mode()
    def encode_batch(
        self,
        frames: NDArray[np.uint8],
        ratios: tuple[float, float, float] = ALL_COARSE,
        bpp: float | Sequence[float] | None = None,
        codes: int | None = None,
        packing: Packing = FILE,
        refinement: Refinement | None = None,
    ) -> list[Tokens]:
        """Frames to tokens.

        Args:
            frames: uint8 [T, H, W, 3], sides of at least 16; padded by edge replication inside.
            ratios: (fine, medium, coarse) shares of area.
            bpp: Requested bits per pixel, of all frames or of each; takes the place of `ratios` and `codes`.
            codes: Codewords of the coarse codebook: 8, 16, ... K; default K.
            packing: How the tokens will be sent, which decides what a `bpp` buys.
            refinement: Seek tokens that make a better picture; see `codec.refine`. Default: take the nearest.

        Raises:
            RequestError: If the ratios are no shares, there is no such codebook, or the rate cannot be had.
        """
        rates = [bpp] * len(frames) if bpp is None or isinstance(bpp, int | float) else list(bpp)
        if len(rates) != len(frames):
            raise RequestError("bpp", f"one rate, or one for each of {len(frames)} frames", len(rates))
        books, pixels = self._books_of(codes), frames.shape[1] * frames.shape[2]
        padded = pad_to_blocks(frames)
        tokens: list[Tokens] = []
        refiner = None if refinement is None else Refiner(self.decoder, self.quantizer, self.coarse_books, refinement)
        for part in _batches(list(zip(padded, rates, strict=True)), padded.shape[1] * padded.shape[2]):
            x = to_tensor(np.stack([frame for frame, _ in part]), self.quantizer.codebook.device)
            features = [z.float() for z in self.encoder(x)]
            for row, (frame, rate) in enumerate(part):
                wish = Wish(frame, rate, pixels, ratios, books, packing)
                seen = [z[row] for z in features]
                maps = IndexMaps(seen, self.quantizer, self.coarse_books)
                choice = self._choose(maps, wish)
                tokens.append(maps.tokens(choice))
                if refiner is not None:
                    found = refiner.refine(x[row], seen, choice)
                    sought = self._rechosen(IndexMaps(found, self.quantizer, self.coarse_books), wish)
                    tokens[-1] = self._better(refiner, x[row : row + 1], [tokens[-1], *sought])
        return tokens

    def _choose(self, maps: IndexMaps, wish: "Wish") -> Allocation:
        if wish.bpp is None:
            return Allocation(allocate(wish.frame, wish.ratios), wish.books)
        return allocate_for_bpp(wish.bpp, wish.pixels, maps.candidates(wish.frame), wish.packing, self.tables)

    def _rechosen(self, found: IndexMaps, wish: "Wish") -> list[Tokens]:
        """The tokens found, which take other sizes; none where the least rate is out of their reach."""
        try:
            return [found.tokens(self._choose(found, wish))]
        except RequestError:
            return []

    def _better(self, refiner: Refiner, x: Tensor, ways: Sequence[Tokens]) -> Tokens:
        """Those tokens of a picture [1, 3, H, W] that are shown best: dearer ones can have lost by their size."""
        coarse = not any(tokens.level.any() for tokens in ways)
        latents = [latent_maps(self.concealer.fill([tokens], "zero"), self.config.code_dim) for tokens in ways]
        losses = [float(refiner.loss(self.decoder(maps.to(x.device)).float(), x, coarse)) for maps in latents]
        return ways[int(np.argmin(losses))]

    def _books_of(self, codes: int | None) -> Books:
        sizes = [self.config.codes, *(len(book.codewords) for book in self.coarse_books)]
        if codes is not None and codes not in sizes:
            known = ", ".join(str(size) for size in reversed(sizes))
            raise RequestError("codebook", "no such codebook", codes, f"Available: {known}")
        return Books() if codes is None else Books(sizes.index(codes))

    def encode(
        self,
        frame: NDArray[np.uint8],
        ratios: tuple[float, float, float] = ALL_COARSE,
        bpp: float | None = None,
        codes: int | None = None,
        packing: Packing = FILE,
        refinement: Refinement | None = None,
    ) -> Tokens:
        """One frame uint8 [H, W, 3] to tokens; see `encode_batch`."""
        return self.encode_batch(frame[None], ratios, bpp, codes, packing, refinement)[0]

    def to_slices(
        self,
        tokens: Tokens,
        count: int = 1,
        interleave: str = "low_discrepancy",
        entropy_model: str = "static",
    ) -> list[TokenSlice]:
        """Tokens to `count` slices of bytes, each decodable alone; see `to_slices_batch`."""
        return self.to_slices_batch([tokens], count, interleave, entropy_model)[0]

    def to_slices_batch(
        self,
        pictures: Sequence[Tokens],
        count: int = 1,
        interleave: str = "low_discrepancy",
        entropy_model: str = "static",
    ) -> list[list[TokenSlice]]:
        """Tokens of pictures of one size to `count` slices of bytes each, each decodable alone.

        With the model `context`, should it not pay, the slices say `static`: so none of the sizes that were
        counted for `static` is exceeded (codec/rate.py).

        Args:
            pictures: All known.
            count: 1 to 255, at most one for each block.
            interleave: One of `interleave.METHODS`.
            entropy_model: One of `entropy.MODELS`.

        Raises:
            RequestError: If one of these is none.
        """
        models = ("static", CONTEXT) if entropy_model == CONTEXT else (entropy_model,)
        ways = [
            encode_pictures(pictures, count, interleave, name, self.tables, self.hash, self._context) for name in models
        ]
        return [
            min(way, key=lambda slices: sum(len(piece.data) for piece in slices)) for way in zip(*ways, strict=True)
        ]

    def from_slices(self, grid: tuple[int, int], slices: Sequence[TokenSlice]) -> tuple[Tokens, int]:
        """The slices that arrived to tokens with holes, and the number of slices found damaged."""
        return self.from_slices_batch(grid, [slices])[0]

    def from_slices_batch(
        self, grid: tuple[int, int], pictures: Sequence[Sequence[TokenSlice]]
    ) -> list[tuple[Tokens, int]]:
        """The same for pictures of one size."""
        return assemble_pictures(grid, pictures, self.tables, self.hash, self._context)

    def conceal(self, tokens: Sequence[Tokens], method: str = "expected", temporal: bool = False) -> list[Concealed]:
        """Fill holes.

        Args:
            tokens: Pictures with holes.
            method: See `codec.conceal`, and `codec.conceal_own` for methods of your own.
            temporal: They are the frames of one film, in display order, and each looks back at the one before.

        Raises:
            RequestError: If the method is unknown.
        """
        if temporal:
            return self.conceal_films([tokens], method)[0]
        if is_path(method):
            return self._conceal_by_path(tokens, method=method)
        pixels = max((t.grid[0] * t.grid[1] * BLOCK**2 for t in tokens), default=1)
        return [filled for part in _batches(tokens, pixels) for filled in self.concealer.fill(part, method)]

    def conceal_films(self, films: Sequence[Sequence[Tokens]], method: str = "expected") -> list[list[Concealed]]:
        """Fill the holes of several films of one length, frame after frame, the films side by side."""
        fill = self._conceal_by_path if is_path(method) else self.concealer.fill
        return frame_after_frame(films, lambda frames, before: fill(frames, before=before, method=method))

    def _conceal_by_path(
        self, tokens: Sequence[Tokens], *, method: str, before: Sequence[Concealed | None] = ()
    ) -> list[Concealed]:
        received = self.conceal(tokens, "zero")
        return conceal_by_path(received, before, self.quantizer.codebook.cpu(), self.coarse_books, method)

    def missing_bits(
        self, received: Sequence[Tokens], sent: Sequence[Tokens], before: Sequence[Concealed | None] = ()
    ) -> list[NDArray[np.float64]]:
        """Surprise of each lost token under the distribution that fills it, in bits; see `codec.surprise`.

        Args:
            received: Pictures of one grid, with holes.
            sent: The same without.
            before: The frame before each, concealed; None (or none at all) where there is none.
        """
        before = before or [None] * len(received)
        rows = list(zip(received, sent, before, strict=True))
        pixels = max((t.grid[0] * t.grid[1] * BLOCK**2 for t in received), default=1)
        return [
            bits for part in _batches(rows, pixels) for bits in missing_bits(self.concealer, *zip(*part, strict=True))
        ]

    def complete(self, tokens: Tokens) -> tuple[Tokens, NDArray[np.float32]]:
        """Masked image model: tokens with some unknown to tokens with a guess for each.

        One parallel step of the masked transformer, as a MaskGIT-like model takes it; a schedule that
        keeps the surest guesses and asks again is a loop around it:

            tokens, confidence = codec.complete(tokens)
            sure = tokens.known | (confidence >= np.quantile(confidence[~tokens.known], 0.75))
            tokens, confidence = codec.complete(dataclasses.replace(tokens, known=sure))

        Args:
            tokens: `known` False where a guess is wanted; a guess never replaces a known token.

        Returns:
            The tokens, `index` of each unknown one the most probable codeword, `known` as it was; and
            the confidence float32 [N]: expected cosine between guess and truth, 1 where known.
        """
        filled = self.conceal([tokens], "argmax")[0]
        return filled.tokens, filled.confidence

    @torch.inference_mode()
    def decode(self, concealed: Sequence[Concealed], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Filled tokens, all of one grid, to pictures.

        Args:
            concealed: From `conceal`.
            size: (H, W) of the pictures before padding.

        Returns:
            uint8 [T, H, W, 3].
        """
        pictures = []
        for part in _batches(concealed, size[0] * size[1]):
            y = self.decoder(latent_maps(part, self.config.code_dim).to(self.quantizer.codebook.device))
            pixels = y.add(1).mul_(127.5).round_().clamp_(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
            for picture, filled in zip(pixels, part, strict=True):
                pictures.append(_grey_holes(picture, filled) if filled.grey else picture)
        return crop(np.stack(pictures), size)

    def describe(self) -> dict[str, Any]:
        """What identifies these weights in a table or a log, and how they are multiplied."""
        weights = {"weights": self.source.name, "sha256": self.hash.hex(), "precision": self.precision}
        return {**weights, **self.config.to_dict()}


class Wish(NamedTuple):
    """What is asked of one frame; see `Codec.encode_batch`.

    Attributes:
        frame: uint8 [H, W, 3], padded to whole blocks.
        bpp: Of `pixels` before padding; None takes ratios and books.
    """

    frame: NDArray[np.uint8]
    bpp: float | None
    pixels: int
    ratios: tuple[float, float, float]
    books: Books
    packing: Packing


def neighbour_tables(tensors: dict[str, Tensor], codes: int) -> NeighbourTables | None:
    """Take the tables by neighbours out of the tensors of a tokenizer; None if it was exported without them."""
    if NAMES[0] not in tensors:
        return None
    missing = [name for name in NAMES if name not in tensors]
    if missing:
        raise CheckpointError(missing[0], "tables by neighbours come together", "", "Export the weights again")
    weights = NeighbourWeights(*(tensors.pop(name).numpy() for name in NAMES))
    return NeighbourTables(weights, codes, smaller_sizes(codes))


def _grey_holes(picture: NDArray[np.uint8], filled: Concealed) -> NDArray[np.uint8]:
    """Paint the lost blocks mid-grey: what a receiver without concealment has."""
    holes = np.flatnonzero(~filled.tokens.known)
    rows, cols = positions(filled.tokens)[holes].astype(np.intp).T
    shown = picture.copy()
    grid = shown.reshape(picture.shape[0] // BLOCK, BLOCK, picture.shape[1] // BLOCK, BLOCK, 3)
    grid[rows, :, cols] = 128
    return shown
