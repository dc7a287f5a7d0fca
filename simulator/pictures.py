"""A file of any kind of picture to 8-bit RGB, as people see it.

The codec has a reader of its own, since it must not know the simulator, nor the simulator without the
codec be without one; the tests hold the two to the same pixels.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from simulator.errors import SourceError

SIXTEEN_BITS = ("PNG", "PPM")  # formats whose whole numbers, in Pillow's mode I, go from 0 to 65535


def open_picture(path: Path) -> Image.Image:
    """Read a picture; rotation noted by cameras (EXIF) is applied, transparency is put on white, 16 bits are cut to 8.

    Of an animation or a file of many pages the first is taken.

    Returns:
        In Pillow's mode RGB, sRGB.

    Raises:
        SourceError: If the file is no picture, cut short, too large, or of floating-point or 32-bit
            numbers, of which nothing says which is white.
    """
    try:
        with Image.open(path) as stored:
            _check_white(stored, str(path))
            return _rgb(ImageOps.exif_transpose(stored))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SourceError(str(path), f"no readable picture ({error})") from error


def _check_white(image: Image.Image, where: str) -> None:
    if image.mode == "F" or (image.mode == "I" and image.format not in SIXTEEN_BITS):
        kind, values = "floating-point" if image.mode == "F" else "32-bit", "{:g} to {:g}".format(*image.getextrema())
        rule = f"holds {kind} numbers, and does not say which of them is white"
        raise SourceError(where, rule, values, "Scale it to 8 or 16 bits, and save it as PNG")


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, which Pillow keeps in 16 or 32
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB")
    return image.convert("RGB")
