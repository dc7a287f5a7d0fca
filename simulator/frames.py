"""Where frames come from: photographs filmed by a virtual camera, a folder of pictures, a video file.

Whatever the source, frames are uint8 [T, H, W, 3], sRGB, of exactly the size asked for: scaled with
antialiasing and cut at the centre to the shape of the frame. The built-in photographs lie inside
the scikit-image wheel, so nothing is downloaded.
"""

import glob
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simulator.errors import SourceError
from simulator.pictures import open_picture

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm"}
VIDEOS = {".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".y4m", ".ogv"}
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "motorcycle")  # chelsea is a cat
SHOT_SECONDS = 1.0  # one camera move, then a cut: five seconds show all five photographs
REACH = 0.4  # how far a move goes towards a second window drawn at random: a calm hand
MARGIN = (0.55, 0.9)  # height of the camera's window, as a share of the largest that fits
CAMERA = 0x56515331  # keeps the camera's draws apart from other uses of the same seed


class Window(NamedTuple):
    """Part of a picture in pixels, with fractions: left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float


def load_frames(
    where: str,
    count: int,
    fps: float,
    size: tuple[int, int],
    seed: int,
    on_progress: Callable[[int], None] | None = None,
) -> NDArray[np.uint8]:
    """The first `count` frames of a source.

    Args:
        where: "builtin", or a folder, a glob, a picture or a video file; relative paths start at
            the working folder (`scenario_paths` has turned a scenario's into such).
        count: Frames, at least 1.
        fps: Frames a second: paces the virtual camera; files are taken frame by frame.
        size: (height, width) in pixels.
        seed: Chooses the camera's moves; files ignore it.
        on_progress: Called with the number of frames made so far.

    Returns:
        uint8 [count, height, width, 3].

    Raises:
        SourceError: If there is nothing to read, too little of it, or a file is damaged.
    """
    path = Path(where)
    if where == "builtin":
        made = _film(count, fps, size, seed)
    elif path.suffix.lower() in VIDEOS and not path.is_dir():
        made = (fit(picture, size) for picture in _video(path, count))
    else:
        made = (fit(picture, size) for picture in _pictures(where, count))
    frames = np.empty((count, *size, 3), dtype=np.uint8)
    for number, frame in enumerate(made):
        frames[number] = frame
        if on_progress:
            on_progress(number + 1)
    return frames


def _film(count: int, fps: float, size: tuple[int, int], seed: int) -> Iterator[NDArray[np.uint8]]:
    """Frames of the virtual camera over the built-in photographs, uint8 [H, W, 3] each.

    Frame i is a function of (seed, fps, size, i) alone: a longer stream starts with the shorter one.
    """
    photographs = {name: photograph(name) for name in PHOTOGRAPHS}
    for index in range(count):
        shot, progress = divmod(index / fps, SHOT_SECONDS)
        picture = photographs[_subject(seed, int(shot))]
        start, end = _move(seed, int(shot), picture.size, size)
        yield crop(picture, between(start, end, progress / SHOT_SECONDS), size)


def photograph(name: str) -> Image.Image:
    """One of PHOTOGRAPHS.

    Raises:
        SourceError: If scikit-image does not bring the picture along.
    """
    import skimage.data  # here: half a second that folders of pictures need not pay

    try:
        found: Any = getattr(skimage.data, "stereo_motorcycle" if name == "motorcycle" else name)()
        pixels = found[0] if name == "motorcycle" else found  # left eye, right eye, disparity
    except (OSError, ImportError, ValueError, AttributeError) as error:
        raise SourceError(
            "source.frames", f"scikit-image has no photograph {name!r} ({error})", "builtin",
            "Reinstall it: pip install --force-reinstall scikit-image",
        ) from error  # fmt: skip
    return Image.fromarray(np.asarray(pixels, dtype=np.uint8))


def _subject(seed: int, shot: int) -> str:
    """Each round shows every photograph once, in an order of its own, never one twice in a row."""
    turn, place = divmod(shot, len(PHOTOGRAPHS))
    order = np.random.default_rng((seed, CAMERA, 0)).permutation(len(PHOTOGRAPHS))
    # Turning the order by one each round keeps the neighbours distinct at the seam.
    return PHOTOGRAPHS[order[(place + turn) % len(PHOTOGRAPHS)]]


def _move(seed: int, shot: int, picture: tuple[int, int], size: tuple[int, int]) -> tuple[Window, Window]:
    """First and last window of a shot, drawn from (seed, shot): a pan and a zoom at once."""
    draws = np.random.default_rng((seed, CAMERA, 1, shot))
    start, aim = _window(draws, picture, size), _window(draws, picture, size)
    return start, Window(*(a + (b - a) * REACH for a, b in zip(start, aim, strict=True)))


def _window(draws: np.random.Generator, picture: tuple[int, int], size: tuple[int, int]) -> Window:
    scale, across, down = draws.uniform(*MARGIN), draws.uniform(), draws.uniform()
    largest = largest_window(picture, size)
    width, height = (largest.right - largest.left) * scale, (largest.bottom - largest.top) * scale
    left, top = across * (picture[0] - width), down * (picture[1] - height)
    return Window(left, top, left + width, top + height)


def between(start: Window, end: Window, progress: float) -> Window:
    """A window on the way from start (progress 0) to end (1), slow at both ends.

    >>> between(Window(0, 0, 8, 8), Window(2, 4, 6, 8), 0.5)
    Window(left=1.0, top=2.0, right=7.0, bottom=8.0)
    """
    eased = progress * progress * (3 - 2 * progress)  # smoothstep: speed 0 at 0 and 1
    return Window(*(a + (b - a) * eased for a, b in zip(start, end, strict=True)))


def largest_window(picture: tuple[int, int], size: tuple[int, int]) -> Window:
    """The largest centred part of a (width, height) picture with the shape of (height, width)."""
    scale = min(picture[0] / size[1], picture[1] / size[0])
    width, height = size[1] * scale, size[0] * scale
    left, top = (picture[0] - width) / 2, (picture[1] - height) / 2
    return Window(left, top, left + width, top + height)


def crop(picture: Image.Image, window: Window, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A part of a picture at (height, width) pixels: uint8 [H, W, 3].

    Pillow widens its filter when it shrinks (no aliasing) and takes the window's fractions into
    account (a slow pan moves by less than a pixel and does not jerk).
    """
    width, height = picture.size
    inside = (max(window[0], 0.0), max(window[1], 0.0), min(window[2], width), min(window[3], height))
    scaled = picture.resize((size[1], size[0]), Image.Resampling.BICUBIC, box=inside)
    return np.asarray(scaled, dtype=np.uint8)


def fit(picture: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A whole picture scaled and centre-cropped to (height, width): uint8 [H, W, 3]."""
    return crop(picture, largest_window(picture.size, size), size)


def _pictures(where: str, count: int) -> Iterable[Image.Image]:
    files = picture_files(where)
    if len(files) < count:
        raise SourceError(
            "source.count", f"{where} has only {len(files)} pictures", count, f"Set source.count={len(files)}"
        )
    return (open_picture(path) for path in files[:count])


def picture_files(where: str) -> list[Path]:
    """Pictures in a folder or matching a glob, by name.

    Raises:
        SourceError: If there is none.
    """
    path = Path(where)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)
    elif path.is_file():
        files = [path]
    else:
        files = sorted(Path(name) for name in glob.glob(where, recursive=True))
    if files:
        return files
    if not path.exists() and not glob.has_magic(where):
        rule = f"neither 'builtin' nor an existing file or folder (looked at {path.absolute()})"
    else:
        rule = f"holds no pictures ({', '.join(sorted(PICTURES))})"
    raise SourceError("source.frames", rule, where, "Paths start at the current folder")


def _video(path: Path, count: int) -> Iterable[Image.Image]:
    if not path.is_file():
        raise SourceError("source.frames", f"no such video file (looked at {path.absolute()})", str(path))
    pictures = [Image.fromarray(pixels) for pixels in _video_pixels(path, count)]
    if len(pictures) < count:
        raise SourceError(
            "source.count", f"{path} has only {len(pictures)} frames", count, f"Set source.count={len(pictures)}"
        )
    return pictures


def _video_pixels(path: Path, count: int) -> Iterable[NDArray[Any]]:
    """The first `count` frames by imageio, through whichever of its two video readers is installed."""
    readers = {"pyav": "av", "FFMPEG": "imageio_ffmpeg"}
    usable = [plugin for plugin, module in readers.items() if importlib.util.find_spec(module)]
    if not usable or not importlib.util.find_spec("imageio"):
        raise SourceError(str(path), "no video reader is installed", next_step="pip install imageio imageio-ffmpeg")
    import imageio.v3

    try:
        for number, pixels in enumerate(imageio.v3.imiter(path, plugin=usable[0])):
            if number == count:
                return
            yield np.asarray(pixels, dtype=np.uint8)
    except (OSError, ValueError, RuntimeError) as error:
        raise SourceError(str(path), f"no readable video ({error})") from error
