"""Losses of training alone: a critic, dots on the grid. The others: codec/distortion.py, codec/perceptual.py."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

PERIODS = 8  # a side of a window of `screen`


class PatchDiscriminator(nn.Module):
    """PatchGAN (Isola et al., 2017, arXiv 1611.07004) with spectral norm, at half resolution."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        chain = [3, width, 2 * width, 4 * width]
        self.convs = nn.ModuleList(
            spectral_norm(nn.Conv2d(cin, cout, 4, stride=2, padding=1)) for cin, cout in pairwise(chain)
        )
        self.head = spectral_norm(nn.Conv2d(chain[-1], 1, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] -> realness of patches [B, 1, H/16, W/16]."""
        h = F.avg_pool2d(x, 2)
        for conv in self.convs:
            h = F.leaky_relu(conv(h), 0.2)
        realness: Tensor = self.head(h)
        return realness


def discriminator_hinge(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss (Lim and Ye, 2017, arXiv 1705.02894)."""
    return torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()


def screen(error: Tensor) -> Tensor:
    """Energy of what repeats every 4, 8 and 16 pixels, in windows of 8 periods a side, for [B, C, H, W].

    Decoders that make pixels by shuffling can lay a screen of dots over a picture, and a network with strides on
    the same grid takes it for texture. Texture that is none repeats in nothing: over the 64 periods of a window
    it averages away.

    Args:
        error: Picture less original, so that what the original repeats is not in it. Sides of at least 32; periods
            whose window is larger are not looked at.
    """
    periods = [period for period in (4, 8, 16) if PERIODS * period <= min(error.shape[-2:])]
    return torch.stack([_repeated(error, period) for period in periods]).sum()


def _repeated(error: Tensor, period: int) -> Tensor:
    """Mean square of the periodic part of each window, less its mean."""
    side = PERIODS * period
    rows, cols = error.shape[-2] // side, error.shape[-1] // side
    windows = error[..., : rows * side, : cols * side].unflatten(-1, (cols, PERIODS, period))
    part = windows.unflatten(-4, (rows, PERIODS, period)).mean((-5, -2))  # [B, C, rows, period, cols, period]
    energy: Tensor = (part - part.mean((-3, -1), keepdim=True)).square().mean()
    return energy
