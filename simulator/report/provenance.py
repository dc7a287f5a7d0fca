"""What made the results, for people who want to trace a number: runs, seeds, versions, model."""

import json
import os
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


def models(results: Results) -> list[str]:
    """Each codec with its model hash, as the first cell that has it tells."""
    firsts = results.frames[["codec", "cell"]].drop_duplicates("codec")
    said = []
    for row in firsts.itertuples():
        path = results.cell_folder(row.cell) / "provenance.json"
        known = _facts(path)["model hash"] if path.is_file() else "unknown"
        said.append(f"codec {row.codec}" + (f" (model {known})" if known != "none" else ""))
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


def _facts(path: Path) -> dict[str, str]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(
            str(path), f"cannot be read; it may be torn ({error})", next_step="Run the cell again"
        ) from error
    codec = told.get("codec") if isinstance(told.get("codec"), dict) else {}
    facts = {words: str(told.get(key) or "")[:12] for key, words in OF_A_CELL.items()}
    return {**facts, "codec": str(codec.get("name", "")), "model hash": str(codec.get("model_hash") or "none")[:12]}


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
