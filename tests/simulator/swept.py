"""Sweep folders as `python -m simulator sweep` leaves them, made of real runs with the toy codec."""

import hashlib
import itertools
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from simulator import records, run
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
    _tables(folder, [frames for frames, _ in tables], [summary for _, summary in tables])
    (folder / "sweep.yaml").write_text(yaml.safe_dump({"vary": {k: list(v) for k, v in grid.items()}, "seeds": seeds}))
    shutil.copy(next(folder.glob("cells/*/provenance.json")), folder / "provenance.json")
    told = json.loads((folder / "provenance.json").read_text())
    (folder / "provenance.json").write_text(json.dumps({**told, "cells": len(cells)}))
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
    frames = pd.read_parquet(place / "frames.parquet")
    summary = pd.read_csv(place / "summary.csv").drop(columns=["scenario", "codec", "concealment"])
    for number, (key, value) in enumerate(point.items()):
        summary.insert(number, key, value)
    return frames.assign(**point, cell=name), summary.assign(cell=name)


def _tables(folder: Path, frames: Sequence[pd.DataFrame], summaries: Sequence[pd.DataFrame]) -> None:
    records.write_parquet(pd.concat(frames, ignore_index=True), folder / "sweep.parquet")
    records.write_csv(pd.concat(summaries, ignore_index=True), folder / "summary.csv")
