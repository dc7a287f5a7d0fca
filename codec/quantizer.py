"""Quantizer: unit vectors <-> indices of the nearest codeword, one codebook per granularity.

Codewords have unit length and few dimensions (l2-normalised codes of ViT-VQGAN, arXiv 2110.04627,
section 3.2). How they are learnt is in `codec/training/codebook_ema.py`; here they are only read.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec.codebook import most_alike
from codec.config import LEVELS, CodecConfig


class Quantizer(nn.Module):
    """Three codebooks, codebook [L, K, D] with rows of unit length."""

    codebook: Tensor

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        codes = torch.randn(LEVELS, config.codes, config.code_dim)
        self.register_buffer("codebook", F.normalize(codes, dim=-1))

    def nearest(self, level: int, z: Tensor) -> Tensor:
        """Index of the nearest codeword.

        Args:
            level: 0 coarse, 1 medium, 2 fine.
            z: [B, D, h, w], unit length along D.

        Returns:
            int64 [B, h, w] in [0, K).
        """
        return most_alike(z.permute(0, 2, 3, 1), self.codebook[level])

    def lookup(self, level: int, index: Tensor) -> Tensor:
        """Codewords [B, D, h, w] of indices int64 [B, h, w]."""
        return self.codebook[level][index].permute(0, 3, 1, 2)
