"""What a user would pick instead: JPEG, JPEG 2000, WebP and AVIF, as this machine's Pillow has them.

    jpeg      quality 1 (libjpeg's lowest) upwards, Huffman tables fitted to the picture
    jpeg2000  OpenJPEG, 9/7 wavelet, bare codestream; its setting is the rate asked for
    webp      quality 0 (its lowest) upwards, slowest method
    avif      quality 0 (its lowest) upwards, speed 6

Each at the settings that make its smallest files. JPEG and WebP end at about 0.1 bits a pixel; to
shrink the picture first would go lower, but that is another codec and is not done here.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, features

from codec.evaluate_pictures import Picture

BITS_RAW = 24  # of one pixel before compression


@dataclass(frozen=True)
class Baseline:
    """A conventional codec.

    Attributes:
        format: Its name in Pillow.
        feature: What Pillow calls the library it needs.
        unit: What its setting is.
        options: Setting to Pillow's keyword arguments.
        settings: Settings that cover its range; empty means the rates asked for.
    """

    format: str
    feature: str
    unit: str
    options: Callable[[float], dict[str, Any]]
    settings: tuple[float, ...] = ()


BASELINES = {
    "jpeg": Baseline(
        "JPEG", "jpg", "quality", lambda q: {"quality": int(q), "optimize": True}, (1, 4, 8, 15, 30)
    ),
    "jpeg2000": Baseline(
        "JPEG2000", "jpg_2000", "bpp",
        lambda bpp: {
            "quality_mode": "rates", "quality_layers": [BITS_RAW / bpp], "irreversible": True, "no_jp2": True,
        },
    ),
    "webp": Baseline("WEBP", "webp", "quality", lambda q: {"quality": int(q), "method": 6}, (0, 1, 4, 10, 25)),
    "avif": Baseline("AVIF", "avif", "quality", lambda q: {"quality": int(q), "speed": 6}, (0, 5, 10, 20, 35)),
}  # fmt: skip


def available(name: str) -> bool:
    """Whether this Pillow was built with the library of a baseline."""
    return bool(features.check(BASELINES[name].feature))


def settings_of(name: str, rates: Sequence[float]) -> tuple[float, ...]:
    """The settings to try: a baseline's own, or for one that takes rates those asked for."""
    return BASELINES[name].settings or tuple(rates)


def encode(name: str, picture: Picture, setting: float) -> bytes:
    """A picture uint8 [H, W, 3] to the bytes of a whole file."""
    baseline, buffer = BASELINES[name], io.BytesIO()
    Image.fromarray(picture).save(buffer, baseline.format, **baseline.options(setting))
    return buffer.getvalue()


def decode(data: bytes) -> Picture:
    """The bytes of a file to a picture uint8 [H, W, 3]."""
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGB"))
