"""What made the results, for people who want to trace a number: runs, seeds, versions, model."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from simulator.errors import OutputError
from simulator.report.read import Results

MOST_CELLS = 200  # cells whose own provenance is read: of a larger sweep, its own file says enough
OF_A_CELL = {"scenario_hash": "scenario hash", "version": "version", "commit": "commit"}


def flat(values: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Nested values as (dotted key, text).

    >>> flat({"codec": {"name": "toy"}, "seed": 1})
    [('codec.name', 'toy'), ('seed', '1')]
    """
    pairs: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            pairs += flat(value, f"{before}{key}.")
        else:
            pairs.append((f"{before}{key}", "" if value is None else str(value)))
    return pairs


def source(results: Results) -> str:
    """One line that names the results, their seeds, version, commit and model."""
    told = results.provenance
    seeds = sorted(int(seed) for seed in results.cells["seed"].unique())
    dense = seeds == list(range(seeds[0], seeds[-1] + 1)) and len(seeds) > 1
    said = f"seeds {seeds[0]} to {seeds[-1]}" if dense else f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    commit = f" ({str(told['commit'])[:12]})" if told.get("commit") else ""
    version = f"vqstream {told.get('version', 'of unknown version')}{commit}"
    return f"{results.name}, {said}, {version}, {', '.join(models(results))}"


def source_of_run(folder: Path) -> str:
    """The same of one run's folder, by its provenance alone.

    Raises:
        OutputError: If that is torn.
    """
    told, facts = _told(folder / "provenance.json"), _facts(folder / "provenance.json")
    name = f"{told.get('scenario')}/{told.get('scenario_hash')}-s{told.get('seed')}"
    commit = f" ({facts['commit']})" if facts["commit"] else ""
    return f"{name}, seed {told.get('seed')}, vqstream {facts['version']}{commit}, {_codec(facts)}"


def _codec(facts: dict[str, str]) -> str:
    return f"codec {facts['codec']}" + (f" (model {facts['model hash']})" if facts["model hash"] != "none" else "")


def models(results: Results) -> list[str]:
    """Each codec with its model hash, as the first cell that has it tells."""
    firsts = results.frames[["codec", "cell"]].drop_duplicates("codec")
    said = []
    for row in firsts.itertuples():
        path = results.cell_folder(row.cell) / "provenance.json"
        known = _facts(path)["model hash"] if path.is_file() else "unknown"
        said.append(_codec({"codec": row.codec, "model hash": known}))
    return said


def cell_facts(results: Results) -> dict[str, dict[str, str]]:
    """Cell -> what its own provenance.json says; nothing of sweeps with more than MOST_CELLS cells.

    Raises:
        OutputError: If a provenance.json is torn.
    """
    if len(results.cells) > MOST_CELLS:
        return {}
    paths = {str(cell): results.cell_folder(str(cell)) / "provenance.json" for cell in results.cells["cell"]}
    return {cell: _facts(path) for cell, path in paths.items() if path.is_file()}


def mixed(facts: dict[str, dict[str, str]]) -> tuple[str, ...]:
    """A note if cells were made by different versions or commits: a sweep was stopped, the package changed.

    >>> mixed({"a": {"version": "1", "commit": "x"}, "b": {"version": "1", "commit": "y"}})
    ('Cells were made by more than one commit of this package: x (1 cell), y (1 cell). See the table of cells.',)
    """
    notes = []
    for what in ("version", "commit"):
        counts = Counter(found.get(what) or "unknown" for found in facts.values())
        if len(counts) > 1:
            each = ", ".join(f"{name} ({count} cell{'s' * (count > 1)})" for name, count in counts.items())
            notes.append(f"Cells were made by more than one {what} of this package: {each}. See the table of cells.")
    return tuple(notes)


def _told(path: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(
            str(path), f"cannot be read; it may be torn ({error})", next_step="Run the cell again"
        ) from error
    return told


def _facts(path: Path) -> dict[str, str]:
    told = _told(path)
    found = told.get("codec")
    codec: dict[str, Any] = found if isinstance(found, dict) else {}
    facts = {words: str(told.get(key) or "")[:12] for key, words in OF_A_CELL.items()}
    facts |= {"codec": str(codec.get("name", "")), "model hash": str(codec.get("model_hash") or "none")[:12]}
    own = told.get("own_code")
    if isinstance(own, dict):
        facts["own code"] = ", ".join(f"{path} {str(code)[:12] or 'no file'}" for path, code in own.items())
    return facts


def links(results: Results, home: Path) -> dict[str, str]:
    """Cell -> its folder as seen from the page's folder; only those that exist, MOST_CELLS at most."""
    folders = {str(cell): results.cell_folder(str(cell)) for cell in results.cells["cell"][:MOST_CELLS]}
    return {cell: address(folder, home) + "/" for cell, folder in folders.items() if folder.is_dir()}


def address(path: Path, home: Path) -> str:
    """A relative address of a file, for a page in `home`."""
    try:
        return quote(Path(os.path.relpath(path.resolve(), home.resolve())).as_posix())
    except ValueError:  # another drive
        return path.resolve().as_uri()
