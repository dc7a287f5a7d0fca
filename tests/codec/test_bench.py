"""python -m codec bench: every task is timed in a process of its own, and says what it costs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codec import bench, checkpoint
from codec.bench import Options, Task
from codec.cli import main
from tests.codec.tiny import TINY, tiny_tensors


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    for network, tensors in zip(("tokenizer", "predictor"), tiny_tensors(), strict=True):
        checkpoint.save(tmp_path / f"{network}.safetensors", network, TINY, tensors, {})
    return tmp_path


@pytest.mark.parametrize("verb", ["encode", "decode", "conceal", "to_slices", "from_slices"])
def test_a_task_says_what_it_costs(weights: Path, verb: str) -> None:
    row = bench.measure(Task(verb, (48, 70), 2), Options(weights, precision="bf16", repeats=1))
    assert row["ms"] > 0 and row["cpu_ms"] > 0 and row["precision"] == "bf16"
    assert np.isnan(row["peak_mb"]) or row["peak_mb"] > 50  # torch alone has more


def test_fine_tokens_cover_the_picture() -> None:
    tokens = bench.any_tokens((40, 70), level=2, codes=16, seed=0)
    assert tokens.grid == (3, 5) and len(tokens) == 3 * 5 * 16 and tokens.index.max() < 16


def test_a_fifth_of_the_blocks_is_lost_where_concealment_is_timed(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("codec.model.Codec.conceal", lambda self, tokens, method: asked.append((tokens, method)))
    bench.prepare(bench.Codec.load(weights), Task("conceal", (320, 320), 2))()
    ((tokens, method),) = asked
    assert method == "expected" and [0.1 < (~t.known).mean() < 0.3 for t in tokens] == [True, True]


def test_what_cannot_be_had_is_told_after_the_name_of_the_first_task(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--precision", "--device"):
        assert main(["bench", option, "fp8", "--weights", str(weights)]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.splitlines()[1].startswith(f"python -m codec: {option[2:]}: must be auto")


@pytest.mark.slow
def test_the_verb_prints_and_writes_a_row_for_each_task(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.csv"
    assert (
        main([*"bench --repeats 1 --threads 1 --precision fp32 --weights".split(), str(weights), "--out", str(out)])
        == 0
    )
    table = pd.read_csv(out)
    assert len(table) == len(bench.TASKS) and (table["threads"] == 1).all() and (table["ms"] > 0).all()
    assert "fp32, 1 threads" in capsys.readouterr().out
