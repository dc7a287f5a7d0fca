"""Many runs of one scenario: what is missing is claimed, done by workers, and put into tables.

    grid --cells--> missing --claim--> jobs --workers--> cells/<hash>/ --collect--> sweep.parquet, summary.csv

Stopped at any moment (Ctrl-C, SIGKILL, power) and started again, or started twice, it does what is
missing; the result is the same bytes whoever did which part of it, and in what order.
"""

import contextlib
import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass, field
from pathlib import Path

from simulator.errors import OutputError
from simulator.sweep_claims import Claims
from simulator.sweep_grid import Cell, Grid
from simulator.sweep_pool import Pool
from simulator.sweep_store import Store
from simulator.sweep_work import Job, do, jobs, order

JOB_CELLS = 256  # at most; fewer if there would not be enough jobs for all workers
HERE_CELLS = 16  # without other processes: progress is seen after each job
POLL_S = 0.5

Show = Callable[[int, int, int], None]  # (cells done, failed, in all)


@dataclass(frozen=True)
class Options:
    """How to sweep; none of it changes a result.

    Attributes:
        jobs: Processes; 1 does all work in this one.
        scheduler: Address of a Dask scheduler, in place of processes.
        retries: How often a cell that failed is tried again.
        fail_fast: Stop at the first cell that has failed for good.
        device: "auto", "cpu" or "cuda".
        command: How the program was called, for the journal.
    """

    jobs: int = 1
    scheduler: str | None = None
    retries: int = 1
    fail_fast: bool = False
    device: str = "auto"
    command: str = ""


@dataclass(frozen=True)
class Status:
    """How far a sweep is.

    Attributes:
        folder: Of the sweep.
        cells: In all.
        done: Of them.
        running: Of the others, claimed by a living process.
        failed: By cell: "channel.loss.rate=0.1, seed 3: what went wrong".
    """

    folder: Path
    cells: int
    done: int
    running: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def folder_of(grid: Grid, out: Path) -> Path:
    """Where a sweep's results are, or will be."""
    return (out / grid.first().name / f"sweep-{grid.name()}").absolute()


def status(grid: Grid, out: Path) -> Status:
    """How far a sweep is, without doing anything.

    Raises:
        ScenarioError: If a cell is no valid scenario.
    """
    store = Store(folder_of(grid, out))
    if store.is_complete():
        return Status(store.folder, grid.size, grid.size)
    names, done = {cell.name for cell in grid.cells()}, store.done()
    claims = Claims(store.cells)
    running = sum(claims.taken(name) for name in names - done)
    return Status(store.folder, len(names), len(names & done), running, _failed(store))


def sweep(grid: Grid, out: Path, options: Options, show: Show) -> Status:
    """Do all cells of a sweep that are not done yet.

    Args:
        grid: The cells.
        out: Parent of <scenario name>/sweep-<hash>/.
        options: Who does the work, and what happens when some of it fails.
        show: Called with the number of cells done, failed, and in all.

    Returns:
        How far it came: with `failed` empty, all cells are done.

    Raises:
        ScenarioError: If a cell is no valid scenario; known before the work starts.
        OutputError: If `out` cannot be written to.
        PoolError: If the workers cannot be had.
    """
    store = Store(folder_of(grid, out))
    if not store.is_complete():
        cells, since, began = list(grid.cells()), time.perf_counter(), len(store.done())
        store.start(grid)
        try:
            with contextlib.closing(_Round(store, cells, grid.pictures, options, show)) as work:
                work.run()
            store.tidy()
            store.collect(cells)
        finally:
            wall_s = round(time.perf_counter() - since, 3)
            started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - wall_s))
            facts = {"started": started, "command": options.command, "wall_s": wall_s}
            store.note({**facts, "done_before": began, "done": len(store.done()), "cells": len(cells)})
    return status(grid, out)


class _Round:
    """One call's share of the work.

    Args:
        store: The sweep's folder, which exists.
        cells: All cells of the sweep.
        pictures: Whether pictures are kept.
        options: See `Options`.
        show: See `sweep`.
    """

    def __init__(self, store: Store, cells: Sequence[Cell], pictures: bool, options: Options, show: Show) -> None:
        self._store, self._options, self._show = store, options, show
        self._cells = {cell.name: cell for cell in cells}
        self._pictures = pictures
        self._claims = Claims(store.cells)
        self._attempts: Counter[str] = Counter()
        self._failed: set[str] = set()
        self._stopped = False
        self._leftovers = store.leftovers()
        self._reported = 0.0

    def close(self) -> None:
        """Leave no claims behind."""
        self._claims.release_all()

    def run(self) -> None:
        """Until nothing is missing but what failed: do what is free, wait for what others do."""
        self._report(at_once=True)
        if not self._missing():
            return
        with Pool(self._options.jobs, self._options.scheduler) as pool:
            while (missing := self._missing()) and not self._stopped:
                free = [name for name in missing if not self._claims.taken(name)]
                if free:
                    self._do(pool, order(self._cells[name] for name in free))
                else:
                    time.sleep(POLL_S)
                    self._report()
            if self._stopped:
                pool.kill()
        self._report(at_once=True)

    def _missing(self) -> list[str]:
        done = self._store.done()
        return [name for name in self._cells if name not in done and name not in self._failed]

    def _do(self, pool: Pool, cells: Sequence[Cell]) -> None:
        """Do cells, at most twice as many jobs at once as there are workers, so that others get a share."""
        here = pool.workers == 1 and self._options.scheduler is None
        waiting = deque(jobs(cells, HERE_CELLS if here else JOB_CELLS, pool.workers))
        running: dict[Future[dict[str, str]], tuple[Cell, ...]] = {}
        while (waiting or running) and not self._stopped:
            while waiting and len(running) < (1 if here else 2 * pool.workers):
                if claimed := self._claim(waiting.popleft()):
                    job = Job(claimed, self._store.folder, self._options.device, self._pictures)
                    running[pool.submit(do, job)] = claimed
            finished, _ = wait(running, timeout=POLL_S, return_when=FIRST_COMPLETED)
            for future in finished:
                self._finish(running.pop(future), *_outcome(future, pool))
            self._claims.renew()
            self._report()

    def _claim(self, cells: Sequence[Cell]) -> tuple[Cell, ...]:
        """Those of the cells that nobody else has, or has done meanwhile."""
        claimed = {cell.name for cell in cells if self._claims.claim(cell.name)}
        there = {name for name in claimed if self._store.has(name)}
        self._claims.release(there)
        self._store.forgive(claimed)
        for name in claimed & self._leftovers.keys():  # its writer is dead, or the claim would not be ours
            for folder in self._leftovers.pop(name):
                shutil.rmtree(folder, ignore_errors=True)
        return tuple(cell for cell in cells if cell.name in claimed - there)

    def _finish(self, cells: Sequence[Cell], errors: dict[str, str], refused: OutputError | None) -> None:
        """Count attempts; a cell that failed for good is put on record, the others come round again.

        Raises:
            OutputError: If it is the folder that refuses (a full disk): then no other cell would fare better.
        """
        for cell in cells:
            if self._store.has(cell.name):
                continue
            self._attempts[cell.name] += 1
            if self._attempts[cell.name] > self._options.retries:
                if refused:
                    raise refused
                self._store.fail(cell, errors.get(cell.name) or errors[""])
                self._failed.add(cell.name)
                self._stopped |= self._options.fail_fast
        self._claims.release(cell.name for cell in cells)

    def _report(self, at_once: bool = False) -> None:
        """Show how far all are, others too, but do not list the folder more often than people look."""
        if not at_once and time.monotonic() - self._reported < POLL_S:
            return
        self._reported = time.monotonic()
        done = self._store.done()
        self._store.forgive(done)
        self._show(len(done & self._cells.keys()), len(self._failed), len(self._cells))


def _outcome(future: "Future[dict[str, str]]", pool: Pool) -> tuple[dict[str, str], OutputError | None]:
    """Errors by cell, under "" that of all cells not done if the worker itself went down; what could not be written."""
    try:
        return {"": "its worker left it undone", **future.result()}, None
    except BrokenExecutor:
        pool.restart()
        return {"": "its worker process died (out of memory?)"}, None
    except OutputError as error:
        return {"": str(error)}, error
    except Exception as error:  # what a cluster says of a worker that died
        return {"": f"its worker failed ({type(error).__name__}: {error})"}, None


def _failed(store: Store) -> dict[str, str]:
    """Failed cells in words."""
    found = {}
    for name, what in store.failures().items():
        values = "".join(f"{key}={value}, " for key, value in what["varied"].items())
        found[name] = f"{values}seed {what['seed']}: {what['error']}"
    return found


def words(status: Status) -> Iterator[str]:
    """A status in lines."""
    missing = status.cells - status.done - len(status.failed)
    line = f"{status.done} of {status.cells} cells done, {missing} missing, {len(status.failed)} failed"
    yield line + (f", {status.running} being done" if status.running else "")
    for name, failure in status.failed.items():
        yield f"  cell {name}: {failure}"
