"""Images: files of any kind <-> uint8 [H, W, 3], and padding to whole blocks."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from codec.config import BLOCK
from codec.errors import ImageError
from codec.files import write_atomically

SIXTEEN_BITS = ("PNG", "PPM")  # formats whose whole numbers, in Pillow's mode I, go from 0 to 65535


def open_image(path: Path) -> NDArray[np.uint8]:
    """Read a PNG, JPEG, WebP or any other picture Pillow knows, as people see it.

    Rotation noted by cameras (EXIF) is applied, transparency is put on white, 16 bits are cut to 8,
    of an animation or a file of many pages the first is taken. Floating-point and 32-bit pictures are
    refused: nothing in them says which number is white.

    Returns:
        uint8 [H, W, 3], sRGB.

    Raises:
        ImageError: If the file is missing, no picture, cut short, too large, of numbers without a white, or smaller
            than 16x16.
    """
    try:
        with Image.open(path) as image:
            _check_white(image, str(path))
            picture = np.array(_rgb(ImageOps.exif_transpose(image)))
    except FileNotFoundError as error:
        raise ImageError(str(path), "no such file", "", "Check the path") from error
    except IsADirectoryError as error:
        raise ImageError(str(path), "is a folder", "", "Name a picture inside it") from error
    except UnidentifiedImageError as error:
        raise ImageError(str(path), "is no picture of a known kind", "", "Convert it to PNG") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(str(path), f"is too large ({error})", "", "Cut it into parts") from error
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's words for damage: each format has its own
        raise ImageError(str(path), f"cannot be read ({error})", "", "It may be cut short or damaged") from error
    check_size((picture.shape[0], picture.shape[1]), str(path))
    return picture


def check_size(size: tuple[int, int], where: str) -> None:
    """A picture has at least 16x16 pixels.

    Raises:
        ImageError: If (H, W) is smaller.
    """
    if min(size) < BLOCK:
        got = f"{size[1]}x{size[0]}"
        raise ImageError(where, f"must have at least {BLOCK}x{BLOCK} pixels", got, "Enlarge it or take another")


def _check_white(image: Image.Image, where: str) -> None:
    if image.mode == "F" or (image.mode == "I" and image.format not in SIXTEEN_BITS):
        kind, values = "floating-point" if image.mode == "F" else "32-bit", "{:g} to {:g}".format(*image.getextrema())
        rule = f"holds {kind} numbers, and does not say which of them is white"
        raise ImageError(where, rule, values, "Scale it to 8 or 16 bits, and save it as PNG")


def _rgb(image: Image.Image) -> Image.Image:
    """Any mode of Pillow to RGB."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow keeps in 16 or 32
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB")
    return image.convert("RGB")


def save_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write uint8 [H, W, 3], or [H, W] in grey, as PNG, whole or not at all.

    Raises:
        RequestError: If the file cannot be written.
    """
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    write_atomically(path, buffer.getvalue())


def pad_to_blocks(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row and column until both sides are multiples of 16.

    Args:
        pictures: uint8 [..., H, W, 3].

    Returns:
        uint8 [..., 16h, 16w, 3]; the same array if nothing is missing.
    """
    missing = [-side % BLOCK for side in pictures.shape[-3:-1]]
    if not any(missing):
        return pictures
    return np.pad(pictures, [(0, 0)] * (pictures.ndim - 3) + [(0, m) for m in missing] + [(0, 0)], mode="edge")


def crop(pictures: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """The top-left (H, W) pixels of [..., 16h, 16w, 3]; undoes `pad_to_blocks`."""
    return pictures[..., : size[0], : size[1], :]
