"""How codewords follow the features: spherical k-means at birth, then exponential averages.

Codes of van den Oord et al. (2017, arXiv 1711.00937, appendix A.1) averaged over unit vectors;
codes used less than 1 % of the uniform share are re-seeded from present features. Without that
restart, most of a codebook dies in the first hundred steps.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec.codebook import cluster, smaller_sizes
from codec.config import LEVELS

DECAY = 0.98
RESTART_EVERY = 50
RESTART_BELOW = 0.01  # of the uniform share


class CodebookEma(nn.Module):
    """Averages for three codebooks, written into the quantizer's codebook [L, K, D]; and the sub-codebooks.

    Args:
        codes, code_dim: K and D.
    """

    count: Tensor
    total: Tensor
    usage: Tensor
    small: Tensor

    def __init__(self, codes: int, code_dim: int) -> None:
        super().__init__()
        shape = (LEVELS, codes, code_dim)
        self.register_buffer("count", torch.zeros(shape[:2]))
        self.register_buffer("total", torch.zeros(shape))
        self.register_buffer("usage", torch.zeros(shape[:2]))
        self.register_buffer("small", torch.zeros(sum(smaller_sizes(codes)), code_dim))

    @torch.no_grad()
    def kmeans(self, level: int, z: Tensor, codebook: Tensor, iterations: int = 10) -> None:
        """Spherical k-means of z [N, D] into codebook [K, D], started from random features."""
        pick = torch.randint(len(z), (len(codebook),))
        codebook.copy_(F.normalize(z[pick] + 1e-3 * torch.randn(codebook.shape).to(z), dim=-1))
        for _ in range(iterations):
            index = (z @ codebook.T).argmax(-1)
            total = torch.zeros_like(codebook).index_add_(0, index, z)
            used = total.norm(dim=-1) > 0
            codebook[used] = F.normalize(total[used], dim=-1)
        count = torch.bincount(index, minlength=len(codebook)).float()
        self.count[level] = count
        self.total[level] = codebook * count[:, None]

    @torch.no_grad()
    def start(self, codebook: Tensor, histogram: Tensor) -> None:
        """Averages as if codebook [L, K, D] had been used as the histogram [L, K] says, once a codeword in the mean."""
        share = histogram / histogram.sum(-1, keepdim=True)
        self.count.copy_(share * histogram.shape[-1])
        self.total.copy_(codebook * self.count[..., None])
        self.usage.copy_(share)

    @torch.no_grad()
    def update(self, level: int, z: Tensor, index: Tensor, codebook: Tensor, step: int) -> None:
        """One averaging step from z [N, D] and its indices [N]; restarts dead codes now and then."""
        if len(z) == 0:
            return
        count = torch.bincount(index, minlength=len(codebook)).float()
        total = torch.zeros_like(codebook).index_add_(0, index, z)
        self.usage[level] = 0.99 * self.usage[level] + 0.01 * count / count.sum()
        self.count[level].mul_(DECAY).add_(count, alpha=1 - DECAY)
        self.total[level].mul_(DECAY).add_(total, alpha=1 - DECAY)
        alive = self.count[level] > 1e-3
        codebook[alive] = F.normalize(self.total[level][alive], dim=-1)
        if step % RESTART_EVERY == 0:
            uniform = self.count[level].sum() / len(codebook)
            dead = self.count[level] < RESTART_BELOW * uniform
            seeds = z[torch.randint(len(z), (int(dead.sum()),))]
            codebook[dead] = seeds
            self.count[level][dead] = 0.1 * uniform
            self.total[level][dead] = seeds * 0.1 * uniform

    def recluster(self, codebook: Tensor) -> None:
        """Sub-codebooks of the coarse codebook [K, D] as it is used by now, one below the other in `small`."""
        codebook, usage = codebook.cpu(), self.count[0].clamp_min(1e-3).cpu()
        self.small.copy_(torch.cat([cluster(codebook, usage, size).codewords for size in smaller_sizes(len(codebook))]))

    def perplexity(self) -> list[float]:
        """exp(entropy) of the recent use of each codebook; K when all codes are used alike."""
        p = self.usage / self.usage.sum(-1, keepdim=True).clamp_min(1e-9)
        return [float(x) for x in torch.exp(-(p * p.clamp_min(1e-12).log()).sum(-1))]
