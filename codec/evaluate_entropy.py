"""Entropy models: how many bytes each makes of the same tokens, and how long it takes.

A row is one picture, coded by one model in so many slices. Bytes are of the whole .vqs file; times are of the
slices alone, tokens to bytes and back, on this machine, without the networks that make tokens and pictures.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from codec.entropy import MODELS
from codec.errors import RequestError
from codec.evaluate_pictures import Picture, Row, picture_files, pictures, weight
from codec.model import Codec
from codec.rate_request import Packing
from codec.vqs import write_vqs

KEYS = ["bpp_requested", "slices", "entropy"]


class Codings(NamedTuple):
    """What to try on every picture.

    Attributes:
        models: Out of `entropy.MODELS`.
        slices: Counts of slices.
        bpp: Requested rates in bits per pixel, met with `static`; None is all coarse.
    """

    models: Sequence[str] = MODELS
    slices: Sequence[int] = (1,)
    bpp: Sequence[float | None] = (None,)


def entropy_table(codec: Codec, folder: Path, codings: Codings) -> pd.DataFrame:
    """Every coding of every picture of a folder.

    Returns:
        Columns image, bpp_requested, slices, entropy, tokens, bytes, bpp (whole file x 8 / pixels), bpp_map (of it,
        what the granularity costs), encode_s, decode_s.

    Raises:
        ImageError: If the folder has no picture, or one cannot be read.
        RequestError: If a model is unknown, a rate cannot be had, or there cannot be so many slices.
    """
    unknown = [name for name in codings.models if name not in MODELS]
    if unknown:
        raise RequestError("--entropy", "unknown model", unknown[0], f"Available: {', '.join(MODELS)}")
    picture_files(folder)  # an empty folder is told first
    rows = ({"image": image, **row} for image, picture in pictures(folder) for row in _rows(codec, picture, codings))
    return pd.DataFrame(rows)


def _rows(codec: Codec, picture: Picture, codings: Codings) -> Iterator[Row]:
    size = (picture.shape[0], picture.shape[1])
    for bpp in codings.bpp:
        for count in codings.slices:
            tokens = codec.encode(picture, bpp=bpp, packing=Packing(count))
            for model in codings.models:
                start = time.perf_counter()
                slices = codec.to_slices(tokens, count, entropy_model=model)
                middle = time.perf_counter()
                codec.from_slices(tokens.grid, slices)
                end = time.perf_counter()
                data = write_vqs(size, slices, codec.hash)
                case = {"bpp_requested": bpp, "slices": count, "entropy": model, "tokens": len(tokens)}
                yield {**case, **weight(data, picture, True), "encode_s": middle - start, "decode_s": end - middle}


def entropy_means(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each rate, number of slices and model: means over the pictures.

    Returns:
        Columns bpp_requested, slices, entropy, images, tokens, bytes, bpp, of_static (bytes of all pictures over those
        of `static`; empty without it), bpp_map, encode_s, decode_s.
    """
    means = table.drop(columns="image").groupby(KEYS, dropna=False, sort=False).mean().reset_index()
    means.insert(len(KEYS), "images", table["image"].nunique())
    static = means[means["entropy"] == "static"].set_index(KEYS[:2])["bytes"]
    against = [static.get((bpp, count)) for bpp, count in zip(means["bpp_requested"], means["slices"], strict=True)]
    means.insert(means.columns.get_loc("bpp") + 1, "of_static", means["bytes"] / pd.Series(against, dtype=float))
    return means
