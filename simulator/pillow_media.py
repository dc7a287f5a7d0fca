"""JPEG, JPEG 2000, WebP and AVIF as MediaCodecs: every frame a still picture of its own.

A WebP, AVIF or JPEG 2000 frame is one file; its decoders give nothing for a part of it, so one lost
packet costs the frame. A receiver of such a stream (they are not used for calls, but for remote
desktops and cameras) shows the last frame it has: `copy_previous`. JPEG slices: jpeg_media.py.

The rate is met by search: the highest quality whose frame is no larger than asked for; the codec's
lowest where even that is larger, as a real encoder would do. The tables have the true bytes.
"""

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from simulator import fragments
from simulator.blocks import BLOCK, HOLE
from simulator.errors import MediaError
from simulator.media import DecodedFrame, EncodedFrame, Slice

METHODS = ("none", "copy_previous")
DEFAULT_BPP = 0.2
CLOSE = 0.97  # of the bytes asked for: near enough to end the search
BITS_RAW = 24  # of one pixel

Slices = tuple[Slice, ...]


class StillCodec(ABC):
    """What the still-picture codecs share: options, search for the rate, counting.

    Args:
        bpp: Bits per pixel of payload, slice headers included; or
        quality: Pillow's quality, the same for all frames. Default: 0.2 bpp.

    Raises:
        MediaError: If both are given, one is out of range, or this Pillow lacks the codec.
    """

    name: str
    feature: str  # what Pillow calls the library
    qualities: tuple[int, int]

    def __init__(self, bpp: float | None = None, quality: int | None = None) -> None:
        if not features.check(self.feature):
            raise MediaError("codec.name", "this Pillow was built without it", self.name, "pip install -U pillow")
        if bpp is not None and quality is not None:
            raise MediaError("codec", "give bpp or quality, not both", f"bpp={bpp}, quality={quality}")
        self._bpp, self._quality = check_bpp(DEFAULT_BPP if bpp is None else bpp), quality
        low, high = self.qualities
        if quality is not None and not (isinstance(quality, int) and low <= quality <= high):
            raise MediaError("codec.quality", f"{self.name} has whole qualities from {low} to {high}", quality)

    def encode(
        self, frames: NDArray[np.uint8], slices: int, interleave: str, bpp: Sequence[float] | None = None
    ) -> list[EncodedFrame]:
        """Pictures uint8 [T, H, W, 3] to encoded frames; `interleave` is raster, whatever is asked.

        Args:
            frames: The pictures.
            slices: See the codec.
            interleave: Not used: these bitstreams run in raster order.
            bpp: A rate for each frame, in place of the codec's own.

        Raises:
            MediaError: If a frame does not fit its packets.
        """
        rates = [None] * len(frames) if bpp is None else bpp
        size = (frames.shape[1], frames.shape[2])
        blocks = blocks_of(size)
        made = (self._search(frame, slices, rate) for frame, rate in zip(frames, rates, strict=True))
        return [EncodedFrame(parts, blocks[0] * blocks[1], size) for parts in made]

    def _search(self, frame: NDArray[np.uint8], slices: int, bpp: float | None) -> Slices:
        if bpp is None and self._quality is not None:
            return self.compress(frame, slices, self._quality)
        budget_bytes = check_bpp(self._bpp if bpp is None else bpp) * frame.shape[0] * frame.shape[1] / 8
        return highest_within(lambda quality: self.compress(frame, slices, quality), self.qualities, budget_bytes)

    @abstractmethod
    def compress(self, frame: NDArray[np.uint8], slices: int, quality: int) -> Slices:
        """One picture uint8 [H, W, 3] at one quality."""

    def count_correct(self, sent: EncodedFrame, decoded: DecodedFrame) -> int:
        """No token is guessed here: 0."""
        return 0

    def describe(self) -> dict[str, Any]:
        """Name and library, for provenance."""
        return {"name": self.name, "library": features.version(self.feature), "model_hash": None}


class WholeCodec(StillCodec):
    """A still codec whose frames decode whole or not at all."""

    format: str

    @abstractmethod
    def options(self, quality: int) -> dict[str, Any]:
        """Pillow's keyword arguments at a quality."""

    def compress(self, frame: NDArray[np.uint8], slices: int, quality: int) -> Slices:
        """One picture uint8 [H, W, 3] to as few packets as it takes; `slices` is not used."""
        rows, cols = blocks_of(frame.shape)
        return fragments.cut(save(frame, self.format, **self.options(quality)), rows * cols)

    def decode(
        self, received: Sequence[Sequence[Slice]], size: tuple[int, int], concealment: str, temporal: bool
    ) -> list[DecodedFrame]:
        """Slices that arrived to pictures; a frame of which a part is missing is grey, or the one before.

        Raises:
            MediaError: If the method is unknown, or looks back without `temporal`.
        """
        check_method(self.name, concealment, temporal)
        screen, decoded = grey(size), []
        for slices in received:
            joined = fragments.join(slices)
            if joined.data is not None:
                screen = read(joined.data)
            elif concealment == "none":
                screen = grey(size)
            decoded.append(whole_frame(screen, joined.data is not None, concealment, slices, joined.corrupt))
        return decoded


class WebpMedia(WholeCodec):
    """WebP, lossy (VP8), libwebp's default effort."""

    name, feature, format, qualities = "webp", "webp", "WEBP", (0, 100)

    def options(self, quality: int) -> dict[str, Any]:
        """Pillow's keyword arguments."""
        return {"quality": quality, "method": 4}


class AvifMedia(WholeCodec):
    """AVIF (AV1 still picture) at speed 8: about 40 ms for 256x256, and a search takes seven."""

    name, feature, format, qualities = "avif", "avif", "AVIF", (0, 100)

    def options(self, quality: int) -> dict[str, Any]:
        """Pillow's keyword arguments."""
        return {"quality": quality, "speed": 8, "max_threads": 1}


class Jpeg2000Media(WholeCodec):
    """JPEG 2000, 9/7 wavelet, bare codestream; its quality is the rate in 1/200 of a bit a pixel."""

    name, feature, format, qualities = "jpeg2000", "jpg_2000", "JPEG2000", (1, 1600)

    def options(self, quality: int) -> dict[str, Any]:
        """Pillow's keyword arguments."""
        layers = [BITS_RAW * 200 / quality]
        return {"quality_mode": "rates", "quality_layers": layers, "irreversible": True, "no_jp2": True}


def highest_within(make: Callable[[int], Slices], qualities: tuple[int, int], budget_bytes: float) -> Slices:
    """What the highest quality makes whose slices fit the budget; the lowest quality if none does.

    A bisection: sizes are taken to grow with quality, which they do but for a few bytes.
    """
    low, high = qualities
    best = make(low)
    low += 1
    while low <= high and sum(len(part.data) for part in best) < CLOSE * budget_bytes:
        middle = (low + high) // 2
        made = make(middle)
        if sum(len(part.data) for part in made) <= budget_bytes:
            best, low = made, middle + 1
        else:
            high = middle - 1
    return best


def check_bpp(bpp: float) -> float:
    """A rate of more than 0 bits a pixel.

    Raises:
        MediaError: If it is none.
    """
    if isinstance(bpp, bool) or not isinstance(bpp, (int, float)) or not 0 < bpp <= BITS_RAW:
        raise MediaError("codec.bpp", f"must be a number above 0 and at most {BITS_RAW} bits per pixel", bpp)
    return float(bpp)


def check_method(codec: str, concealment: str, temporal: bool) -> None:
    """One of METHODS; the one that looks back needs `temporal`, so that whole streams are decoded.

    Raises:
        MediaError: If not.
    """
    if concealment not in METHODS:
        rule = f"codec {codec} has {' and '.join(METHODS)}"
        raise MediaError("concealment.method", rule, concealment, "auto takes the codec's best")
    if concealment == "copy_previous" and not temporal:
        rule = "copy_previous looks at the frame before"
        raise MediaError("concealment.temporal", rule, temporal, "Set it to true, or the method to auto")


def save(frame: NDArray[np.uint8], kind: str, **options: Any) -> bytes:
    """A picture uint8 [H, W, 3] to the bytes of a file."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, kind, **options)
    return buffer.getvalue()


def read(data: bytes) -> NDArray[np.uint8]:
    """The bytes of a file to a picture uint8 [H, W, 3]."""
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGB"))


def blocks_of(shape: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of 16x16 blocks of a picture (H, W, ...)."""
    return -(-shape[0] // BLOCK), -(-shape[1] // BLOCK)


def grey(size: tuple[int, int]) -> NDArray[np.uint8]:
    """What is seen where nothing is known, uint8 [H, W, 3]."""
    return np.full((*size, 3), HOLE, np.uint8)


def whole_frame(
    picture: NDArray[np.uint8], good: bool, concealment: str, slices: Sequence[Slice], corrupt: int
) -> DecodedFrame:
    """A frame that was decoded, or could not be: then nothing that arrived of it was of use."""
    blocks = blocks_of(picture.shape)
    state = np.full(blocks, 2 if good else int(concealment != "none"), np.uint8)
    lost = 0 if good else sum(part.tokens for part in slices)
    return DecodedFrame(picture, state, np.full(blocks, float(good), np.float32), None, corrupt, lost)
