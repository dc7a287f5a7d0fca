"""Where the jobs of a sweep are done: here, in processes of this machine, or on a Dask cluster.

All three take a function and give a `concurrent.futures.Future`, so the sweep sees one kind.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import Any, TypeVar

from simulator.errors import PoolError

T = TypeVar("T")


class Pool:
    """Workers for jobs; a context manager.

    Args:
        workers: 1 does the jobs in this process, more start as many processes.
        scheduler: Address of a Dask scheduler, such as tcp://10.0.0.1:8786; its workers are taken.

    Attributes:
        workers: How many there are.

    Raises:
        PoolError: If the cluster cannot be reached.
    """

    def __init__(self, workers: int = 1, scheduler: str | None = None) -> None:
        self._client = _client(scheduler) if scheduler else None
        self.workers = workers
        if self._client is not None:
            self.workers = max(1, sum(self._client.nthreads().values()))
        self._executor: Executor = self._start()

    def submit(self, work: Callable[..., T], *arguments: Any) -> "Future[T]":
        """Have a job done; it may run twice if a worker dies."""
        try:
            return self._executor.submit(work, *arguments)
        except BrokenExecutor:  # between two looks at the futures
            self.restart()
            return self._executor.submit(work, *arguments)

    def restart(self) -> None:
        """New processes in place of a pool that lost one; a cluster mends itself."""
        if isinstance(self._executor, ProcessPoolExecutor):
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = self._start()

    def kill(self) -> None:
        """Drop what is being done: half-done cells stay undone."""
        if isinstance(self._executor, ProcessPoolExecutor):
            for process in list((self._executor._processes or {}).values()):
                process.terminate()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.kill()
        if self._client is None:
            self._executor.shutdown(wait=True, cancel_futures=True)
        else:
            self._executor.shutdown(wait=False)
            self._client.close()

    def _start(self) -> Executor:
        if self._client is not None:
            executor: Executor = self._client.get_executor(pure=False)
            return executor
        if self.workers == 1:
            return Here()
        threads = max(1, (os.cpu_count() or 1) // self.workers)
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, context, initializer=_prepare_worker, initargs=(threads,))


class Here(Executor):
    """Does a job when it is submitted."""

    def submit(self, work: Callable[..., T], /, *arguments: Any, **options: Any) -> "Future[T]":
        """Do it; the future is done when it is returned."""
        future: Future[T] = Future()
        try:
            future.set_result(work(*arguments, **options))
        except Exception as error:
            future.set_exception(error)
        return future


def _prepare_worker(threads: int) -> None:
    """Before anything heavy is imported: a fair share of the cores, and no life after the parent's."""
    import signal

    limit = os.environ.get("OMP_NUM_THREADS", "")
    os.environ["OMP_NUM_THREADS"] = str(min(threads, int(limit)) if limit.isdigit() else threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    parent = multiprocessing.parent_process()
    assert parent is not None, os.getpid()

    def leave() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise PoolError("--scheduler", "needs Dask", address, "pip install 'vqstream[dask]'") from error
    try:
        return Client(address, timeout=10, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        rule = f"no Dask scheduler answers there ({error})"
        raise PoolError("--scheduler", rule, address, "Start one: dask scheduler") from error
