"""Films: files of clips -> pictures, frame after frame, through PyAV (an extra: pip install 'vqstream[video]')."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from codec.errors import ImageError

CLIP_SUFFIXES = {".mp4", ".mkv", ".webm", ".mov", ".avi", ".y4m", ".264"}


def clip_files(folder: Path) -> list[Path]:
    """Clips below a folder, in the order of their paths.

    Raises:
        ImageError: If there is none.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in CLIP_SUFFIXES)
    if not paths:
        raise ImageError(str(folder), f"no clips ({', '.join(sorted(CLIP_SUFFIXES))})")
    return paths


def frames_of(path: Path) -> Iterator[Image.Image]:
    """Frames of a clip in display order, RGB.

    Raises:
        ImageError: If the clip cannot be read, or PyAV is missing.
    """
    try:
        import av
    except ImportError as error:
        raise ImageError(str(path), "reading clips needs PyAV", "", "pip install av") from error
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ImageError(str(path), "holds no video", "", "Remove it")
            for frame in container.decode(video=0):
                yield Image.fromarray(frame.to_ndarray(format="rgb24"))
    except (av.error.FFmpegError, OSError) as error:
        raise ImageError(str(path), f"cannot be read ({error})", "", "Remove it") from error


def first_frames(path: Path, count: int, side: int) -> NDArray[np.uint8]:
    """The first frames of a clip, the largest centred square of each scaled to `side`: uint8 [T, side, side, 3].

    A clip that ends earlier gives fewer.

    Raises:
        ImageError: If the clip cannot be read or has no frame, or PyAV is missing.
    """
    frames = [
        np.asarray(ImageOps.fit(frame, (side, side), Image.Resampling.BICUBIC))
        for frame in islice(frames_of(path), count)
    ]
    if not frames:
        raise ImageError(str(path), "has no frames", "", "Remove it")
    return np.stack(frames)
