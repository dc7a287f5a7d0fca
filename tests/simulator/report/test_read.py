"""Folders that are results, and folders that are not."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from simulator import cli
from simulator.errors import OutputError
from simulator.report.read import read


@pytest.fixture
def copy(sweep: Path, tmp_path: Path) -> Path:
    """A sweep to damage."""
    return Path(shutil.copytree(sweep, tmp_path / "lossy_20pct" / sweep.name))


def test_a_sweep_has_its_cells_keys_and_no_complaints(sweep: Path) -> None:
    found = read(sweep)
    assert found.is_sweep and len(found.cells) == 18 and len(found.frames) == 18 * 12 and found.notes == ()
    assert found.keys == ("channel.loss.rate", "concealment.method") and found.name == f"lossy_20pct/{sweep.name}"


def test_a_cell_is_a_run_too(sweep: Path) -> None:
    cell = next((sweep / "cells").iterdir())
    found = read(cell)
    assert not found.is_sweep and found.cells["cell"].tolist() == [cell.name] and found.keys == ()


def test_missing_cells_are_counted_and_the_others_reported(copy: Path) -> None:
    summary = pd.read_csv(copy / "summary.csv")
    summary.iloc[:-5].to_csv(copy / "summary.csv", index=False)
    found = read(copy)
    assert len(found.cells) == 13 and found.frames["cell"].nunique() == 13
    assert "5 cells are in only one of sweep.parquet and summary.csv" in found.notes[0]
    assert "5 of 18 cells are missing" in found.notes[1] and "Run the same command again" in found.notes[1]


def test_a_sweep_that_was_stopped_is_read_from_its_cells(copy: Path, sweep: Path) -> None:
    for name in ("sweep.parquet", "summary.csv", "provenance.json"):
        (copy / name).unlink()
    shutil.rmtree(sorted((copy / "cells").iterdir())[0])
    found, whole = read(copy), read(sweep)
    assert "is of the 17 cells that are done" in found.notes[0] and found.keys == whole.keys
    same = whole.cells.set_index("cell")[[*whole.keys, "seed", "psnr_db_mean"]]
    mine = found.cells.set_index("cell")[same.columns]
    order = [cell for cell in whole.cells["cell"] if cell in mine.index]
    pd.testing.assert_frame_equal(mine, same.loc[order])  # in the order of the sweep, not of its folders
    assert found.provenance["version"] and not {"seed", "scenario_hash", "codec"} & found.provenance.keys()


def test_a_torn_cell_of_a_sweep_that_was_stopped_is_named(copy: Path) -> None:
    (copy / "sweep.parquet").unlink()
    cell = sorted((copy / "cells").iterdir())[2]
    (cell / "summary.csv").write_bytes(b"")
    with pytest.raises(OutputError, match=rf"{cell.name}/summary.csv: cannot be read.*Delete .*{cell.name} and run"):
        read(copy)


def test_an_empty_sweep_is_refused(copy: Path) -> None:
    for name in ("sweep.parquet", "summary.csv"):
        (copy / name).unlink()
    shutil.rmtree(copy / "cells")
    with pytest.raises(OutputError, match="empty: none of its cells is done. Run the same command again"):
        read(copy)


@pytest.mark.parametrize("name", ["sweep.parquet", "summary.csv", "provenance.json"])
def test_a_torn_file_is_named(copy: Path, name: str) -> None:
    (copy / name).write_bytes(b"\x00PAR1" if name == "sweep.parquet" else b"")
    with pytest.raises(OutputError, match=rf"{name}: cannot be read; it may be torn"):
        read(copy)


def test_a_table_of_something_else_is_refused(copy: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(copy / "sweep.parquet")
    with pytest.raises(OutputError, match="lacks the columns cell, seed, scenario"):
        read(copy)


def test_a_folder_above_results_names_those_below(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(sweep.parent)]) == 2
    err = capsys.readouterr().err
    assert "holds no results" in err and str(sweep) in err and err.count("\n") == 1


@pytest.mark.parametrize(("name", "message"), [("", "holds no results"), ("gone", "no such folder")])
def test_what_is_no_results_folder_is_refused(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=message):
        read(tmp_path / name)
