"""The folder of a sweep: what is done, what failed, and the tables over all cells.

<out>/<scenario name>/sweep-<hash>/
    sweep.yaml        the scenario and what varies; `sweep` understands it again
    provenance.json   what made it; written last: with "complete": true nothing is left to do
    sweep.parquet     frames of all cells: the varied keys, cell, then the columns of `frames`
    summary.csv       one row a cell: the varied keys, cell, then the columns of its summary.csv
    journal.jsonl     one line a call of `sweep`: when, how, how long
    cells/<hash>/     one run each, moved there when complete
        scenario.resolved.yaml  provenance.json  packets.parquet  frames.parquet  summary.csv
        timing.json   wall-clock time, here and in the journal only: all else is the same bytes each time
    failed/<hash>.json   cells that could not be done, with their error
"""

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator import records, results, strict_yaml
from simulator.errors import OutputError
from simulator.sweep_grid import Cell, Grid

if TYPE_CHECKING:
    import pyarrow as pa


class Store:
    """One sweep's folder.

    Args:
        folder: It need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cells = folder / "cells"
        self._failed = folder / "failed"

    def start(self, grid: Grid) -> None:
        """Make the folder.

        Raises:
            OutputError: If it cannot be made.
        """
        with results.writing(self.folder):
            self.cells.mkdir(parents=True, exist_ok=True)
        with records.replacing(self.folder / "sweep.yaml") as temporary:
            results.write_text(temporary, strict_yaml.dump(grid.plain()))

    def has(self, name: str) -> bool:
        """Whether a cell is done."""
        return (self.cells / name).is_dir()

    def done(self) -> set[str]:
        """Names of all cells that are done, by one listing of the folder."""
        try:
            return {entry.name for entry in os.scandir(self.cells) if not entry.name.startswith(".")}
        except (FileNotFoundError, NotADirectoryError):  # `start` says what is in the way
            return set()

    def write(self, name: str, fill: Callable[[Path], None]) -> None:
        """Fill a new folder and move it to its place; one that is there already stays.

        Raises:
            OutputError: If it cannot be written.
        """
        temporary = results.start(self.cells, name)
        try:
            with results.writing(temporary):
                fill(temporary)
                if not self.has(name):
                    os.rename(temporary, self.cells / name)
        except OutputError:
            if not self.has(name):  # else somebody else was quicker, with the same result
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def leftovers(self) -> dict[str, list[Path]]:
        """What processes that died, or are at work now, have half-written of each cell."""
        found: dict[str, list[Path]] = {}
        for entry in os.scandir(self.cells):
            if entry.name.endswith(".partial"):
                found.setdefault(entry.name.split(".")[1], []).append(Path(entry.path))
        return found

    def tidy(self) -> None:
        """Remove the claims and halves that dead processes left of cells that others did; the living miss neither."""
        done = self.done()
        for entry in list(os.scandir(self.cells)):
            if entry.name.startswith(".") and entry.name.split(".")[1] in done:
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry, ignore_errors=True)
                else:
                    with suppress(FileNotFoundError):
                        os.unlink(entry)

    def fail(self, cell: Cell, error: str) -> None:
        """Remember why a cell could not be done.

        Raises:
            OutputError: If that cannot be written.
        """
        with results.writing(self._failed):
            self._failed.mkdir(exist_ok=True)
        what = {"cell": cell.name, "seed": cell.scenario.seed, "varied": cell.varied, "error": error}
        with records.replacing(self._failed / f"{cell.name}.json") as temporary:
            results.write_json(temporary, what)

    def failures(self) -> dict[str, dict[str, Any]]:
        """What is known of cells that failed, by name."""
        found = {}
        for path in sorted(self._failed.glob("*.json")):
            found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def forgive(self, names: set[str]) -> None:
        """Forget that these cells failed: they are done, or about to be tried again."""
        for path in self._failed.glob("*.json"):
            if path.stem in names:
                path.unlink(missing_ok=True)
        if self._failed.is_dir() and not any(self._failed.iterdir()):
            shutil.rmtree(self._failed, ignore_errors=True)

    def is_complete(self) -> bool:
        """Whether all cells are done and in the tables, by one listing and one small file."""
        try:
            facts = json.loads((self.folder / "provenance.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        tables = all((self.folder / name).is_file() for name in ("sweep.parquet", "summary.csv"))
        return tables and facts["complete"] is True and len(self.done()) == facts["cells"]

    def collect(self, cells: Sequence[Cell]) -> None:
        """Write the tables over all cells that are done, in the order of the grid; provenance last.

        Raises:
            OutputError: If they cannot be written.
        """
        done = self.done()
        there = [cell for cell in cells if cell.name in done]
        if there:
            import pyarrow.parquet

            with records.replacing(self.folder / "sweep.parquet") as temporary:
                pyarrow.parquet.write_table(self._frames(there), temporary, compression="zstd")
            with records.replacing(self.folder / "summary.csv") as temporary:
                self._write_summary(there, temporary)
        facts = {"complete": len(there) == len(cells), "cells": len(cells), "done": len(there)}
        with records.replacing(self.folder / "provenance.json") as temporary:
            results.write_json(temporary, {**facts, **results.provenance()})

    def note(self, facts: dict[str, Any]) -> None:
        """Add a line to the journal.

        Raises:
            OutputError: If it cannot be written.
        """
        with results.writing(self.folder), (self.folder / "journal.jsonl").open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(facts) + "\n")

    def _frames(self, cells: Sequence[Cell]) -> "pa.Table":
        import pyarrow as pa

        with ThreadPoolExecutor(os.cpu_count()) as readers:  # as many as there are workers idle meanwhile
            tables = list(readers.map(self._cell_frames, cells))
        rows = [table.num_rows for table in tables]
        whole = pa.concat_tables([table.replace_schema_metadata(None) for table in tables], promote_options="default")
        columns = [(key, column([cell.varied[key] for cell in cells])) for key in cells[0].varied]
        columns.append(("cell", [cell.name for cell in cells]))
        for place, (key, values) in enumerate(columns):
            spread = [value for value, count in zip(values, rows, strict=True) for _ in range(count)]
            whole = whole.add_column(place, key, pa.array(spread))
        return whole

    def _cell_frames(self, cell: Cell) -> "pa.Table":
        """By `ParquetFile`: for small files, half the time of `read_table`."""
        import pyarrow.parquet

        path = self.cells / cell.name / "frames.parquet"
        with _whole(path), pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:
            return file.read(use_threads=False)

    def _write_summary(self, cells: Sequence[Cell], path: Path) -> None:
        """Join the rows as text, so that every digit stays as its run wrote it."""
        rows, names = [], dict.fromkeys([*cells[0].varied, "cell"])
        for cell in cells:
            own = self.cells / cell.name / "summary.csv"
            with _whole(own), own.open(encoding="utf-8", newline="") as file:
                (row,) = csv.DictReader(file)
            names |= dict.fromkeys(row)
            rows.append({**{key: text(value) for key, value in cell.varied.items()}, "cell": cell.name, **row})
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(names), restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Name a file of a cell that cannot be read: a power cut may leave one half on the disk."""
    try:
        yield
    except (OSError, ValueError) as error:  # so are pyarrow's errors
        next_step = f"Delete {path.parent} and call again: it does what is missing"
        raise OutputError(str(path), f"cannot be read; it may be torn ({error})", next_step=next_step) from error


def column(values: Sequence[Any]) -> list[Any]:
    """Values of one type for a column: numbers or truths if all are, else text; None stays empty.

    >>> column([0, 0.5, None]), column(["none", 0.5]), column([[0, 1], {"model": "none"}])
    ([0.0, 0.5, None], ['none', '0.5'], ['[0, 1]', '{"model": "none"}'])
    """
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    if len(kinds) <= 1 and not kinds & {list, dict}:
        return list(values)
    return [None if value is None else text(value) for value in values]


def text(value: Any) -> str:
    """A value as it stands in a CSV file: words as they are, all else as JSON, None as nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
