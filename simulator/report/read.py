"""A results folder -> its tables, its provenance, and what is missing; reads files only.

    run folder      frames.parquet, summary.csv, provenance.json          one cell
    sweep folder    sweep.parquet, summary.csv, provenance.json           a cell a row of summary.csv
    unfinished      cells/*/{frames.parquet, summary.csv, ...}            a cell a folder

Of a finished sweep, only its own files are read here, however many cells it has; the cells' folders
hold pictures and provenance, which other modules read of a few.
"""

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pyarrow.parquet

from simulator import strict_yaml
from simulator.errors import OutputError, SimulatorError
from simulator.records import varied_column

WHO = ("seed", "scenario", "codec", "concealment")
FRAMES_NEEDED = ("frame", "time_capture_ms", "delay_ms", "frozen", "bpp", "tokens_total", "tokens_missing")
NOT_NEEDED = ("bytes_", "packets_", "time_render_ms", "late")  # columns that no report uses start so
AGAIN = "Run the same command again: a sweep does what is missing"
PAIRED = "Until then conditions may be of different clips and seeds: compare schemes by the differences, pair by pair"
OF_ONE_CELL = ("command", "scenario", "scenario_hash", "seed", "codec", "own_code", "wall_s", "packets", "reordered",
               "feedback", "feedback_lost")  # in the provenance of a cell, and not of its sweep  # fmt: skip


@dataclass(frozen=True)
class Results:
    """What a results folder holds.

    Attributes:
        folder: The folder.
        is_sweep: Whether this is a sweep; else a single run.
        frames: One row a frame of any cell; column `cell` says which.
        cells: One row a cell: `cell`, varied keys, `seed`, and the columns of summary.csv.
        keys: The varied keys, dotted, in the order of the sweep; none for a run.
        provenance: provenance.json of the folder.
        setup: The scenario (and grid) as text.
        notes: What a reader must know: cells that are missing, tables that disagree.
    """

    folder: Path
    is_sweep: bool
    frames: pd.DataFrame
    cells: pd.DataFrame
    keys: tuple[str, ...]
    provenance: dict[str, Any]
    setup: str
    notes: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """The name under which the results are cited: <scenario>/<folder>."""
        return f"{self.frames['scenario'].iloc[0]}/{self.folder.resolve().name}"

    def cell_folder(self, cell: str) -> Path:
        """The folder of one cell; it may be gone if only the tables were kept."""
        return self.folder / "cells" / cell if self.is_sweep else self.folder


def read(folder: Path) -> Results:
    """Read a run's or a sweep's folder.

    Raises:
        OutputError: If it is neither, is empty, or holds a torn file.
    """
    if (folder / "sweep.parquet").is_file():
        return _read_sweep(folder)
    if (folder / "sweep.yaml").is_file():
        return _read_unfinished(folder)
    if (folder / "frames.parquet").is_file():
        return _read_run(folder)
    raise _not_results(folder)


def _read_sweep(folder: Path) -> Results:
    frames = _frames(folder / "sweep.parquet", ("cell", *WHO))
    cells = _csv(folder / "summary.csv", ("cell", "seed"))
    if frames.empty or cells.empty:
        raise OutputError(str(folder), "this sweep is empty: its tables have no rows", next_step=AGAIN)
    keys = tuple(str(name) for name in cells.columns if "." in str(name))
    both, notes = _in_both(cells, frames)
    provenance = _json(folder / "provenance.json")
    notes += _missing(both, keys, provenance)
    frames = frames[frames["cell"].isin(both["cell"])]
    return Results(folder, True, frames, both, keys, provenance, _text(folder / "sweep.yaml"), tuple(notes))


def _read_unfinished(folder: Path) -> Results:
    """A sweep that was stopped, or still runs, has cells but no tables of all of them yet."""
    done = sorted(path.parent for path in folder.glob("cells/[!.]*/summary.csv"))
    if not done:
        raise OutputError(str(folder), "this sweep is empty: none of its cells is done", next_step=AGAIN)
    varied = _varied(folder / "sweep.yaml")
    rows = sorted((_cell(cell, tuple(varied)) for cell in done), key=lambda row: _place(row, varied))
    cells = pd.DataFrame([{key: _plain(value) for key, value in row.items()} for row in rows])
    frames = pd.concat([_frames(folder / "cells" / n / "frames.parquet", WHO).assign(cell=n) for n in cells["cell"]])
    note = f"The sweep is not finished; this report is of the {len(done)} cells that are done. {AGAIN}. {PAIRED}."
    told = _json(done[0] / "provenance.json")
    provenance = {"complete": False, **{key: value for key, value in told.items() if key not in OF_ONE_CELL}}
    setup = _text(folder / "sweep.yaml")
    return Results(folder, True, frames.reset_index(drop=True), cells, tuple(varied), provenance, setup, (note,))


def packet_delays_ms(results: Results, cell: str) -> "pd.Series[float]":
    """From sent to received, of each packet of a cell that arrived; empty if the cell's folder is gone.

    Raises:
        OutputError: If the table of packets is torn.
    """
    path = results.cell_folder(cell) / "packets.parquet"
    try:
        packets = pd.read_parquet(path, columns=["time_sent_ms", "time_arrived_ms"])
    except FileNotFoundError:
        return pd.Series(dtype=float)
    except (OSError, ValueError) as error:  # so are pyarrow's errors
        raise _torn(path, error) from error
    return (packets["time_arrived_ms"] - packets["time_sent_ms"]).dropna()


def _place(row: dict[str, Any], varied: dict[str, list[Any]]) -> list[int]:
    """Where a cell stands in the sweep: the first key changes slowest, seeds fastest."""
    places = (values.index(row[key]) if row[key] in values else len(values) for key, values in varied.items())
    return [*places, int(row["seed"])]


def _plain(value: Any) -> Any:
    """A value as it stands in summary.csv."""
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def _varied(path: Path) -> dict[str, list[Any]]:
    """The columns of the varied keys, and their values, in the order of the sweep."""
    try:
        vary = strict_yaml.read(path).plain()["sweep"]["vary"]
        return {varied_column(str(key)): list(values) for key, values in vary.items()}
    except (SimulatorError, KeyError, TypeError, AttributeError) as error:
        raise _torn(path, error) from error


def _cell(folder: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """The row of one cell, with the values its scenario has for the varied keys."""
    scenario = strict_yaml.parse(_text(folder / "scenario.resolved.yaml"), str(folder)).plain()
    paths = {key: key.removesuffix(".*").split(".") for key in keys}
    values = {key: functools.reduce(lambda tree, part: (tree or {}).get(part), paths[key], scenario) for key in keys}
    return {**values, "cell": folder.name, **_csv(folder / "summary.csv").iloc[0].to_dict()}


def _in_both(cells: pd.DataFrame, frames: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Cells that have a summary and frames; a note if there are others."""
    with_frames = set(frames["cell"].unique())
    both = cells[cells["cell"].isin(with_frames)].drop_duplicates("cell").reset_index(drop=True)
    if both.empty:
        raise OutputError("sweep.parquet, summary.csv", "these two tables name no cell in common", next_step=AGAIN)
    odd = len(set(cells["cell"]) ^ with_frames)
    note = f"{odd} cells are in only one of sweep.parquet and summary.csv and are left out."
    return both, [note] if odd else []


def _missing(cells: pd.DataFrame, keys: tuple[str, ...], provenance: dict[str, Any]) -> list[str]:
    """A note if the sweep is not complete: by its own count, else by the grid of the values that occur."""
    grid = int(cells["seed"].nunique())
    for key in keys:
        grid *= int(cells[key].nunique(dropna=False))
    told = provenance.get("cells")
    expected = told if isinstance(told, int) else grid
    missing = expected - len(cells)
    note = f"{missing} of {expected} cells are missing; this report is of the others. {AGAIN}. {PAIRED}."
    return [note] if missing > 0 else []


def _read_run(folder: Path) -> Results:
    frames = _frames(folder / "frames.parquet", WHO)
    if frames.empty:
        raise OutputError(str(folder / "frames.parquet"), "has no rows", next_step="Run the scenario again")
    name = folder.resolve().name
    cells = _csv(folder / "summary.csv").assign(cell=name)
    setup, provenance = _text(folder / "scenario.resolved.yaml"), _json(folder / "provenance.json")
    return Results(folder, False, frames.assign(cell=name), cells, (), provenance, setup)


def _frames(path: Path, who: tuple[str, ...]) -> pd.DataFrame:
    """The columns that a report uses."""
    try:
        names = pyarrow.parquet.read_schema(path).names
        lacking = [name for name in (*who, *FRAMES_NEEDED) if name not in names]
        if lacking:
            raise OutputError(
                str(path), f"lacks the columns {', '.join(lacking)}", next_step="Is it a table of frames?"
            )
        return pd.read_parquet(path, columns=[name for name in names if not name.startswith(NOT_NEEDED)])
    except (OSError, pyarrow.ArrowException) as error:
        raise _torn(path, error) from error


def _csv(path: Path, who: tuple[str, ...] = ("seed",)) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise _torn(path, error) from error
    if lacking := [name for name in who if name not in table]:
        raise OutputError(str(path), f"lacks the columns {', '.join(lacking)}", next_step="Is it a summary?")
    return table


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _torn(path, error) from error
    return values if isinstance(values, dict) else {"provenance": values}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _torn(path, error) from error


def _torn(path: Path, error: Exception) -> OutputError:
    said = (str(getattr(error, "strerror", None) or error).splitlines() or ["empty"])[0]
    next_step = "Delete it and run again"
    if path.parent.parent.name == "cells":
        next_step = f"Delete {path.parent} and run the sweep again: it does what is missing"
    return OutputError(str(path), f"cannot be read; it may be torn ({said})", next_step=next_step)


def _not_results(folder: Path) -> OutputError:
    rule = "holds no results: neither frames.parquet of a run nor sweep.parquet of a sweep"
    if not folder.is_dir():
        return OutputError(str(folder), "no such folder", next_step="Give the folder that run or sweep printed")
    patterns = ("*/frames.parquet", "*/sweep.parquet", "*/*/frames.parquet", "*/*/sweep.parquet")
    below = sorted({path.parent for pattern in patterns for path in folder.glob(pattern)})
    advice = f"Below it are {', '.join(str(path) for path in below[:3])}" if below else "Give the folder of one"
    return OutputError(str(folder), rule, next_step=advice)
