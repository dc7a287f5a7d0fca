"""Photographs -> batches of crops. A batch is a pure function of (seed, step), so runs resume exactly."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from codec.errors import ImageError

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}


def load_photographs(folder: Path, min_side: int) -> list[NDArray[np.uint8]]:
    """All pictures below a folder whose short side is at least `min_side`.

    Returns:
        uint8 [H, W, 3] each, in the order of their paths.

    Raises:
        ImageError: If there is none.
    """
    photographs = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        try:
            with Image.open(path) as image:
                photograph = np.asarray(image.convert("RGB"))
        except (OSError, UnidentifiedImageError) as error:
            raise ImageError(str(path), f"cannot be read ({error})", "", "Remove it") from error
        if min(photograph.shape[:2]) >= min_side:
            photographs.append(photograph)
    if not photographs:
        raise ImageError(str(folder), f"no PNG, JPEG or WebP of at least {min_side} pixels a side")
    return photographs


def random_crop(photograph: NDArray[np.uint8], size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A square crop at scale 0.5 to 1, flipped half of the time: uint8 [size, size, 3]."""
    height, width = photograph.shape[:2]
    side = min(round(size * rng.uniform(1.0, 2.0)), height, width)
    y, x = rng.integers(height - side + 1), rng.integers(width - side + 1)
    crop = photograph[y : y + side, x : x + side]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    image = Image.fromarray(np.ascontiguousarray(crop))
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))


def painted(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A box or a bar of one colour over a crop: bars, titles and screens have colours that no photograph has."""
    size = len(crop)
    top, bottom, left, right = np.sort(rng.integers(size + 1, size=(2, 2)), axis=1).ravel().tolist()
    if rng.random() < 0.5:
        left, right = 0, size
    grey = (0, 255, int(rng.integers(256)))[rng.integers(3)]
    shown = crop.copy()
    shown[top:bottom, left:right] = rng.integers(256, size=3) if rng.random() < 0.6 else grey
    return shown


def batch(
    photographs: list[NDArray[np.uint8]], size: int, count: int, seed: int, step: int, painted_share: float = 0.0
) -> tuple[NDArray[np.uint8], np.random.Generator]:
    """Crops uint8 [count, size, size, 3] of one step, and the generator for its other draws.

    Args:
        photographs: Where they come from.
        size: Side of a crop in pixels.
        count: Number of crops.
        seed: With the step it decides all.
        step: Number of the step.
        painted_share: Share of the crops that are painted over in part.
    """
    rng = np.random.default_rng((seed, step))
    chosen = rng.integers(len(photographs), size=count)
    crops = [random_crop(photographs[i], size, rng) for i in chosen]
    return np.stack([painted(crop, rng) if rng.random() < painted_share else crop for crop in crops]), rng
