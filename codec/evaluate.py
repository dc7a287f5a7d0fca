"""python -m codec evaluate: a folder of pictures, or of clips -> tables and a figure.

    rate     every codec at several rates        evaluate_rate  -> FILE.csv, FILE_mean.csv, FILE.png, FILE.svg
    loss     our codec with blocks lost          evaluate_loss  -> the same
    films    our codec with packets of clips lost  evaluate_films -> the same
    entropy  bytes and times of entropy models   evaluate_entropy  -> FILE.csv, FILE_mean.csv

Every row of FILE.csv is one picture, or one clip with one loss pattern, in one case; FILE_mean.csv has the means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from codec import evaluate_figures as figures
from codec.errors import RequestError
from codec.evaluate_entropy import Codings, entropy_means, entropy_table
from codec.evaluate_films import FilmCases, film_means, film_reference, film_table
from codec.evaluate_loss import Cases, loss_means, loss_table, reference_method
from codec.evaluate_pictures import Judge
from codec.evaluate_rate import Say, rate_means, rate_table
from codec.files import write_atomically
from codec.model import Codec
from codec.refine import Refinement

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation: a row each case, the means, and a figure of the means if any; `left_out` of the words."""

    table: pd.DataFrame
    means: pd.DataFrame
    figure: "Figure | None" = None
    left_out: tuple[str, ...] = ()

    def write(self, out: Path) -> list[Path]:
        """Tables and figure, each whole or not at all.

        Args:
            out: FILE.csv; the others are named after it.

        Raises:
            RequestError: If one cannot be written.
        """
        files = {
            out: self.table.to_csv(index=False).encode(),
            out.with_name(f"{out.stem}_mean.csv"): self.means.to_csv(index=False).encode(),
        }
        if self.figure is not None:
            files |= {out.with_suffix(f".{kind}"): figures.image_bytes(self.figure, kind) for kind in ("png", "svg")}
        for path, data in files.items():
            write_atomically(path, data)
        return list(files)

    def words(self) -> str:
        """The means, for a terminal: without the bounds of intervals, and what else would make them too wide."""
        extra = [name for name in self.means if name.endswith(("_low", "_high")) or name.startswith(self.left_out)]
        shown = self.means.drop(columns=[*extra, *(name for name in ("against",) if name in self.means)])
        return str(shown.to_string(index=False, float_format="%.4f", na_rep="-"))


def check_out(out: Path | None, pictures: Path | None = None) -> None:
    """Known before the long work: a table is written as .csv into a folder that is there.

    Args:
        out: FILE.csv.
        pictures: The folder that is evaluated: no figure may take the place of a picture.

    Raises:
        RequestError: If not.
    """
    if out is None:
        return
    if out.suffix.lower() != ".csv":
        raise RequestError(str(out), "tables are written as CSV", out.suffix, "Let the name end in .csv")
    if not out.parent.is_dir():
        raise RequestError(str(out), "cannot be written (there is no such folder)", "", "Make the folder first")
    if out.is_dir():
        raise RequestError(str(out), "cannot be written (this is a folder)", "", "Name a file inside it")
    figure = out.with_suffix(".png")
    if pictures and figure.is_file() and figure.resolve().parent == pictures.resolve():
        rule = "would be replaced by a figure, and is one of the pictures"
        raise RequestError(str(figure), rule, "", "Write the table to another folder")


def evaluate_rates(
    codec: Codec,
    folder: Path,
    names: Sequence[str],
    rates: Sequence[float],
    judge: Judge,
    say: Say,
    refinement: Refinement | None = None,
) -> Evaluation:
    """Rate, distortion, perception; see `rate_table` for the arguments and errors."""
    table = rate_table(codec, folder, names, rates, judge, say, refinement)
    means = rate_means(table)
    return Evaluation(table, means, figures.rate_figure(means))


def evaluate_losses(codec: Codec, folder: Path, cases: Cases, judge: Judge, against: str | None = None) -> Evaluation:
    """Robustness; see `loss_table`.

    Args:
        codec: Ours.
        folder: Pictures.
        cases: Rates, losses, methods, seeds.
        judge: Measures quality.
        against: The method whose paired difference to the others is taken; see `reference_method`.

    Raises:
        RequestError: If that method is not among the cases, or a rate cannot be had.
        ImageError: If the folder has no picture, or one cannot be read.
    """
    against = reference_method(cases.methods, against)
    table = loss_table(codec, folder, cases, judge)
    means = loss_means(table, against)
    return Evaluation(table, means, figures.loss_figure(means))


def evaluate_films(
    codec: Codec, folder: Path, cases: FilmCases, judge: Judge, against: str | None = None
) -> Evaluation:
    """Robustness on film; see `film_table`, and `film_reference` for `against`.

    Raises:
        RequestError: If `against` is not among the cases, or a rate cannot be had.
        ImageError: If the folder has no clip, one cannot be read, or PyAV is missing.
    """
    against = film_reference(cases.methods, against)
    table = film_table(codec, folder, cases, judge)
    means = film_means(table, against)
    return Evaluation(table, means, figures.film_figure(means), ("ssim", "ms_ssim", "seeds"))


def evaluate_entropy(codec: Codec, folder: Path, codings: Codings) -> Evaluation:
    """Entropy models beside each other; see `entropy_table` for the arguments and errors."""
    table = entropy_table(codec, folder, codings)
    return Evaluation(table, entropy_means(table))
