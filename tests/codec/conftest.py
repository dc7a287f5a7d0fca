"""What several tests of the codec are given."""

from pathlib import Path

import numpy as np
import pytest

from codec.perceptual import Squeeze

FIRES = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128)}
FIRES |= {9: (256, 48, 192), 10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256)}


@pytest.fixture
def squeeze(tmp_path: Path) -> Squeeze:
    """Made-up features of the real shapes."""
    rng = np.random.default_rng(0)
    shapes = {"features.0": (64, 3, 3)}
    for layer, (cin, narrow, wide) in FIRES.items():
        shapes[f"features.{layer}.squeeze1x1"] = (narrow, cin, 1)
        shapes[f"features.{layer}.expand1x1"] = (wide, narrow, 1)
        shapes[f"features.{layer}.expand3x3"] = (wide, narrow, 3)
    arrays = {f"{n}.weight": rng.normal(0, (2 / (i * k * k)) ** 0.5, (o, i, k, k)) for n, (o, i, k) in shapes.items()}
    arrays |= {f"{n}.bias": np.zeros(o) for n, (o, _, _) in shapes.items()}
    np.savez(tmp_path / "features.npz", **{name: a.astype(np.float32) for name, a in arrays.items()})
    return Squeeze(tmp_path / "features.npz")


@pytest.fixture(autouse=True)
def few_steps_for_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables by neighbours that an export makes anew need not be good, where they are not what is tested."""
    monkeypatch.setattr("codec.training.neighbour_tables.STEPS", 10)
