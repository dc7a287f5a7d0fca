"""python -m codec bench: how long the codec takes on this machine, and how much memory.

Each task runs in a process of its own, so its peak memory is its own, and is repeated: the best time
counts. On a busy machine look at the processor time, which waiting for others does not lengthen (though
shared caches do). What the pictures show does not matter to the networks: a made-up one is as good.
"""

import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from codec.config import BLOCK, LEVEL_NAMES
from codec.model import Codec
from codec.tokens import Tokens, with_lost_blocks


@dataclass(frozen=True)
class Task:
    """What is timed.

    Attributes:
        verb: "encode" (all coarse), "decode" (nothing lost), "conceal" (a fifth of the blocks lost, `expected`);
            "to_slices" and "from_slices" (four a picture, `static`).
        size: (H, W) in pixels.
        count: Pictures at once.
        level: Granularity of all tokens but those of `encode`: 0 coarse, 2 fine.
    """

    verb: str
    size: tuple[int, int]
    count: int = 1
    level: int = 0


@dataclass(frozen=True)
class Options:
    """How: as for `Codec.load`; threads of torch (None: as many as it likes); how often."""

    weights: Path | None = None
    device: str = "cpu"
    precision: str = "auto"
    threads: int | None = None
    repeats: int = 5


TASKS = (
    *(Task(verb, (256, 256), 16) for verb in ("encode", "decode", "conceal", "to_slices", "from_slices")),
    *(Task(verb, (512, 768)) for verb in ("encode", "decode")),
    *(Task("decode", (1080, 1920), level=level) for level in (0, 2)),
)


def bench(options: Options, say: Callable[[str], None], tasks: Sequence[Task] = TASKS) -> pd.DataFrame:
    """All tasks, one after another.

    Args:
        options: How.
        say: Called with a line when a task begins.
        tasks: What.

    Returns:
        A row each: see `measure`.

    Raises:
        CheckpointError: If there are no weights.
        RequestError: If there is no such device or precision.
    """
    rows = []
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh:
        for task in tasks:
            say(f"{task.verb} {task.count} x {task.size[1]}x{task.size[0]}, {LEVEL_NAMES[task.level]}")
            rows.append(fresh.submit(measure, task, options).result())
    return pd.DataFrame(rows)


def measure(task: Task, options: Options) -> dict[str, Any]:
    """Time one task in this process.

    Returns:
        verb, height, width, pictures, tokens; ms and cpu_ms: time and processor time a picture; peak_mb: the most
        memory the process has held, in 10^6 bytes (NaN where the system does not say); device, precision, threads.
    """
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    codec = Codec.load(options.weights, options.device, options.precision)
    work = prepare(codec, task)
    work()  # warm up: memory, tables, kernels
    times = np.array([_timed(work) for _ in range(options.repeats)]).min(axis=0) * 1000 / task.count
    what = {"verb": task.verb, "height": task.size[0], "width": task.size[1], "pictures": task.count}
    how = {"device": options.device, "precision": codec.precision, "threads": torch.get_num_threads()}
    return {
        **what,
        "tokens": LEVEL_NAMES[task.level],
        "ms": times[0],
        "cpu_ms": times[1],
        "peak_mb": peak_bytes() / 1e6,
        **how,
    }


def prepare(codec: Codec, task: Task) -> Callable[[], object]:
    """The work to be timed."""
    if task.verb == "encode":
        frames = np.stack([picture(task.size, seed) for seed in range(task.count)])
        return lambda: codec.encode_batch(frames)
    sent = [any_tokens(task.size, task.level, codec.config.codes, seed) for seed in range(task.count)]
    if task.verb == "to_slices":
        return lambda: codec.to_slices_batch(sent, 4)
    if task.verb == "from_slices":
        slices = codec.to_slices_batch(sent, 4)
        return lambda: codec.from_slices_batch(sent[0].grid, slices)
    if task.verb == "decode":
        filled = codec.conceal(sent, "zero")
        return lambda: codec.decode(filled, task.size)
    draws = [np.random.default_rng(seed).random(t.grid[0] * t.grid[1]) for seed, t in enumerate(sent)]
    holed = [with_lost_blocks(tokens, draw < 0.2) for tokens, draw in zip(sent, draws, strict=True)]
    return lambda: codec.conceal(holed, "expected")


def picture(size: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Noise on a ramp, uint8 [H, W, 3]."""
    noise = np.random.default_rng(seed).normal(128, 40, (*size, 3))
    return (noise + np.linspace(-60, 60, size[1])[:, None]).clip(0, 255).astype(np.uint8)


def any_tokens(size: tuple[int, int], level: int, codes: int, seed: int) -> Tokens:
    """Tokens of one granularity, indices at random."""
    grid = (-(-size[0] // BLOCK), -(-size[1] // BLOCK))
    count = grid[0] * grid[1] << 2 * level
    index = np.random.default_rng(seed).integers(0, codes, count).astype(np.int32)
    return Tokens(grid, np.full(count, level, np.uint8), index, np.ones(count, np.bool_))


def peak_bytes() -> float:
    """The most memory this process has held; unlike getrusage, Linux counts it from the start of the program."""
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    return 1024.0 * int(found[1]) if found else float("nan")


def words(table: pd.DataFrame) -> str:
    """The table for a terminal, with what one should know about the machine."""
    first = table.iloc[0]
    load = (
        f", {os.getloadavg()[0]:.1f} processes waiting for {os.cpu_count()} cores" if hasattr(os, "getloadavg") else ""
    )
    shown = table.drop(columns=["device", "precision", "threads"]).to_string(
        index=False, float_format="%.1f", na_rep="-"
    )
    return (
        f"{first['device']}, {first['precision']}, {first['threads']} threads, torch {torch.__version__}{load}\n{shown}"
    )


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    clock, processor = time.perf_counter(), time.process_time()
    work()  # ends with numbers on the CPU, so a GPU has finished too
    return time.perf_counter() - clock, time.process_time() - processor
