"""Results with known numbers, made by hand: no run, no files."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from simulator.report.read import Results
from simulator.report.study import Study, study

FRAMES = 4
Quality = Callable[[float, str, int], float]  # (loss, method, seed) -> PSNR


def results(
    quality: Quality,
    losses: Sequence[float] = (0.0, 0.1, 0.2),
    methods: Sequence[str] = ("none", "expected"),
    seeds: Sequence[int] = (1, 2, 3),
    folder: Path = Path("lossy/sweep-x"),
) -> Results:
    """A sweep over loss and concealment, whose lossless PSNR is 30 + seed."""
    cells, frames = [], []
    for loss, method, seed in itertools.product(losses, methods, seeds):
        cell = f"{loss:g}-{method}-{seed}"
        cells.append({"channel.loss.rate": loss, "concealment.method": method, "cell": cell, "seed": seed})
        frames += [_frame(cell, frame, loss, method, seed, quality) for frame in range(FRAMES)]
    keys = ("channel.loss.rate", "concealment.method")
    return Results(folder, True, pd.DataFrame(frames), pd.DataFrame(cells), keys, {"version": "1"}, "")


def _frame(cell: str, frame: int, loss: float, method: str, seed: int, quality: Quality) -> dict[str, object]:
    return {
        "cell": cell, "scenario": "lossy", "codec": "toy", "concealment": method, "seed": seed, "frame": frame,
        "time_capture_ms": frame * 40.0, "delay_ms": 150.0, "frozen": False, "bpp": 0.1,
        "tokens_total": 100, "tokens_missing": round(100 * loss), "tokens_correct": round(50 * loss),
        "psnr_db": quality(loss, method, seed) + (frame - (FRAMES - 1) / 2), "psnr_db_lossless": 30.0 + seed,
    }  # fmt: skip


def straight(loss: float, method: str, seed: int) -> float:
    """Falls by 10 dB a unit of loss, or by 5 with concealment; each seed has a level of its own."""
    return 30 + seed - (5 if method == "expected" else 10) * loss


def a_study(quality: Quality = straight, **options: object) -> Study:
    """A study of `results`."""
    return study(results(quality, **options))  # type: ignore[arg-type]
