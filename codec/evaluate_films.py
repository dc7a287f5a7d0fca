"""Films: what lost packets cost, with every concealment, on a folder of clips.

    clip -> first frames, centred squares -> tokens -> slices, one a packet -> packets lost -> concealed -> measured

Slices are those of the bitstream, and the packetizer sends one a packet, so a lost packet is a lost
slice. Packets are lost independently; (seed) fixes which, the same for every method, and a higher loss
takes the same packets and more. A method with "+temporal" looks at the frame before as that method
left it, `copy_previous` always does; the others see one frame.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from codec.bitstream import TokenSlice
from codec.conceal import LOOKS_BACK, METHODS
from codec.errors import RequestError
from codec.evaluate_bootstrap import NONE_LOST, nested_draws
from codec.evaluate_pictures import LOWER_IS_BETTER, METRICS, SUFFIXES, Judge, Row
from codec.films import CLIP_SUFFIXES, clip_files, first_frames
from codec.latents import Concealed
from codec.model import Codec
from codec.rate_request import Packing
from codec.surprise import ASKED, static_bits
from codec.tokens import Tokens

TEMPORAL = "+temporal"
FILM_METHODS = (
    "zero", "neighbour_mean", "copy_previous", "expected", f"expected{TEMPORAL}", f"copy_or_expected{TEMPORAL}"
)  # fmt: skip
EVERY_CLIP = "every clip"


@dataclass(frozen=True)
class FilmCases:
    """What to try on every clip.

    Attributes:
        bpp: Requested rates in bits per pixel; None is all coarse.
        loss: Shares of packets lost, in [0, 1]; the case without loss is always there.
        methods: Concealment methods, "+temporal" after those that are to look at the frame before.
        seeds: Loss patterns drawn for each lossy case.
        packets: Packets a frame.
        frames: Frames of each clip, from its start.
        side: Of the pictures, in pixels.

    Raises:
        RequestError: If a method is unknown, or cannot look back.
    """

    bpp: Sequence[float | None] = (None,)
    loss: Sequence[float] = (0.2,)
    methods: Sequence[str] = FILM_METHODS
    seeds: int = 2
    packets: int = 4
    frames: int = 24
    side: int = 256

    def __post_init__(self) -> None:
        for method in self.methods:
            base = method.removesuffix(TEMPORAL)
            if base not in (LOOKS_BACK if method.endswith(TEMPORAL) else METHODS) and ":" not in method:
                able = ", ".join(f"{name}{TEMPORAL}" for name in LOOKS_BACK if name != "copy_previous")
                raise RequestError("--conceal", "unknown method", method, f"Available: {', '.join(METHODS)}, {able}")


def holds_films(folder: Path) -> bool:
    """Whether a folder has clips and no pictures."""
    kinds = {path.suffix.lower() for path in folder.glob("*")}
    return bool(kinds & CLIP_SUFFIXES) and not kinds & SUFFIXES


def film_table(codec: Codec, folder: Path, cases: FilmCases, judge: Judge) -> pd.DataFrame:
    """Every case of every clip of a folder.

    Returns:
        Columns clip, frames, bpp_requested, bpp (slices x 8 / pixels), loss, seed, concealment, holes (share
        of tokens lost), bits_missing (measured: -log2 of the probability given to what was lost, mean over the
        lost tokens; methods that ask the transformer only), bits_static (the same of the static histogram),
        quality columns; means over the frames.

    Raises:
        ImageError: If the folder has no clip, one cannot be read, or PyAV is missing.
        RequestError: If a rate cannot be had.
    """
    rows: list[Row] = []
    for path in tqdm(clip_files(folder), unit="clip", disable=None):
        frames = first_frames(path, cases.frames, cases.side)
        for bpp in cases.bpp:
            film = Film.encode(codec, frames, bpp, cases.packets)
            shared = {"clip": path.stem, "frames": len(frames), "bpp_requested": bpp, "bpp": film.bpp}
            rows += ({**shared, **row} for row in film.rows(codec, cases, judge))
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Film:
    """A clip as it is sent: pictures uint8 [T, H, W, 3], tokens and slices of each frame."""

    pictures: NDArray[np.uint8]
    tokens: list[Tokens]
    slices: list[list[TokenSlice]]

    @classmethod
    def encode(cls, codec: Codec, pictures: NDArray[np.uint8], bpp: float | None, packets: int) -> "Film":
        """All frames at one rate, cut into so many slices each."""
        tokens = codec.encode_batch(pictures, bpp=bpp, packing=Packing(packets, file=False))
        return cls(pictures, tokens, codec.to_slices_batch(tokens, packets))

    @property
    def bpp(self) -> float:
        """Bits per pixel of all slices."""
        return 8 * sum(len(part.data) for frame in self.slices for part in frame) / self.pictures[..., 0].size

    def rows(self, codec: Codec, cases: FilmCases, judge: Judge) -> Iterator[Row]:
        """One row for each loss, seed and method, the case without loss first."""
        clean = [
            judge(picture, shown) for picture, shown in zip(self.pictures, self._shown(codec, self.tokens), strict=True)
        ]
        yield {"loss": 0.0, "seed": 0, "concealment": NONE_LOST, "holes": 0.0, **_means(clean)}
        seeds = range(1, cases.seeds + 1)
        for loss in sorted(set(cases.loss) - {0.0}):
            received = [self.receive(codec, loss, seed) for seed in seeds]
            for method in cases.methods:
                for seed, came, filled in zip(seeds, received, conceal(codec, received, method), strict=True):
                    case = {"loss": loss, "seed": seed, "concealment": method}
                    yield {
                        **case,
                        **self._surprise(codec, came, filled, method),
                        **self._judged(codec, filled, clean, judge),
                    }

    def _shown(self, codec: Codec, tokens: Sequence[Tokens]) -> NDArray[np.uint8]:
        return codec.decode(codec.conceal(tokens, "zero"), self.pictures.shape[1:3])

    def receive(self, codec: Codec, loss: float, seed: int) -> list[Tokens]:
        """The frames after each packet was lost with probability `loss`; a higher one loses a superset."""
        count = len(self.slices[0])
        kept = np.random.default_rng(seed).random((len(self.slices), count)) >= loss
        arrived = [[part for part in parts if row[part.index]] for parts, row in zip(self.slices, kept, strict=True)]
        return [tokens for tokens, _ in codec.from_slices_batch(self.tokens[0].grid, arrived)]

    def _judged(
        self, codec: Codec, filled: Sequence[Concealed], clean: list[dict[str, float]], judge: Judge
    ) -> dict[str, float]:
        """Means over the frames; a frame that came whole shows what it shows without loss."""
        values = list(clean)
        holed = [number for number, frame in enumerate(filled) if not frame.tokens.known.all()]
        if holed:
            shown = codec.decode([filled[number] for number in holed], self.pictures.shape[1:3])
            for number, picture in zip(holed, shown, strict=True):
                values[number] = judge(self.pictures[number], picture)
        return _means(values)

    def _surprise(
        self, codec: Codec, came: Sequence[Tokens], filled: Sequence[Concealed], method: str
    ) -> dict[str, float]:
        lost = np.concatenate([~tokens.known for tokens in came])
        found = {"holes": float(lost.mean()), "bits_missing": float("nan"), "bits_static": float("nan")}
        found["bits_static"] = _mean([static_bits(codec.tables, *pair) for pair in zip(came, self.tokens, strict=True)])
        if method.removesuffix(TEMPORAL) in ASKED:
            before = [None, *filled[:-1]] if method.endswith(TEMPORAL) else [None] * len(came)
            found["bits_missing"] = _mean(codec.missing_bits(came, self.tokens, before))
        return found


def conceal(codec: Codec, films: Sequence[Sequence[Tokens]], method: str) -> list[list[Concealed]]:
    """The holes of films of one length filled, by a method that may look back."""
    if method.endswith(TEMPORAL) or method == "copy_previous":
        return codec.conceal_films(films, method.removesuffix(TEMPORAL))
    flat = iter(codec.conceal([tokens for film in films for tokens in film], method))
    return [[next(flat) for _ in film] for film in films]


def _mean(parts: Sequence[NDArray[np.float64]]) -> float:
    values = np.concatenate(parts)
    return float(values.mean()) if len(values) else float("nan")


def _means(values: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([frame[name] for frame in values])) for name in values[0]}


def film_means(table: pd.DataFrame, against: str) -> pd.DataFrame:
    """One row for each rate, loss, method and clip, and one for every clip together.

    Intervals of 95 % draw clips, and seeds in each clip drawn (see `nested_draws`); those of one clip draw seeds.

    Returns:
        Columns clip, bpp_requested, loss, concealment, against, seeds, bpp, bits_missing, bits_static; then for
        each metric m: m, m_low, m_high; m_lost with bounds: how much worse than with none lost; m_difference with
        bounds: to the method `against`, paired; m_lost_share with bounds, of methods with "+temporal": m_lost
        over that of the same method without.
    """
    rows: list[Row] = []
    for bpp in table["bpp_requested"].unique():
        at_rate = table[table["bpp_requested"].isna() if pd.isna(bpp) else table["bpp_requested"] == bpp]
        for clip in (EVERY_CLIP, *at_rate["clip"].unique()):
            part = at_rate if clip == EVERY_CLIP else at_rate[at_rate["clip"] == clip]
            rows += ({"clip": clip, "bpp_requested": bpp, **row} for row in _cells(part, against))
    return pd.DataFrame(rows)


def _cells(part: pd.DataFrame, against: str) -> Iterator[Row]:
    """Rows of one rate and a choice of clips."""
    metrics = [name for name in METRICS if name in part]
    whole = part[part["loss"] == 0].set_index("clip")
    yield {"loss": 0.0, "concealment": NONE_LOST, "bpp": whole["bpp"].mean(), **{m: whole[m].mean() for m in metrics}}
    for loss, lossy in part[part["loss"] > 0].groupby("loss"):
        methods = lossy["concealment"].unique()
        lost = {(m, name): _lost(lossy, whole, m, name) for m in methods for name in metrics}
        for method in methods:
            cell = lossy[lossy["concealment"] == method]
            row: Row = {"loss": loss, "concealment": method, "against": against, "seeds": cell["seed"].nunique()}
            row |= {name: cell[name].mean() for name in ("bpp", "bits_missing", "bits_static")}
            for name in metrics:
                worse, sign = lost[method, name], 1 if name in LOWER_IS_BETTER else -1
                row |= _interval(name, _grid(cell, name)) | _interval(f"{name}_lost", worse)
                if (against, name) in lost:
                    row |= _interval(f"{name}_difference", sign * (worse - lost[against, name]))
                base = method.removesuffix(TEMPORAL)
                alone = "expected" if base == "copy_or_expected" else base  # seeing one frame
                if base != method and (alone, name) in lost:
                    row |= _interval(f"{name}_lost_share", worse, lost[alone, name])
            yield row


def _grid(cell: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """One value a (clip, seed): [clips, seeds]."""
    values: NDArray[np.float64] = cell.pivot(index="clip", columns="seed", values=name).to_numpy(np.float64)
    return values


def _lost(lossy: pd.DataFrame, whole: pd.DataFrame, method: str, name: str) -> NDArray[np.float64]:
    cell = lossy[lossy["concealment"] == method].pivot(index="clip", columns="seed", values=name)
    worse: NDArray[np.float64] = cell.sub(whole[name], axis=0).to_numpy(np.float64)
    return worse if name in LOWER_IS_BETTER else -worse


def _interval(name: str, values: NDArray[np.float64], over: NDArray[np.float64] | None = None) -> Row:
    """Mean of values [clips, seeds], or ratio of two means, with its interval; no interval from a single value."""
    clips, seeds = nested_draws(*values.shape)
    mean, drawn = values.mean(), values[clips, seeds].mean((1, 2))
    if over is not None:
        mean, drawn = mean / over.mean(), drawn / over[clips, seeds].mean((1, 2))
    low, high = np.quantile(drawn, (0.025, 0.975)) if values.size > 1 else (float("nan"), float("nan"))
    return {name: float(mean), f"{name}_low": float(low), f"{name}_high": float(high)}


def film_reference(methods: Sequence[str], wanted: str | None) -> str:
    """The method that others are compared with: the one wanted, else `copy_previous`, else the first.

    Raises:
        RequestError: If the one wanted is not among `methods`.
    """
    if wanted is not None and wanted not in methods:
        available = f"Available: {', '.join(methods)}"
        raise RequestError("--against", "must be one of the methods in --conceal", wanted, available)
    return wanted or ("copy_previous" if "copy_previous" in methods else methods[0])
