"""What every evaluation shares: the pictures of a folder, and a judge of pictures."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from codec.errors import ImageError
from codec.images import open_image
from codec.perceptual import Squeeze
from codec.quality import measure
from codec.vqs import read_vqs

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
METRICS = ("psnr_db", "ssim", "ms_ssim", "squeeze")  # columns a judge may give, in this order
LOWER_IS_BETTER = ("squeeze",)

Picture = NDArray[np.uint8]  # [H, W, 3]
Row = dict[str, object]  # of a table


def picture_files(folder: Path) -> list[Path]:
    """PNG, JPEG and WebP files right in a folder, by name.

    Raises:
        ImageError: If there is none, or no such folder.
    """
    if not folder.is_dir():
        rule = "is no folder" if folder.exists() else "no such folder"
        raise ImageError(str(folder), rule, "", "Name a folder of pictures, or of clips")
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ImageError(str(folder), "no PNG, JPEG or WebP files here", "", "Name the folder that they lie right in")
    return paths


def pictures(folder: Path) -> Iterator[tuple[str, Picture]]:
    """Name and uint8 [H, W, 3] of each picture of a folder; on a terminal with a bar on stderr.

    All are read once before the first is given, so that a broken one is known before the long work.

    Raises:
        ImageError: If there is none, or one cannot be read.
    """
    paths = picture_files(folder)
    for path in paths:
        open_image(path)
    stems = [path.stem for path in paths]
    for path in tqdm(paths, unit="picture", disable=None):
        yield path.stem if stems.count(path.stem) == 1 else path.name, open_image(path)


def weight(data: bytes, picture: Picture, ours: bool) -> Row:
    """Columns bytes and bpp of a whole file, headers and all; of a .vqs file bpp_map too, what granularity costs."""
    pixels = picture.shape[0] * picture.shape[1]
    columns: Row = {"bytes": len(data), "bpp": 8 * len(data) / pixels}
    return {**columns, "bpp_map": read_vqs(data).map_bits / pixels} if ours else columns


class Judge:
    """PSNR, SSIM, MS-SSIM, and `squeeze` where its weights are at hand.

    Args:
        squeeze: The perceptual distance, or None to leave its column out.
    """

    def __init__(self, squeeze: Squeeze | None = None) -> None:
        self._squeeze = squeeze

    def __call__(self, reference: Picture, shown: Picture) -> dict[str, float]:
        """Quality of uint8 [H, W, 3] against a reference; MS-SSIM needs sides of at least 161."""
        values = {name: float(v[0]) for name, v in measure(reference[None], shown[None]).items()}
        if self._squeeze is not None:
            with torch.inference_mode():
                values["squeeze"] = float(self._squeeze(_plane(shown), _plane(reference)))
        return values


def _plane(picture: Picture) -> torch.Tensor:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
