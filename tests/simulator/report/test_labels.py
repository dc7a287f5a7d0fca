"""Values of varied keys in words."""

import json
from pathlib import Path

from simulator.report.labels import labels
from simulator.report.read import read
from simulator.report.study import study
from tests.simulator.report.swept import write_sweep

BURSTS = [{"model": "gilbert_elliott", "rate": 0.1, "mean_burst": burst, "loss_bad": 1.0} for burst in (4.0, 12.0)]


def test_words_speak_for_themselves_and_numbers_with_their_key() -> None:
    assert list(labels("concealment.method", ["none", "expected"]).values()) == ["no concealment", "expected"]
    assert list(labels("packetizer.depth", [1, 2.5]).values()) == ["depth 1", "depth 2.5"]
    assert list(labels("concealment.temporal", [True, False]).values()) == ["temporal", "no temporal"]
    assert list(labels("codec.bpp", [0.04, float("nan")]).values()) == ["bpp 0.04", "no bpp"]


def test_a_mapping_is_called_by_its_model_and_what_sets_it_apart() -> None:
    values = ["none", *(json.dumps(value) for value in ({"model": "bernoulli", "rate": 0.1}, *BURSTS))]
    assert list(labels("channel.loss", values).values()) == [
        "no loss", "bernoulli", "gilbert_elliott, mean_burst 4", "gilbert_elliott, mean_burst 12",
    ]  # fmt: skip


def test_different_values_never_share_their_words() -> None:
    assert len(set(labels("x.nack", ["false", "no nack", "none", "{", '{"a": 1}', '{"a": 2}']).values())) == 6


def test_a_sweep_over_mappings_has_short_schemes(tmp_path: Path) -> None:
    grid = {"protection.nack": ("false", "true"), "packetizer.depth": (1, 2)}
    known = study(read(write_sweep(tmp_path, grid, seeds=1, overrides=("source.count=4",))))
    assert known.schemes == ["no nack, depth 1", "no nack, depth 2", "nack, depth 1", "nack, depth 2"]
    assert known.baseline_words == "no nack"
