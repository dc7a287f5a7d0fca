"""Pictures that runs kept: strips of a typical and a bad frame, clips to scrub through.

    cells/<cell>/frames/00012_{sent,holes,concealed,lossless}.png  -->  WebP inside the page

Of a large sweep, only some cells are looked at (the first seeds), and as many pictures are shown as
a page can carry.
"""

import io
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from simulator.errors import OutputError
from simulator.metrics import LOWER_IS_BETTER
from simulator.report.drawing import spread_out
from simulator.report.labels import three_digits
from simulator.report.schemes import CONDITION
from simulator.report.study import Study
from simulator.report.style import data_uri

VERSIONS = ("sent", "holes", "concealed", "lossless")
SUFFIXES = {"holes": "_holes", "concealed": "", "lossless": "_lossless"}  # of a metric's column
MOST_CELLS = 200  # cells whose folders are looked into
MOST_CLIPS = 12
MOST_PICTURES = 480  # of all clips together: some 6 MB
LONGEST_SIDE = 512  # pixels; larger pictures are made smaller for the page


@dataclass(frozen=True)
class Still:
    """One frame of one cell in four versions.

    Attributes:
        cell, frame: Which.
        lost: What became of its tokens, in words.
        values: Version -> its quality in words; empty for what was sent.
        paths: Version -> the picture.
    """

    cell: str
    frame: int
    lost: str
    values: dict[str, str]
    paths: dict[str, Path]

    def uri(self, version: str) -> str:
        """The picture as an address that holds it.

        Raises:
            OutputError: If the file is torn.
        """
        path, data = self.paths[version], io.BytesIO()
        try:
            with Image.open(path) as picture:
                picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
                picture.convert("RGB").save(data, "WEBP", quality=90)
        except (OSError, SyntaxError) as error:  # Pillow says SyntaxError for a broken PNG
            raise OutputError(str(path), f"is no whole picture ({error})", next_step="Delete it") from error
        return data_uri(data.getvalue(), "image/webp")


@dataclass(frozen=True)
class Clip:
    """The kept frames of one cell, in order."""

    cell: str
    label: str
    stills: list[Still]


@dataclass(frozen=True)
class Strip:
    """One frame, seen with each scheme: `title`, what was looked for, and a (scheme, still) a row."""

    name: str
    title: str
    caption: str
    rows: list[tuple[str, Still]]


class Album:
    """The pictures of a study that can be shown.

    Args:
        study: The results.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.metric = study.metrics[0] if study.metrics else ""

    @cached_property
    def kept(self) -> dict[str, list[int]]:
        """Cell -> the frames of which all four versions were kept; cells without any are left out."""
        order = pd.factorize(self.study.cells["unit"])[0].argsort(kind="stable")
        found = {str(cell): self._frames_of(str(cell)) for cell in self.study.cells["cell"].iloc[order[:MOST_CELLS]]}
        return {cell: frames for cell, frames in found.items() if frames}

    def _frames_of(self, cell: str) -> list[int]:
        folder = self.study.results.cell_folder(cell) / "frames"
        names = {path.name for path in folder.glob("*.png")} if folder.is_dir() else set()
        numbers = sorted(int(match[1]) for name in names if (match := re.fullmatch(r"(\d+)_sent\.png", name)))
        return [number for number in numbers if all(f"{number:05d}_{v}.png" in names for v in VERSIONS)]

    @cached_property
    def _rows(self) -> pd.DataFrame:
        """Rows of the frames table that have pictures, by (cell, frame)."""
        frames = self.study.results.frames
        return frames[frames["cell"].isin(list(self.kept))].set_index(["cell", "frame"]).sort_index()

    def still(self, cell: str, frame: int) -> Still:
        """One kept frame."""
        row = self._rows.loc[(cell, frame)]
        lost = f"{row['tokens_missing'] / max(row['tokens_total'], 1) * 100:.0f} % of tokens lost"
        folder = self.study.results.cell_folder(cell) / "frames"
        values = {
            version: self._say(row[self.metric + suffix])
            for version, suffix in SUFFIXES.items()
            if self.metric and self.metric + suffix in row.index
        }
        paths = {version: folder / f"{frame:05d}_{version}.png" for version in VERSIONS}
        return Still(cell, frame, "frozen" if row["frozen"] else lost, values, paths)

    def clips(self) -> list[Clip]:
        """Clips of one (clip, seed), all schemes at as many losses as fit; at most MOST_PICTURES pictures."""
        cells = self.study.cells[self.study.cells["cell"].isin(list(self.kept))]
        if cells.empty:
            return []
        same = cells[cells["unit"] == cells["unit"].iloc[0]]
        same = same.sort_values(["loss", "rate", "scheme"], ascending=[False, True, True])  # the most to see first
        each = max(1, MOST_CLIPS // max(1, same.groupby(["rate", "scheme"], observed=True).ngroups))
        losses = spread_out(sorted(same["loss"].unique()), each) if each > 1 else [same["loss"].max()]
        chosen = same if same["loss"].isna().all() else same[same["loss"].isin(losses)]
        rows = spread_out(list(chosen.itertuples()), MOST_CLIPS)
        most = max(1, MOST_PICTURES // (len(VERSIONS) * len(rows)))
        return [
            Clip(row.cell, self._label(row), [self.still(row.cell, n) for n in spread_out(self.kept[row.cell], most)])
            for row in rows
        ]

    def _label(self, row: Any) -> str:
        loss = "" if np.isnan(row.loss) else f"{row.loss * 100:.3g} % loss"
        rate = f"{self.study.roles.rate} {row.rate}" if row.rate else ""
        return ", ".join(part for part in (row.scheme, rate, loss, row.unit) if part)

    def strips(self) -> list[Strip]:
        """The median and the worst 5 % frame of the baseline, among those that lost something."""
        wanted = (("median", "Median frame", 0.5), ("worst", "Worst 5 % of frames", 0.05))
        found = (self._strip(name, title, share) for name, title, share in wanted if self.metric)
        return [strip for strip in found if strip]

    def _strip(self, name: str, title: str, share: float) -> Strip | None:
        """The kept frame whose quality is nearest to a quantile of all damaged frames."""
        scheme = next(iter(self.study.partners.values()), self.study.schemes[0])
        damaged = self._damaged(scheme)
        kept = damaged[[f in self.kept.get(c, ()) for c, f in zip(damaged["cell"], damaged["frame"], strict=True)]]
        if kept.empty:
            return None
        bad_end = 1 - share if self.metric.startswith(LOWER_IS_BETTER) else share
        target = float(damaged[self.metric].quantile(bad_end))
        nearest = kept.loc[(kept[self.metric] - target).abs().idxmin()]
        caption = (
            f"Of all frames of scheme {scheme} that lost something, {share * 100:g} % are worse than "
            f"{self._say(target)}. Shown is the kept frame nearest to that ({self._say(nearest[self.metric])}, "
            f"frame {nearest['frame']}), and the same frame of the same clip, seed and loss with the other schemes."
        )
        return Strip(name, title, caption, self._same_frame(nearest["cell"], nearest["frame"]))

    def _damaged(self, scheme: str) -> pd.DataFrame:
        """Frames of a scheme that lost something."""
        cells = self.study.cells["cell"][self.study.cells["scheme"].astype(str) == scheme]
        frames = self.study.results.frames
        return frames[frames["cell"].isin(cells) & (frames["tokens_missing"] > 0)]

    def _say(self, value: float) -> str:
        return f"{three_digits(value)} {'dB' if self.metric == 'psnr_db' else self.metric}"

    def _same_frame(self, cell: str, frame: int) -> list[tuple[str, Still]]:
        cells = self.study.cells.set_index("cell", drop=False)
        one = cells.loc[cell]
        alike = cells[(cells["unit"] == one["unit"]) & (cells["rate"] == one["rate"])]
        alike = alike[alike["loss"].isna() | (alike["loss"] == one["loss"])].sort_values(CONDITION)
        return [
            (str(row.scheme), self.still(row.cell, frame))
            for row in alike.itertuples()
            if frame in self.kept.get(row.cell, ())
        ]
