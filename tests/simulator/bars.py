"""What a sweep saves and what it costs, measured; the same functions as in the slow tests, on any grid.

    python -m tests.simulator.bars runs     the shipped sweep_loss, and 12 of its 120 cells as separate runs: minutes
    python -m tests.simulator.bars toy      10,000 cells of the toy codec in two processes: minutes

CPU time is that of a process and all it started; on a busy machine it says more than wall-clock time.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simulator import sweep, sweep_grid, sweep_work
from tests.simulator.small import SCENARIOS

ROOT = Path(__file__).parents[2]
TABLES = ("frames.parquet", "packets.parquet", "scenario.resolved.yaml")
VARY = (
    "channel.loss.rate=" + ",".join(f"{percent} %" for percent in range(0, 50, 5)),
    "concealment.method=none,neighbour_mean",
)
TOY = ("codec={name: toy}", "source.count=6", "source.fps=12", "source.size=[32, 32]")


@dataclass(frozen=True)
class Spent:
    """Seconds of a command: on the clock, and of processors."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Compared:
    """A sweep beside some of its cells as separate runs: `unequal` tables, and what each took."""

    cells: int
    whole: Spent
    runs: list[Spent]
    unequal: list[str]

    def times(self, kind: str) -> float:
        """How much dearer all cells are as separate runs, from the mean of those that were run."""
        return (
            self.cells * float(np.mean([getattr(each, kind) for each in self.runs])) / float(getattr(self.whole, kind))
        )


def against_runs(out: Path, scenario: Path, arguments: Sequence[str], sample: int, jobs: int = 1) -> Compared:
    """Sweep, then run a random sample of the cells alone and compare their tables byte for byte."""
    command = ["sweep", str(scenario), *arguments, "--jobs", str(jobs), "--quiet", "--out", str(out / "sweep")]
    whole, folder = _spend(command)
    cells = sorted((folder / "cells").glob("[!.]*"))
    chosen = np.random.default_rng(0).choice(len(cells), min(sample, len(cells)), replace=False)
    runs, unequal = [], []
    for cell in (cells[number] for number in sorted(chosen)):
        spent, alone = _spend(["run", str(cell / "scenario.resolved.yaml"), "--quiet", "--out", str(out / "runs")])
        runs.append(spent)
        unequal += [
            f"{cell.name}/{name}" for name in TABLES if (cell / name).read_bytes() != (alone / name).read_bytes()
        ]
    return Compared(len(cells), whole, runs, unequal)


def _spend(arguments: Sequence[str]) -> tuple[Spent, Path]:
    """Time of a command, and the folder it printed."""
    before, since = _children_cpu_s(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "simulator", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return Spent(time.perf_counter() - since, _children_cpu_s() - before), Path(done.stdout.strip())


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def toy_grid(seeds: int) -> sweep_grid.Grid:
    """Twenty cells a seed."""
    return sweep_grid.read(SCENARIOS / "lossy_20pct.yaml", TOY, VARY, seeds)


def again(out: Path, seeds: int) -> Spent:
    """The same sweep called in a process of its own."""
    sets = [part for text in TOY for part in ("--set", text)]
    vary = [part for text in VARY for part in ("--vary", text)]
    arguments = [*sets, *vary, "--seeds", str(seeds), "--quiet", "--out", str(out)]
    return _spend(["sweep", str(SCENARIOS / "lossy_20pct.yaml"), *arguments])[0]


def overhead_ms(out: Path, seeds: int) -> float:
    """CPU time a cell of all but simulating and writing it: listing, ordering, claiming, gathering the tables."""
    own, simulate = 0.0, sweep_work._simulate

    def timed(*arguments: Any) -> None:
        nonlocal own
        since = time.process_time()
        simulate(*arguments)
        own += time.process_time() - since

    sweep_work._simulate = timed
    try:
        since = time.process_time()
        told = sweep.sweep(toy_grid(seeds), out, sweep.Options(), lambda *_: None)
        return (time.process_time() - since - own) / told.done * 1000
    finally:
        sweep_work._simulate = simulate


def worker_overhead_ms(out: Path, seeds: int, jobs: int = 2) -> float:
    """Wall-clock time of all workers a cell, from the call to its end, beyond what its timing.json says."""
    since = time.perf_counter()
    told = sweep.sweep(toy_grid(seeds), out, sweep.Options(jobs=jobs), lambda *_: None)
    all_s = jobs * (time.perf_counter() - since)
    own_s = sum(json.loads(path.read_text())["wall_s"] for path in told.folder.glob("cells/*/timing.json"))
    return (all_s - own_s) / told.done * 1000


def main(what: str) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place)
        if what == "runs":
            found = against_runs(out, SCENARIOS / "sweep_loss.yaml", [], sample=12, jobs=2)
            print(
                f"{found.cells} cells in one sweep: {found.whole.wall_s:.0f} s, of processors {found.whole.cpu_s:.0f} s"
            )
            for kind in ("wall_s", "cpu_s"):
                each = [getattr(one, kind) for one in found.runs]
                print(f"{kind}: {len(each)} separate runs took {np.mean(each):.1f} s each", end=" ")
                print(f"(standard deviation {np.std(each, ddof=1):.1f});", end=" ")
                print(f"{found.cells} would take {found.times(kind):.1f} times as long as the sweep")
            print(f"tables that differ: {found.unequal or 'none'}")
        else:
            print(f"in one process, of processors: {overhead_ms(out / 'one', 25):.2f} ms a cell (500 cells)")
            print(f"two workers, on the clock: {worker_overhead_ms(out / 'two', 500):.2f} ms a cell (10,000 cells)")
            print(f"called again on the finished sweep: {again(out / 'two', 500)}")


if __name__ == "__main__":
    main(sys.argv[1])
