"""Quality: a picture against its original. (What the network did to it is in simulator/metrics.py.)

    psnr_db   10 log10(255^2 / mean squared error over all channels); equal pictures count as 100 dB
    ssim      Wang et al. 2004 (IEEE TIP 13, 4), Gaussian window of 11, sigma 1.5, mean over R, G, B
    ms_ssim   Wang et al. 2003 (Asilomar), five scales; only for sides of at least 161 pixels
    flip      Andersson et al. 2020 (HPG), seen at 67 pixels per degree; 0 equal, 1 worst

The first three cost about 15 ms for 256x256 pixels on one core, flip alone 95 ms: ask for it.
"""

import importlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_msssim import ms_ssim as _ms_ssim
from pytorch_msssim import ssim as _ssim
from torch import Tensor

from codec.errors import RequestError

PSNR_CAP_DB = 100.0  # of equal pictures, so that means stay finite
MS_SSIM_MIN_SIDE = 161  # the window of 11 must fit after four halvings
QUICK = ("psnr_db", "ssim", "ms_ssim")
PIXELS_AT_ONCE = 1 << 20  # bounds memory

Stack = NDArray[np.uint8]  # [T, H, W, 3]
Values = NDArray[np.float64]  # [T]


def psnr_db(reference: Stack, shown: Stack) -> Values:
    """Peak signal-to-noise ratio of uint8 [T, H, W, 3] in dB, float64 [T], at most 100."""
    difference = reference.astype(np.int32) - shown
    mse = np.square(difference).mean(axis=(1, 2, 3), dtype=np.float64)
    psnr: Values = 10 * np.log10(255**2 / np.maximum(mse, 255**2 / 10 ** (PSNR_CAP_DB / 10)))
    return psnr


def _tensor(pictures: Stack) -> Tensor:
    # Channels last in memory, as uint8 [T, H, W, 3] is: depthwise convolutions run 7 times faster so.
    return torch.from_numpy(np.ascontiguousarray(pictures, np.float32)).permute(0, 3, 1, 2)


@torch.inference_mode()
def ssim(reference: Stack, shown: Stack) -> Values:
    """Structural similarity of uint8 [T, H, W, 3], float64 [T]; 1 equal."""
    similarity = _ssim(_tensor(reference), _tensor(shown), data_range=255, size_average=False)
    return np.asarray(similarity, np.float64)


@torch.inference_mode()
def ms_ssim(reference: Stack, shown: Stack) -> Values:
    """Multi-scale structural similarity of uint8 [T, H, W, 3], sides of at least 161: float64 [T]; 1 equal."""
    similarity = _ms_ssim(_tensor(reference), _tensor(shown), data_range=255, size_average=False)
    return np.asarray(similarity, np.float64)


def flip(reference: Stack, shown: Stack) -> Values:
    """NVIDIA's FLIP of uint8 [T, H, W, 3], mean over each picture, float64 [T]; 0 equal, 1 worst.

    Raises:
        RequestError: If the package flip-evaluator is not installed.
    """
    try:
        evaluator = importlib.import_module("flip_evaluator")
    except ImportError as error:
        raise RequestError("flip", "needs the package flip-evaluator", "", "pip install flip-evaluator") from error
    pairs = zip(reference.astype(np.float32) / 255, shown.astype(np.float32) / 255, strict=True)
    return np.array([evaluator.evaluate(a, b, "LDR", applyMagma=False)[1] for a, b in pairs], np.float64)


METRICS: dict[str, Callable[[Stack, Stack], Values]] = {
    "psnr_db": psnr_db, "ssim": ssim, "ms_ssim": ms_ssim, "flip": flip
}  # fmt: skip


def measure(reference: Stack, shown: Stack, metrics: Sequence[str] = QUICK) -> dict[str, Values]:
    """Quality of every picture of a stack.

    Args:
        reference: uint8 [T, H, W, 3].
        shown: uint8 [T, H, W, 3].
        metrics: Names out of `METRICS`.

    Returns:
        float64 [T] for each name; `ms_ssim` is left out if a side is below 161.

    Raises:
        RequestError: If a name is unknown, or the stacks differ in shape.
    """
    unknown = [name for name in metrics if name not in METRICS]
    if unknown:
        raise RequestError("metrics", "unknown metric", unknown[0], f"Available: {', '.join(METRICS)}")
    if reference.shape != shown.shape:
        raise RequestError("pictures", f"must both be {reference.shape}", shown.shape)
    height, width = reference.shape[1:3]
    if min(height, width) < MS_SSIM_MIN_SIDE:
        metrics = [name for name in metrics if name != "ms_ssim"]
    step = max(1, PIXELS_AT_ONCE // (height * width))
    cuts = [slice(start, start + step) for start in range(0, len(reference), step)]
    return {
        name: np.concatenate([np.zeros(0), *(METRICS[name](reference[cut], shown[cut]) for cut in cuts)])
        for name in metrics
    }
