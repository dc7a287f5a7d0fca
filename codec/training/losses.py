"""The adversarial loss of the tokenizer; the others are codec/distortion.py and codec/perceptual.py."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm


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
