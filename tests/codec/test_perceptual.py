"""`squeeze`: distance on made-up features of the real shapes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from codec.errors import CheckpointError
from codec.perceptual import Squeeze


def test_equal_pictures_are_at_distance_zero_and_worse_ones_farther(squeeze: Squeeze) -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    noise = torch.randn(1, 3, 64, 64)
    near, far = (float(squeeze((x + s * noise).clamp(-1, 1), x)) for s in (0.05, 0.5))
    assert float(squeeze(x, x)) == pytest.approx(0, abs=1e-6)
    assert 0 < near < far


def test_the_gradient_reaches_the_first_picture_only(squeeze: Squeeze) -> None:
    x, y = (torch.rand(1, 3, 32, 32, requires_grad=True) for _ in range(2))
    squeeze(x, y).sum().backward()
    assert x.grad is not None and y.grad is None


def test_seven_taps_of_unit_vectors_bound_the_distance(squeeze: Squeeze) -> None:
    assert [tap.shape[1] for tap in squeeze.features(torch.rand(1, 3, 64, 64))] == [64, 128, 256, 384, 384, 512, 512]
    assert float(squeeze(torch.ones(1, 3, 64, 64), -torch.ones(1, 3, 64, 64))) <= 4


def test_a_file_without_features_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros(3))
    with pytest.raises(CheckpointError, match="no SqueezeNet"):
        Squeeze(tmp_path / "x.npz")
    with pytest.raises(CheckpointError, match="cannot read"):
        Squeeze(tmp_path / "missing.npz")


def test_a_shaken_window_is_the_same_of_both_and_drawn_by_the_generator_given(squeeze: Squeeze) -> None:
    x, y = torch.rand(2, 3, 40, 40), torch.rand(2, 3, 40, 40)
    assert float(squeeze.shaken(x, x).sum()) == pytest.approx(0, abs=1e-6)
    draws = [squeeze.shaken(x, y, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("size", [(16, 16), (16, 40), (9, 9)])
def test_pictures_smaller_than_the_network_can_see_are_continued(squeeze: Squeeze, size: tuple[int, int]) -> None:
    x = torch.rand(1, 3, *size)
    assert float(squeeze(x, x)) == pytest.approx(0, abs=1e-6) and float(squeeze(x, 1 - x)) > 0
