"""Pairs of pictures a frame apart: what the predictor learns to look back from.

Two sources: consecutive frames of clips, and photographs under a virtual camera that moves and zooms
a little between two looks.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from codec.encoder import Encoder
from codec.films import clip_files, frames_of
from codec.quantizer import Quantizer
from codec.training.data import load_photographs
from codec.training.run import write_whole
from codec.training.token_maps import TokenMaps, from_rows, to_rows, token_maps

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
PAN_PIXELS, ZOOM = 5.0, 0.01  # standard deviations of the virtual camera's motion from frame to frame


def motion_pool(
    cache: Path, encoder: Encoder, quantizer: Quantizer, photographs: Path, clips: Path | None, side: int, seed: int
) -> list[tuple[TokenMaps, TokenMaps]]:
    """Token maps of (frame before, frame); kept in a file, since they cost minutes.

    Args:
        cache: The file.
        encoder: Makes the features.
        quantizer: Its codebooks make the indices.
        photographs: Folder of photographs for the virtual camera; every third is used.
        clips: Folder of clips (needs PyAV); None for photographs only.
        side: Side of the pictures in pixels.
        seed: Of places and motions.

    Raises:
        ImageError: If there are no photographs, no clips, or PyAV is missing.
    """
    if cache.exists():
        rows = torch.load(cache, weights_only=True)
        return [(from_rows(before), from_rows(now)) for before, now in rows]
    rng = np.random.default_rng(seed)
    pairs = [camera_pair(photo, side, rng) for photo in load_photographs(photographs, side)[::3]]
    pairs += [pair for path in clip_files(clips) for pair in clip_pairs(path, side, rng)] if clips else []
    pool = [(token_maps(encoder, quantizer, a), token_maps(encoder, quantizer, b)) for a, b in pairs]
    write_whole(cache, [(to_rows(a), to_rows(b)) for a, b in pool])
    return pool


def camera_pair(photograph: NDArray[np.uint8], side: int, rng: np.random.Generator) -> Pair:
    """Two looks at a photograph, uint8 [side, side, 3] each; one pair in five does not move."""
    moves = rng.random() > 0.2
    pan, zoom = rng.normal(0, PAN_PIXELS, 2) * moves, 1 + rng.normal(0, ZOOM) * moves
    room = np.array(photograph.shape[:2]) - side
    start = rng.uniform(0, room)
    image = Image.fromarray(photograph)
    looks = []
    for place, scale in ((start, 1.0), (start + pan, zoom)):
        extent = min(side * scale, *photograph.shape[:2])
        y, x = np.clip(place, 0, np.array(photograph.shape[:2]) - extent)
        box = (x, y, x + extent, y + extent)
        looks.append(np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=box)))
    return looks[0], looks[1]


def clip_pairs(path: Path, side: int, rng: np.random.Generator, every: int = 5, most: int = 60) -> Iterator[Pair]:
    """Consecutive frames of a clip, cut to [side, side, 3] at the same place: every fifth pair, at most 60.

    Raises:
        ImageError: If the clip cannot be read.
    """
    before, made = None, 0
    for number, frame in enumerate(read_frames(path, side)):
        if before is not None and number % every == 1 and made < most:
            y, x = (int(rng.integers(room + 1)) for room in np.array(frame.shape[:2]) - side)
            yield before[y : y + side, x : x + side], frame[y : y + side, x : x + side]
            made += 1
        before = frame


def read_frames(path: Path, least: int) -> Iterator[NDArray[np.uint8]]:
    """Frames of a clip uint8 [H, W, 3], scaled so that the short side is `least` to 1.5 x `least` pixels.

    Raises:
        ImageError: If the clip cannot be read, or PyAV is missing.
    """
    for frame in frames_of(path):
        short = min(frame.size)
        scale = np.clip(short, least, 1.5 * least) / short
        size = (round(frame.width * scale), round(frame.height * scale))
        yield np.asarray(frame.resize(size, Image.Resampling.BICUBIC))
