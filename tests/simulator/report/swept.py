"""Sweep folders as `python -m simulator sweep` leaves them, made of real runs with the toy codec."""

import hashlib
import itertools
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from simulator import records, results, run
from tests.simulator.small import lossy

Grid = Mapping[str, Sequence[Any]]


def write_sweep(parent: Path, grid: Grid, seeds: int, overrides: Sequence[str] = (), without: int = 0) -> Path:
    """Run every cell of a grid and lay the folder out as a sweep does.

    Args:
        parent: Where the folder goes.
        grid: Varied key -> its values.
        seeds: Cells are repeated with seeds 1 to this.
        overrides: For all cells.
        without: Cells to leave out at the end, as if the sweep was stopped.
    """
    folder = parent / "lossy_20pct" / f"sweep-{hashlib.sha256(repr(grid).encode()).hexdigest()[:12]}"
    points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    cells = [(point, seed) for point in points for seed in range(1, seeds + 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simulator.report.write_figures", lambda folder: [])
        tables = [_cell(folder, point, seed, overrides) for point, seed in cells[: len(cells) - without]]
    vary = {"sweep": {"vary": {key: list(values) for key, values in grid.items()}, "seeds": seeds}}
    (folder / "sweep.yaml").write_text(yaml.safe_dump(vary), encoding="utf-8")
    facts = {"complete": not without, "cells": len(cells), "done": len(tables), **results.provenance()}
    results.write_json(folder / "provenance.json", facts)
    records.write_parquet(pd.concat([frames for frames, _ in tables], ignore_index=True), folder / "sweep.parquet")
    records.write_csv(pd.concat([summary for _, summary in tables], ignore_index=True), folder / "summary.csv")
    return folder


def _cell(
    folder: Path, point: Mapping[str, Any], seed: int, overrides: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    done = run.run(lossy(*overrides, *(f"{k}={v}" for k, v in point.items()), seed=seed), folder / "runs").folder
    name = hashlib.sha256(repr((point, seed)).encode()).hexdigest()[:12]
    place = folder / "cells" / name
    place.parent.mkdir(exist_ok=True)
    shutil.move(done, place)
    shutil.rmtree(folder / "runs")
    tables = pd.read_parquet(place / "frames.parquet"), pd.read_csv(place / "summary.csv")
    for table in tables:
        for number, (key, value) in enumerate({**point, "cell": name}.items()):
            table.insert(number, key, value)
    return tables
