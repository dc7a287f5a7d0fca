"""Results made ready for estimates: sums per cell, laid out as conditions by units.

frames, one row a frame --sum per cell--> one row a cell --lay out--> [conditions, units]
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulator import metrics
from simulator.report import schemes
from simulator.report.bootstrap import Floats, Sums, draw_weights
from simulator.report.labels import labels
from simulator.report.read import Results
from simulator.report.schemes import CONDITION, Roles
from simulator.report.style import UNITS

ALWAYS = ("bpp", "frozen", "tokens_total", "tokens_missing", "tokens_correct")


@dataclass(frozen=True)
class Study:
    """A results folder, understood.

    Attributes:
        results: The files.
        roles: What the varied keys mean.
        cells: One row a cell, with scheme, network, rate, loss and unit.
        conditions: One row a condition: scheme, rate, loss, and `cells`, how many it has.
        metrics: Quality metrics that hold numbers, the best known first.
        baseline: (key, value) of the scheme that others are compared with; None if there is one scheme.
        partners: Scheme -> its baseline.
        weights: Of the resamples, float64 [draws, units].
        totals, counts: Per cell, the sum of a column over frames, and its frames with a number.
    """

    results: Results
    roles: Roles
    cells: pd.DataFrame
    conditions: pd.DataFrame
    metrics: tuple[str, ...]
    baseline: tuple[str, str] | None
    partners: dict[str, str]
    weights: Floats
    totals: pd.DataFrame
    counts: pd.DataFrame
    place: tuple[NDArray[np.intp], NDArray[np.intp]]

    def sums(self, top: str, bottom: str | None = None) -> Sums:
        """A column's mean over frames, or the ratio of two columns' sums, as [conditions, units]."""
        below = self.counts[top] if bottom is None else self.totals[bottom]
        return Sums(self._lay_out(self.totals[top]), self._lay_out(below))

    def _lay_out(self, values: pd.Series) -> Floats:
        grid = np.zeros((len(self.conditions), self.weights.shape[1]))
        np.add.at(grid, self.place, values.to_numpy(dtype=float))
        return grid

    @cached_property
    def first_cells(self) -> dict[tuple[str, str, float | None], int]:
        """Row of the first cell of each (scheme, rate, loss), and with loss None of each (scheme, rate)."""
        found: dict[tuple[str, str, float | None], int] = {}
        keys = zip(*(self.cells[name] for name in CONDITION), strict=True)
        for place, (scheme, rate, loss) in enumerate(keys):
            for each in (float(loss), None):
                found.setdefault((str(scheme), str(rate), each), place)
        return found

    @property
    def baseline_words(self) -> str:
        """The baseline's value in words; none if there is no baseline."""
        if self.baseline is None:
            return ""
        key, value = self.baseline
        return labels(key, self.cells[key])[value]

    @property
    def schemes(self) -> list[str]:
        """All schemes, in the order of the sweep."""
        return [str(name) for name in self.cells["scheme"].cat.categories]

    @property
    def losses(self) -> list[float]:
        """The loss rates of the sweep, rising; one nan if the loss does not vary."""
        return sorted(float(value) for value in self.conditions["loss"].unique())

    @property
    def rates(self) -> list[str]:
        """The codec's rates, rising; one empty word if the rate does not vary."""
        return [str(name) for name in self.cells["rate"].cat.categories]


def study(results: Results, asked_baseline: str | None = None) -> Study:
    """Understand a results folder.

    Raises:
        OutputError: If the baseline is unknown here, or a loss rate is no share.
    """
    roles = schemes.roles(results)
    cells = schemes.conditions(results, roles)
    baseline = schemes.baseline_key(roles, cells, asked_baseline)
    groups = cells.groupby(CONDITION, dropna=False, observed=True, sort=True)
    conditions = groups.size().reset_index(name="cells")
    units, names = pd.factorize(cells["unit"])
    totals, counts = _per_cell(results.frames, cells["cell"])
    return Study(
        results, roles, cells, conditions, _metrics(results.frames), baseline, schemes.pairs(roles, cells, baseline),
        draw_weights(len(names)), totals, counts, (groups.ngroup().to_numpy(), units),
    )  # fmt: skip


def _metrics(frames: pd.DataFrame) -> tuple[str, ...]:
    measured = [name for name in metrics.quality_columns(frames) if not name.endswith(("_lossless", "_holes"))]
    return tuple(sorted(measured, key=lambda name: list(UNITS).index(name) if name in UNITS else len(UNITS)))


def _per_cell(frames: pd.DataFrame, cells: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    columns = [name for name in (*ALWAYS, *metrics.quality_columns(frames)) if name in frames]
    groups = frames[[*columns, "cell"]].astype(dict.fromkeys(columns, float)).groupby("cell")
    return groups.sum().loc[cells], groups.count().loc[cells]
