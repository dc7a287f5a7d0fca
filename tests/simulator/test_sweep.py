"""Sweeps: what is missing is done, by whom and in what order makes no difference to a byte."""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from simulator import (
    cli,
    progress,
    run,
    run_files,
    scenario,
    sweep,
    sweep_claims,
    sweep_grid,
    sweep_pool,
    sweep_store,
    sweep_work,
)
from simulator.errors import MediaError, PoolError, ScenarioError
from simulator.media import DecodedFrame, Slice
from simulator.report.read import read
from simulator.report.study import study
from simulator.toy_media import ToyCodec
from tests.simulator.small import SCENARIOS, SHORT, lossy

ROOT = Path(__file__).parents[2]
MAIN = SCENARIOS / "lossy_20pct.yaml"
TINY = (*SHORT, "source.count=6", "source.size=[32, 32]")
RATES = "channel.loss.rate=0,0.3,60 %"
METHODS = "concealment.method=none,neighbour_mean"


def grid(*overrides: str, vary: Sequence[str] = (RATES, METHODS), seeds: int = 2) -> sweep_grid.Grid:
    return sweep_grid.read(MAIN, [*TINY, *overrides], vary, seeds)


def silent(done: int, failed: int, total: int) -> None:
    """Show nothing."""


def swept(out: Path, made: sweep_grid.Grid | None = None, **options: Any) -> sweep.Status:
    return sweep.sweep(made or grid(), out, sweep.Options(**options), silent)


def files(folder: Path) -> dict[str, bytes]:
    """All files of a sweep but those that hold wall-clock time."""
    timed = ("timing.json", "journal.jsonl")
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in timed)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep that nobody disturbed, for tests that only read."""
    return swept(tmp_path_factory.mktemp("whole")).folder


# The grid


def test_cells_are_all_combinations_in_order_with_seeds_fastest() -> None:
    cells = list(grid().cells())
    assert grid().size == len(cells) == len({cell.name for cell in cells}) == 3 * 2 * 2
    assert [cell.scenario.seed for cell in cells[:4]] == [1, 2, 1, 2]
    assert cells[0].varied == {"channel.loss.rate": 0.0, "concealment.method": "none"}
    assert cells[-1].varied == {"channel.loss.rate": 0.6, "concealment.method": "neighbour_mean"}
    assert cells[-1].scenario == scenario.load(
        MAIN, [*TINY, "channel.loss.rate=0.6", "concealment.method=neighbour_mean"], 2
    )


def test_the_name_of_a_sweep_ignores_spelling_but_no_value() -> None:
    name = grid().name()
    assert name == grid(vary=("channel.loss.rate=0, 30 %, 0.6", METHODS)).name() and len(name) == 12
    others = [
        grid(seeds=3),
        grid("source.fps=10"),
        grid(vary=(RATES,)),
        grid(vary=("channel.loss.rate=0,0.3", METHODS)),
    ]
    assert len({name, *(other.name() for other in others)}) == 5


def test_other_weights_are_another_sweep(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"1")
    options = ("codec={name: vq}", f"codec.weights={tmp_path}")
    one = grid(*options, vary=(RATES,))
    names = one.name(), next(one.cells()).name
    (tmp_path / "a.safetensors").write_bytes(b"2")
    sweep_grid.media_loader.identity.cache_clear()
    assert names[0] != one.name() and names[1] != next(one.cells()).name


def test_a_file_says_what_varies_and_the_command_line_has_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("codec: {name: toy}\nchannel: {loss: {model: bernoulli}}\nconcealment: {method: none}\n"
                    "sweep:\n  vary: {channel.loss.rate: [0, 5 %]}\n  seeds: 3\n")  # fmt: skip
    assert sweep_grid.read(path).size == 6
    shown = sweep_grid.read(path, vary=["channel.loss.rate=0.1", METHODS], seeds=1)
    assert [list(cell.varied.values()) for cell in shown.cells()] == [[0.1, "none"], [0.1, "neighbour_mean"]]


def test_the_file_left_in_the_folder_is_the_same_sweep(whole: Path) -> None:
    again = sweep_grid.read(whole / "sweep.yaml")
    assert f"sweep-{again.name()}" == whole.name


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        ("channel.loss.rte=0,1", "channel.loss.rte: unknown key. Did you mean rate?"),
        ("channel.loss.rate=0,2", "channel.loss.rate: a share is a number from 0 to 1"),
        ("channel.loss.rate=5 %,0.05", "mean the same: '5 %' and 0.05. Leave one of them out"),
        ("channel.loss.rate", "is a key and its values. Example: --vary channel.loss.rate=0,5%,10%"),
        ("channel.loss.rate=", "is a key and its values"),
        ("channel.loss.rate=[0", "not valid YAML"),
        ("seed=1,2", "--vary seed: cannot be varied. Example: --seeds 5"),
    ],
)
def test_what_cannot_be_varied_is_refused_before_anything_is_written(
    vary: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = [part for override in TINY for part in ("--set", override)]
    assert cli.main(["sweep", str(MAIN), *sets, "--vary", vary, "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert message in said and vary.split("=")[0] in said and not list(tmp_path.iterdir())


def test_a_wrong_sweep_section_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("codec: {name: toy}\nsweep:\n  seeds: 0\n")
    with pytest.raises(ScenarioError, match=r"mine.yaml:3: sweep.seeds: must be at least 1, got 0"):
        sweep_grid.read(path)


# The tables


def test_tables_equal_those_of_separate_runs(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.report.write_figures", lambda folder: [])
    for cell in list(grid().cells())[::3]:
        alone = run.run(cell.scenario, tmp_path).folder
        for name in ("frames.parquet", "packets.parquet", "scenario.resolved.yaml"):
            assert (alone / name).read_bytes() == (whole / "cells" / cell.name / name).read_bytes(), name
        rows = [pd.read_csv(folder / "summary.csv") for folder in (alone, whole / "cells" / cell.name)]
        pd.testing.assert_frame_equal(rows[0].drop(columns="wall_s"), rows[1])


def test_the_tables_over_all_cells_hold_them_in_order_with_what_varied_first(whole: Path) -> None:
    cells, frames = list(grid().cells()), pd.read_parquet(whole / "sweep.parquet")
    summary = pd.read_csv(whole / "summary.csv")
    first = ["channel.loss.rate", "concealment.method", "cell"]
    assert list(frames.columns[:3]) == list(summary.columns[:3]) == first and "wall_s" not in summary
    assert frames["cell"].tolist() == [cell.name for cell in cells for _ in range(6)]
    assert summary["cell"].tolist() == [cell.name for cell in cells]
    for number, cell in enumerate(cells):
        assert summary.loc[number, "channel.loss.rate"] == cell.varied["channel.loss.rate"]
        alone = pd.read_parquet(whole / "cells" / cell.name / "frames.parquet")
        part = frames[frames["cell"] == cell.name].reset_index(drop=True)
        pd.testing.assert_frame_equal(part[alone.columns], alone)
        assert (part["seed"] == cell.scenario.seed).all()


def test_a_whole_section_may_vary(tmp_path: Path) -> None:
    both = "codec={name: toy},{name: 'tests.simulator.test_sweep:Fragile'}"
    folder = swept(tmp_path, grid("concealment.method=none", vary=(both,), seeds=2)).folder
    frames, summary = pd.read_parquet(folder / "sweep.parquet"), pd.read_csv(folder / "summary.csv")
    assert list(summary.columns[:2]) == list(frames.columns[:2]) == ["codec.*", "cell"]
    assert [json.loads(value)["name"] for value in summary["codec.*"]] == ["toy"] * 2 + [FRAGILE.partition("=")[2]] * 2
    assert set(summary["codec"]) == {"toy"} and frames.columns.is_unique
    known = study(read(folder), "codec=toy")
    assert known.schemes == ["toy", FRAGILE.partition("=")[2]] and len(known.partners) == 1
    for name in ("sweep.parquet", "summary.csv"):  # as if it had been stopped
        (folder / name).unlink()
    assert study(read(folder)).schemes == known.schemes


def test_a_folder_holds_what_is_promised_and_nothing_else(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} == {
        "sweep.yaml", "provenance.json", "sweep.parquet", "summary.csv", "journal.jsonl", "cells",
    }  # fmt: skip
    for cell in (whole / "cells").iterdir():
        assert {path.name for path in cell.iterdir()} == {
            "scenario.resolved.yaml", "provenance.json", "packets.parquet", "frames.parquet", "summary.csv",
            "timing.json",
        }  # fmt: skip


def test_pictures_are_kept_if_asked_for_and_no_figures(tmp_path: Path) -> None:
    made = sweep_grid.read(MAIN, TINY, ["channel.loss.rate=0.5"], pictures=True)
    folder = swept(tmp_path, made).folder
    assert folder.name != f"sweep-{sweep_grid.read(MAIN, TINY, ['channel.loss.rate=0.5']).name()}"
    assert len(list(folder.glob("cells/*/frames/*.png"))) == 3 * 4
    assert not list(folder.glob("cells/*/figures")), "two seconds a cell, and a report makes them from its files"


# What is missing


def test_what_is_missing_is_done_again_and_nothing_else(whole: Path, tmp_path: Path) -> None:
    folder = swept(tmp_path).folder
    names = sorted(path.name for path in (folder / "cells").iterdir())
    kept = (folder / "cells" / names[0]).stat().st_mtime_ns
    assert not (folder / "failed").exists()
    for name in names[1:5]:
        for path in (folder / "cells" / name).iterdir():
            path.unlink()
        (folder / "cells" / name).rmdir()
    (folder / "sweep.parquet").unlink()
    assert sweep.status(grid(), tmp_path).done == len(names) - 4
    assert swept(tmp_path).done == len(names)
    assert files(folder) == files(whole) and (folder / "cells" / names[0]).stat().st_mtime_ns == kept


def test_a_finished_sweep_looks_at_no_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept(tmp_path)

    def refuse(*_: object) -> None:
        raise AssertionError("a cell was looked at")

    monkeypatch.setattr(sweep_grid.Grid, "cells", refuse)
    monkeypatch.setattr(sweep_store.Store, "collect", refuse)
    assert swept(tmp_path).done == grid().size


def test_two_processes_give_the_same_bytes_as_one(whole: Path, tmp_path: Path) -> None:
    assert files(swept(tmp_path, jobs=2).folder) == files(whole)


def command(out: Path, *more: str) -> list[str]:
    sets = [part for override in TINY for part in ("--set", override)]
    made = [*sets, "--vary", RATES, "--vary", METHODS, "--seeds", "2", "--out", str(out), *more]
    return [sys.executable, "-m", "simulator", "sweep", str(MAIN), *made]


def test_a_sweep_killed_and_called_again_gives_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    """The first call kills itself by SIGKILL after its third cell, in the middle of the fourth."""
    code = (
        "import os, signal, sys; from simulator import cli, results, sweep_store\n"
        "write = results.write_json\n"
        "def kill(path, values):\n"
        "    if len(list(path.parent.parent.glob('[0-9a-f]*'))) == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    write(path, values)\n"
        "results.write_json = kill; cli.main(sys.argv[1:])"
    )
    done = subprocess.run([sys.executable, "-c", code, *command(tmp_path)[3:]], cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    folder = tmp_path / "lossy_20pct" / whole.name
    left = [path.name for path in (folder / "cells").iterdir()]
    assert sum(name[0] != "." for name in left) == 3 and any(name.endswith(".partial") for name in left)
    assert any(name.endswith(".claim") for name in left), "the dead one's claims are still there"
    assert swept(tmp_path).done == grid().size
    assert files(folder) == files(whole)
    assert not [path.name for path in (folder / "cells").iterdir() if path.name[0] == "."], "litter of the dead"


@pytest.mark.slow
def test_two_sweeps_of_one_folder_share_the_work_and_lose_nothing(whole: Path, tmp_path: Path) -> None:
    both = [subprocess.Popen(command(tmp_path, "--quiet"), cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [each.wait() for each in both] == [0, 0]
    assert files(tmp_path / "lossy_20pct" / whole.name) == files(whole)
    assert not list(tmp_path.glob("*/*/cells/.*"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of a library whose worker was killed
def test_a_cluster_that_loses_a_worker_loses_no_cell(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        pids, submit = [worker.pid for worker in cluster.workers.values()], sweep_pool.Pool.submit
        submitted: list[Any] = []

        def submit_and_kill(pool: sweep_pool.Pool, *work: Any) -> Any:
            submitted.append(submit(pool, *work))
            if len(submitted) == 2:  # one job for each worker
                os.kill(pids[0], signal.SIGKILL)
            return submitted[-1]

        monkeypatch.setattr(sweep_pool.Pool, "submit", submit_and_kill)
        told = swept(tmp_path, scheduler=cluster.scheduler_address)
    assert len(submitted) >= 2 and told.done == grid().size and not told.failed
    assert files(told.folder) == files(whole)


def test_a_scheduler_that_is_not_there_is_an_error() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(PoolError, match="--scheduler: no Dask scheduler answers there"):
        sweep_pool.Pool(scheduler="nonsense")


# Claims


def test_a_claim_holds_while_its_owner_lives_and_no_longer(tmp_path: Path) -> None:
    one, other = sweep_claims.Claims(tmp_path), sweep_claims.Claims(tmp_path)
    assert one.claim("a") and not other.claim("a") and other.taken("a") and not one.taken("a")
    one.release(["a"])
    assert not other.taken("a") and other.claim("a")
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    os.symlink(f"{sweep_claims.socket.gethostname()}:{int(dead.stdout)}:1", tmp_path / ".b.claim")
    assert not one.taken("b") and one.claim("b")
    os.symlink(f"{sweep_claims.socket.gethostname()}:{os.getpid()}:1", tmp_path / ".c.claim")
    assert one.claim("c"), "the number lives, but it is another process"
    one.release_all()
    assert [path.name for path in tmp_path.iterdir()] == [".a.claim"]


def test_a_claim_of_another_host_holds_as_long_as_it_is_renewed(tmp_path: Path) -> None:
    os.symlink("elsewhere.example:1:1", tmp_path / ".a.claim")
    claims = sweep_claims.Claims(tmp_path)
    assert claims.taken("a") and not claims.claim("a")
    os.utime(tmp_path / ".a.claim", (0, 0), follow_symlinks=False)
    assert not claims.taken("a") and claims.claim("a")


# Failures


class Fragile(ToyCodec):
    """Refuses to conceal anything, and counts what it decodes."""

    calls = 0

    def decode(
        self, received: Sequence[Sequence[Slice]], size: tuple[int, int], concealment: str, temporal: bool
    ) -> list[DecodedFrame]:
        type(self).calls += len(received)
        if concealment == "neighbour_mean":
            raise MediaError("concealment.method", "fragile has none", concealment)
        return super().decode(received, size, concealment, temporal)


FRAGILE = "codec.name=tests.simulator.test_sweep:Fragile"


def test_failed_cells_are_told_with_their_error_and_the_others_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = command(tmp_path, "--set", FRAGILE)[3:]
    assert cli.main(arguments) == 1
    out = capsys.readouterr().out
    assert "6 of 12 cells done, 0 missing, 6 failed" in out
    assert (
        "channel.loss.rate=0.3, concealment.method=neighbour_mean, seed 2: concealment.method: fragile has none" in out
    )
    (folder,) = (tmp_path / "lossy_20pct").iterdir()
    assert len(pd.read_csv(folder / "summary.csv")) == 6 and len(list((folder / "failed").iterdir())) == 6
    assert json.loads((folder / "provenance.json").read_text())["complete"] is False
    assert cli.main([*arguments, "--status"]) == 1
    assert "6 of 12 cells done, 0 missing, 6 failed" in capsys.readouterr().out


def test_cells_that_failed_are_tried_again_by_the_next_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(swept(tmp_path, grid(FRAGILE), retries=0).failed) == 6
    sweep_work._memory.film = None
    monkeypatch.setattr(Fragile, "decode", ToyCodec.decode)
    told = swept(tmp_path, grid(FRAGILE))
    assert told.done == 12 and not told.failed and not (told.folder / "failed").exists()


def test_fail_fast_stops_at_the_first(tmp_path: Path) -> None:
    made = grid(FRAGILE, vary=("concealment.method=neighbour_mean,none", "channel.loss.rate=0,0.3"), seeds=20)
    told = swept(tmp_path, made, fail_fast=True, retries=0)
    assert told.failed and told.done < 40 and told.done + len(told.failed) < 80


def test_a_failure_that_passes_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, left = run_files.write, [3]

    def flaky(*arguments: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise OSError(5, "Input/output error")
        return real(*arguments)

    monkeypatch.setattr("simulator.run_files.write", flaky)
    assert swept(tmp_path, retries=3).done == 12


# Trouble in the middle


def trouble(monkeypatch: pytest.MonkeyPatch, error: BaseException, after: int = 3) -> None:
    """Writing a cell fails from the given one on."""
    real, written = run_files.write, [0]

    def write(*arguments: Any) -> Any:
        written[0] += 1
        if written[0] > after:
            raise error
        return real(*arguments)

    monkeypatch.setattr("simulator.run_files.write", write)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(28, "No space left on device"), 2, "cannot be written (No space left on device)"),
        (KeyboardInterrupt(), 130, "interrupted; what is done is kept; the same command does the rest"),
    ],
)
def test_a_full_disk_or_ctrl_c_stops_at_once_and_keeps_what_is_done(
    error: BaseException, code: int, words: str, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        trouble(patch, error)
        assert cli.main(command(tmp_path)[3:]) == code
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said
    folder = tmp_path / "lossy_20pct" / whole.name
    left = [path.name for path in (folder / "cells").iterdir()]
    assert len(left) == 3 and not any(name.startswith(".") for name in left) and not (folder / "failed").exists()
    assert swept(tmp_path).done == grid().size and files(folder) == files(whole)


@pytest.mark.slow
def test_ctrl_c_ends_two_processes_without_a_word_too_many(tmp_path: Path) -> None:
    code = (
        "import signal, sys; from simulator import cli\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell may have it ignored in the background
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    arguments = [*command(tmp_path, "--jobs", "2", "--quiet")[3:], "--seeds", "60"]
    call = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while call.poll() is None and not list(tmp_path.glob("*/*/cells/[!.]*")):
        time.sleep(0.02)
    os.killpg(call.pid, signal.SIGINT)  # as a terminal does: to all of them
    said = call.communicate()[1]
    assert call.returncode == 130, said
    assert said.strip() == "interrupted; what is done is kept; the same command does the rest"
    assert list(tmp_path.glob("*/*/cells/[!.]*")) and not list(tmp_path.glob("*/*/cells/.*.claim"))


def test_a_torn_cell_is_named_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = swept(tmp_path).folder
    for name, rest in (("frames.parquet", b"PAR1"), ("summary.csv", b"")):
        (folder / "sweep.parquet").unlink()
        cell = sorted((folder / "cells").iterdir())[4]
        (cell / name).write_bytes(rest)
        assert cli.main(command(tmp_path)[3:]) == 2
        said = capsys.readouterr().err
        assert f"{cell / name}: cannot be read; it may be torn" in said and f"Delete {cell} and call again" in said
        shutil.rmtree(cell)
        assert swept(tmp_path).done == grid().size


def test_changed_code_of_the_users_is_another_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    names = set()
    for step in (1, 2):
        (tmp_path / "mine_to_change.py").write_text(f"def guess(batch, received, codebook): return {step}\n")
        sweep_grid.own_code.code_hash.cache_clear()
        sys.modules.pop("mine_to_change", None)
        made = grid(vary=("concealment.method=none,mine_to_change:guess",), seeds=1)
        names |= {cell.name for cell in made.cells()}
    assert len(names) == 3  # the cell without it is the same one


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("not_there_at_all:guess", "cannot import not_there_at_all (No module named"),
        ("slips:gues", "module slips has no gues"),
        ("slipped:guess", "cannot import slipped (SyntaxError: '(' was never closed (slipped.py, line 2))"),
    ],
)
def test_a_slip_in_the_users_code_is_known_before_anything_is_done(
    path: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "slips.py").write_text("def guess(batch, received, codebook): return []\n")
    (tmp_path / "slipped.py").write_text("\ndef guess(\n")
    out = tmp_path / "out"
    for vary in (f"concealment.method=none,{path}", f"channel.queue={{model: infinite}},{{model: '{path}'}}"):
        assert cli.main(["sweep", str(MAIN), "--vary", vary, "--out", str(out)]) == 2
        said = capsys.readouterr().err
        assert words in said and vary.partition("=")[0] in said and len(said.splitlines()) == 1
    assert not out.exists()


def test_own_code_stands_in_the_provenance_of_the_cells_that_name_it(tmp_path: Path) -> None:
    own = "tests.simulator.test_sweep:Fragile"
    made = grid("concealment.method=none", vary=(f"codec.name=toy,{own}",), seeds=1)
    told = swept(tmp_path, made)
    facts = {name: json.loads((told.folder / "cells" / name / "provenance.json").read_text()) for name in
             (cell.name for cell in made.cells())}  # fmt: skip
    toy, mine = facts.values()
    assert "own_code" not in toy
    assert mine["own_code"] == {own: hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}


# What is shared


def test_each_picture_is_decoded_once_for_all_cells_of_a_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fragile, "decode", _count)
    Fragile.calls = 0
    rates = "channel.loss.rate=0,0.1,0.2,0.3,0.4,0.5"
    swept(tmp_path / "a", grid(FRAGILE, vary=(rates, METHODS), seeds=1))
    together, Fragile.calls = Fragile.calls, 0
    for rate in rates.partition("=")[2].split(","):
        for method in ("none", "neighbour_mean"):
            sweep_work._memory.film = None
            swept(
                tmp_path / "b",
                grid(FRAGILE, f"concealment.method={method}", f"channel.loss.rate={rate}", vary=(), seeds=1),
            )
    assert 0 < together * 2 < Fragile.calls


def _count(self: Fragile, received: Any, size: Any, concealment: str, temporal: bool) -> list[DecodedFrame]:
    Fragile.calls += len(received)
    return ToyCodec.decode(self, received, size, concealment, temporal)


def test_jobs_hold_cells_of_one_film_and_are_enough_for_all_workers() -> None:
    cells = sweep_work.order(grid(seeds=3).cells())
    films = [[cell.scenario.seed for cell in part] for part in sweep_work.jobs(cells, 256, 2)]
    assert films == [[1] * 6, [2] * 6, [3] * 6]
    assert [len(part) for part in sweep_work.jobs(cells, 256, 9)] == [2] * 9
    assert [len(part) for part in sweep_work.jobs(cells, 4, 1)] == [4, 2] * 3
    assert not list(sweep_work.jobs([], 4, 2))


# What people see


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere() -> None:
    plain, bar = io.StringIO(), Terminal()
    for stream in (plain, bar):
        show = progress.SweepProgress(stream, every_s=0)
        for done, failed in ((2, 0), (3, 0), (5, 1), (9, 1)):
            show(done, failed, 10)
        show.close()
    lines = plain.getvalue().splitlines()
    assert lines[:2] == ["2/10 cells", "3/10 cells"] and lines[2].startswith("5/10 cells, 1 failed, about ")
    assert lines[3] == "9/10 cells, 1 failed" and "\r" not in plain.getvalue()
    assert "9/10 cells" in bar.getvalue() and "1 failed, about" in bar.getvalue()


def test_the_time_left_is_told_by_the_pace_since_the_first_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that resumes with 10 of 50 done, takes a minute to start, then does a cell each two seconds."""
    clock, stream = [0.0], io.StringIO()
    monkeypatch.setattr(progress.time, "perf_counter", lambda: clock[0])
    show = progress.SweepProgress(stream)
    for clock[0], done in ((1000.0, 10), (1050.0, 10), (1060.0, 11), (1070.0, 16), (1120.0, 41), (1138.0, 50)):
        show(done, 0, 50)
    told = ["10/50 cells", "10/50 cells, 50 s so far", "11/50 cells, 60 s so far", "16/50 cells, about 68 s left"]
    assert stream.getvalue().splitlines() == [*told, "41/50 cells, about 18 s left", "50/50 cells"]


def test_columns_have_one_type_each() -> None:
    assert sweep_store.column([0, 0.5]) == [0.0, 0.5] and sweep_store.column([1, 2]) == [1, 2]
    assert sweep_store.column(["40 ms", None]) == ["40 ms", None] and sweep_store.column([True, 1]) == ["true", "1"]
    assert sweep_store.column([[1, 2]]) == ["[1, 2]"]


def test_a_scenario_with_a_sweep_section_runs_and_hashes_as_without() -> None:
    shipped = scenario.load(SCENARIOS / "sweep_loss.yaml")
    assert shipped.sweep.seeds == 5
    bare = shipped.model_copy(update={"sweep": scenario.Sweep()})
    assert scenario.scenario_hash(shipped) == scenario.scenario_hash(bare) and "sweep:" not in scenario.resolved_yaml(
        shipped
    )
    assert sweep_grid.read(SCENARIOS / "sweep_loss.yaml").size == 120
    np.testing.assert_array_equal(lossy().source.size, (64, 64))
