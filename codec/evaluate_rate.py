"""Rate, distortion, perception: our codec and conventional ones on a folder of pictures.

A row is one picture at one setting of one codec. Rates are true: the bytes of the whole file, with
its headers, times 8, over the pixels. Times are of one call on this machine, from pixels to bytes
and back, after one picture to warm up.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from codec import evaluate_baselines as baselines
from codec.bitstream import grid_of
from codec.errors import RequestError
from codec.evaluate_pictures import METRICS, Judge, Picture, Row, picture_files, pictures, weight
from codec.model import Codec
from codec.refine import Refinement
from codec.vqs import read_vqs, write_vqs

RATES = (0.02, 0.04, 0.1, 0.2, 0.4)  # bits a pixel
OURS, REFINED = "vq", "vq_refined"  # the second: tokens sought for each picture, beside the row without
CODECS = (OURS, *baselines.BASELINES)

Say = Callable[[str], None]


class Coder(NamedTuple):
    """A codec as the table needs it.

    Attributes:
        unit: What its setting is.
        settings: Those to try.
        encode: Picture and setting to the bytes of a whole file.
        decode: And back.
        ours: Whether it makes .vqs files.
    """

    unit: str
    settings: Sequence[float]
    encode: Callable[[Picture, float], bytes]
    decode: Callable[[bytes], Picture]
    ours: bool


def known_codecs(names: Sequence[str], say: Say) -> list[str]:
    """The codecs of a request that this machine has; the others are named to `say`.

    Raises:
        RequestError: If a name is unknown, or none is left.
    """
    unknown = [name for name in names if name not in CODECS]
    if unknown:
        raise RequestError("--codecs", "unknown codec", unknown[0], f"Available: {', '.join(CODECS)}")
    missing = [name for name in names if name != OURS and not baselines.available(name)]
    for name in missing:
        say(f"{name} is skipped: this Pillow was built without it")
    left = [name for name in names if name not in missing]
    if not left:
        raise RequestError("--codecs", "none of these can be run here", ", ".join(names))
    return left


def coders(
    codec: Codec, names: Sequence[str], rates: Sequence[float], refinement: Refinement | None
) -> dict[str, Coder]:
    """The codecs of these names; with a refinement, ours has two rows."""
    found: dict[str, Coder] = {}
    for name in names:
        if name == OURS:
            hows = {OURS: None} if refinement is None else {OURS: None, REFINED: refinement}
            for own, how in hows.items():
                found[own] = Coder("bpp", rates, partial(_vqs, codec, refinement=how), partial(_shown, codec), True)
        else:
            settings, unit = baselines.settings_of(name, rates), baselines.BASELINES[name].unit
            found[name] = Coder(unit, settings, partial(baselines.encode, name), baselines.decode, False)
    return found


def rate_table(
    codec: Codec,
    folder: Path,
    names: Sequence[str],
    rates: Sequence[float],
    judge: Judge,
    say: Say,
    refinement: Refinement | None = None,
) -> pd.DataFrame:
    """Every picture, with every codec, at every setting.

    Args:
        codec: Ours.
        folder: Pictures.
        names: Out of `CODECS`.
        rates: Bits a pixel asked of the codecs that take a rate; the others bring settings of their own.
        judge: Measures quality.
        say: Told what is left out, and why.
        refinement: Adds the codec `vq_refined`.

    Returns:
        Columns image, codec, setting, bytes, bpp, bpp_map (of ours: what granularity costs of it), quality columns,
        encode_s, decode_s.

    Raises:
        ImageError: If the folder has no picture, or one cannot be read.
        RequestError: If a codec is unknown, or there is nothing left to run.
    """
    picture_files(folder)  # an empty folder is told first
    compared = coders(codec, known_codecs(names, say), rates, refinement)
    rows: list[Row] = []
    for image, picture in pictures(folder):
        if not rows:  # warm up: threads, tables, first allocations
            _measured(coders(codec, list(compared.keys() - {REFINED}), rates, None), picture, judge)
        measured, refused = _measured(compared, picture, judge)
        rows += ({"image": image, **row} for row in measured)
        for line in refused:
            say(f"{image}: {line}")
    if not rows:
        raise RequestError("--bpp", "no picture can be had at any of these rates", ", ".join(f"{r:g}" for r in rates))
    return pd.DataFrame(rows)


def _measured(compared: Mapping[str, Coder], picture: Picture, judge: Judge) -> tuple[list[Row], list[str]]:
    """Rows of one picture, and in words what cannot be had of it."""
    rows, refused = [], []
    for name, coder in compared.items():
        for setting in coder.settings:
            try:
                rows.append({"codec": name, **_row(coder, setting, picture, judge)})
            except RequestError as error:
                refused.append(f"{name} at {setting:g} bpp is skipped: {error}")
    return rows, refused


def _row(coder: Coder, setting: float, picture: Picture, judge: Judge) -> Row:
    start = time.perf_counter()
    data = coder.encode(picture, setting)
    middle = time.perf_counter()
    shown = coder.decode(data)
    end = time.perf_counter()
    return {
        "setting": f"{coder.unit} {setting:g}",
        **weight(data, picture, coder.ours),
        **judge(picture, shown),
        "encode_s": middle - start,
        "decode_s": end - middle,
    }


def _vqs(codec: Codec, picture: Picture, setting: float, refinement: Refinement | None) -> bytes:
    slices = codec.to_slices(codec.encode(picture, bpp=setting, refinement=refinement))
    return write_vqs((picture.shape[0], picture.shape[1]), slices, codec.hash)


def _shown(codec: Codec, data: bytes) -> Picture:
    file = read_vqs(data, model_hash=codec.hash)
    tokens, _ = codec.from_slices(grid_of(file.size), file.slices)
    picture: Picture = codec.decode(codec.conceal([tokens]), file.size)[0]
    return picture


def rate_means(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each codec and setting: the mean over the pictures, with their number."""
    columns = ["bytes", "bpp", *(name for name in ("bpp_map", *METRICS) if name in table), "encode_s", "decode_s"]
    groups = table.groupby(["codec", "setting"], sort=False)
    means = groups[columns].mean()
    means.insert(0, "images", groups["image"].nunique())
    return means.reset_index()
