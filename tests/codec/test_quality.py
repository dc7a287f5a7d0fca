"""Quality: hand-worked cases, and libraries that must agree."""

import sys

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from codec.errors import RequestError
from codec.quality import PIXELS_AT_ONCE, QUICK, measure, ms_ssim, psnr_db, ssim
from tests.codec.tiny import photograph


def noisy(picture: np.ndarray, sigma: float, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return (picture + noise).clip(0, 255).astype(np.uint8)


STACK = np.stack([photograph(176, 192, seed) for seed in range(3)])
WORSE = np.stack([noisy(picture, 5.0 * (i + 1)) for i, picture in enumerate(STACK)])


def test_psnr_of_hand_worked_cases() -> None:
    black = np.zeros((4, 16, 16, 3), np.uint8)
    shown = black.copy()
    shown[1] += 255  # mean squared error 255^2: 0 dB
    shown[2] += 1  # 1: 20 log10 255
    shown[3, :, :, 0] += 16  # mean squared error 256 / 3: 10 log10(65025 * 3 / 256)
    expected = [100.0, 0.0, 48.1308, 28.8196]
    assert psnr_db(black, shown) == pytest.approx(expected, abs=1e-4)
    assert psnr_db(shown, black) == pytest.approx(expected, abs=1e-4)


def test_ssim_of_hand_worked_flat_pictures() -> None:
    # Flat pictures a and b have no variance: (2ab + C1) / (a^2 + b^2 + C1), C1 = (0.01 * 255)^2 = 6.5025.
    flat = [np.full((1, 32, 32, 3), value, np.uint8) for value in (100, 150, 0)]
    assert ssim(flat[0], flat[1])[0] == pytest.approx((30000 + 6.5025) / (32500 + 6.5025), abs=1e-4)
    assert ssim(flat[0], flat[2])[0] == pytest.approx(6.5025 / (10000 + 6.5025), abs=1e-4)


def test_scikit_image_agrees() -> None:
    for reference, shown, p, s in zip(STACK, WORSE, psnr_db(STACK, WORSE), ssim(STACK, WORSE), strict=True):
        assert p == pytest.approx(peak_signal_noise_ratio(reference, shown), abs=1e-9)
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        theirs = structural_similarity(reference, shown, channel_axis=2, data_range=255, **options)
        assert s == pytest.approx(theirs, abs=2e-5)


def test_ms_ssim_equals_the_slow_way() -> None:
    """Wang et al. 2003, equation 7: the contrast term at four scales, all of SSIM at the fifth."""
    weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    reference, shown = STACK[1].astype(np.float64), WORSE[1].astype(np.float64)
    product = np.ones(3)
    for scale, weight in enumerate(weights):
        for channel in range(3):
            whole, contrast = slow_ssim(reference[..., channel], shown[..., channel])
            product[channel] *= (whole if scale == 4 else contrast) ** weight
        reference, shown = half(reference), half(shown)
    assert ms_ssim(STACK, WORSE)[1] == pytest.approx(product.mean(), abs=1e-4)


def half(x: np.ndarray) -> np.ndarray:
    """Means of 2x2 pixels of [H, W, 3]; an odd last row or column is left out."""
    x = x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2]
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4


def slow_ssim(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Mean SSIM and mean contrast-structure term of one channel."""
    g = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
    g /= g.sum()

    def blur(a: np.ndarray) -> np.ndarray:
        down = np.apply_along_axis(np.convolve, 0, a, g, "valid")
        return np.asarray(np.apply_along_axis(np.convolve, 1, down, g, "valid"))

    mx, my = blur(x), blur(y)
    cs = (2 * (blur(x * y) - mx * my) + 58.5225) / (blur(x * x) + blur(y * y) - mx**2 - my**2 + 58.5225)
    return float(((2 * mx * my + 6.5025) / (mx**2 + my**2 + 6.5025) * cs).mean()), float(cs.mean())


@pytest.mark.parametrize("name", [*QUICK, "flip"])
def test_equal_pictures_are_best_and_more_noise_is_worse(name: str) -> None:
    if name == "flip":
        pytest.importorskip("flip_evaluator")
    picture = STACK[:1, :, :, :]
    same, little, much = (
        float(measure(picture, shown, [name])[name][0]) for shown in (picture, noisy(picture, 4), noisy(picture, 30))
    )
    assert same == pytest.approx({"psnr_db": 100, "flip": 0}.get(name, 1), abs=1e-6)
    assert (same < little < much) if name == "flip" else (same > little > much)


def test_a_stack_gives_what_its_pictures_give_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codec.quality.PIXELS_AT_ONCE", 2 * 176 * 192)  # two pictures, then one
    together = measure(STACK, WORSE)
    assert list(together) == list(QUICK)
    for name, values in together.items():
        assert values.dtype == np.float64 and values.shape == (3,)
        alone = [measure(STACK[i : i + 1], WORSE[i : i + 1])[name][0] for i in range(3)]
        assert values == pytest.approx(alone, abs=1e-6)
    assert PIXELS_AT_ONCE >= 256 * 256


def test_ms_ssim_is_left_out_where_its_windows_do_not_fit() -> None:
    assert "ms_ssim" not in measure(STACK[:, :160], WORSE[:, :160])
    assert "ms_ssim" in measure(STACK[:, :161, :161], WORSE[:, :161, :161])
    assert set(measure(STACK[:, :16, :16], WORSE[:, :16, :16])) == {"psnr_db", "ssim"}


def test_an_empty_stack_gives_empty_columns() -> None:
    assert all(values.shape == (0,) for values in measure(STACK[:0], WORSE[:0]).values())


def test_wrong_requests_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestError, match="Available: psnr_db, ssim, ms_ssim, flip"):
        measure(STACK, WORSE, ["lpips"])
    with pytest.raises(RequestError, match="must both be"):
        measure(STACK, WORSE[:2])
    monkeypatch.setitem(sys.modules, "flip_evaluator", None)
    with pytest.raises(RequestError, match="pip install flip-evaluator"):
        measure(STACK, WORSE, ["flip"])
