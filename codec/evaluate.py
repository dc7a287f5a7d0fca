"""python -m codec evaluate: a folder of pictures -> tables and a figure.

    rate     every codec at several rates        evaluate_rate  -> FILE.csv, FILE_mean.csv, FILE.png, FILE.svg
    loss     our codec with blocks lost          evaluate_loss  -> the same
    entropy  bytes and times of entropy models   evaluate_entropy  -> FILE.csv, FILE_mean.csv

Every row of FILE.csv is one picture in one case; FILE_mean.csv has the means over the pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from codec import evaluate_figures as figures
from codec.errors import RequestError
from codec.evaluate_entropy import Codings, entropy_means, entropy_table
from codec.evaluate_loss import Cases, loss_means, loss_table, reference_method
from codec.evaluate_pictures import Judge
from codec.evaluate_rate import Say, rate_means, rate_table
from codec.files import write_atomically
from codec.model import Codec

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation: a row each case, the means, and the figure of the means if there is one."""

    table: pd.DataFrame
    means: pd.DataFrame
    figure: "Figure | None" = None

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
        """The means, for a terminal: without the bounds of intervals."""
        extra = [name for name in self.means if name.endswith(("_low", "_high"))]
        shown = self.means.drop(columns=[*extra, *(name for name in ("against",) if name in self.means)])
        return str(shown.to_string(index=False, float_format="%.4f", na_rep="-"))


def check_out(out: Path | None) -> None:
    """Known before the long work: a table is written as .csv into a folder that is there.

    Raises:
        RequestError: If not.
    """
    if out is None:
        return
    if out.suffix.lower() != ".csv":
        raise RequestError(str(out), "tables are written as CSV", out.suffix, "Let the name end in .csv")
    if not out.parent.is_dir():
        raise RequestError(str(out), "cannot be written (there is no such folder)", "", "Make the folder first")


def evaluate_rates(
    codec: Codec, folder: Path, names: Sequence[str], rates: Sequence[float], judge: Judge, say: Say
) -> Evaluation:
    """Rate, distortion, perception; see `rate_table` for the arguments and errors."""
    table = rate_table(codec, folder, names, rates, judge, say)
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


def evaluate_entropy(codec: Codec, folder: Path, codings: Codings) -> Evaluation:
    """Entropy models beside each other; see `entropy_table` for the arguments and errors."""
    table = entropy_table(codec, folder, codings)
    return Evaluation(table, entropy_means(table))
