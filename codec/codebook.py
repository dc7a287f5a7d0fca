"""K-means sub-codebooks: the coarse codebook at fewer codewords, for rates below log2(1024) / 256 bpp.

Clustering the codewords of one trained codebook by how often each is used gives every smaller
codebook without training another model (Mao et al., 2023, arXiv 2307.08265, section 3.2). A
centroid is the mean of its members and is *not* scaled to unit length: like the expected codeword of
a guess, a shorter vector says that less is known.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

SIZES = (8, 16, 32, 64, 128, 256, 512)
CODEWORDS, HISTOGRAM = "coarse_codewords", "coarse_histogram"  # names in a file of weights
ITERATIONS = 30
ROWS_AT_ONCE = 512  # of 1024 products each: 2 MB


class SubCodebook(NamedTuple):
    """A codebook of K' < K codewords.

    Attributes:
        codewords: float32 [K', D], at most of unit length.
        member: int64 [K] in [0, K'): which of them stands for each codeword of the full codebook.
    """

    codewords: Tensor
    member: Tensor


def nearest(z: Tensor, codewords: Tensor) -> Tensor:
    """Index of the nearest codeword by Euclidean distance, int64 [...], for z [..., D] and codewords [K', D].

    >>> nearest(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.5, 0.0]])).tolist()
    [1]
    """
    return most_alike(z, codewords, 0.5 * codewords.square().sum(-1))


def most_alike(z: Tensor, codewords: Tensor, handicap: Tensor | float = 0.0) -> Tensor:
    """Index of the codeword of the largest product with z, less its handicap [K']: int64 [...].

    In fp32 under autocast too. A few rows at a time, while they are in the cache, and by NumPy on a CPU: that is five
    times as fast as torch's `argmax` of all.
    """
    rows = z.detach().reshape(-1, z.shape[-1])
    with torch.autocast(z.device.type, enabled=False):
        scores = (part @ codewords.T - handicap for part in rows.split(ROWS_AT_ONCE))
        if z.device.type != "cpu":
            return torch.cat([score.argmax(-1) for score in scores]).reshape(z.shape[:-1])
        return torch.from_numpy(np.concatenate([s.numpy().argmax(-1) for s in scores])).reshape(z.shape[:-1])


@torch.no_grad()
def cluster(codebook: Tensor, usage: Tensor, size: int, seed: int = 0) -> SubCodebook:
    """Weighted k-means (Lloyd's algorithm, k-means++ start) of a codebook.

    Args:
        codebook: float32 [K, D], rows of unit length.
        usage: [K], how often each codeword is used; at least one positive.
        size: K', 1 to K.
        seed: Of the start.
    """
    weight = usage.double() / usage.sum()
    points = codebook.double()
    centroids = _spread(points, weight, size, torch.Generator().manual_seed(seed))
    for _ in range(ITERATIONS):
        member = nearest(points, centroids)
        mass = torch.zeros(size, dtype=torch.double).index_add_(0, member, weight)
        total = torch.zeros_like(centroids).index_add_(0, member, points * weight[:, None])
        filled = mass > 0
        centroids[filled] = total[filled] / mass[filled, None]
    return SubCodebook(centroids.float(), nearest(points, centroids))


def smaller_sizes(codes: int) -> list[int]:
    """K' of the smaller coarse codebooks of one of K codewords, the largest first.

    >>> smaller_sizes(64)
    [32, 16, 8]
    """
    return [size for size in reversed(SIZES) if size < codes]


def with_coarse_books(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a tokenizer together with its smaller coarse codebooks, derived if it has none.

    Those of a file were counted on photographs when it was exported. Derived ones count members
    instead; k-means runs in float64 and is rounded to half precision, as what is stored is, and what
    came of it is part of the hash of the weights.

    Args:
        tensors: With `quantizer.codebook` [L, K, D] and `histogram` [L, K].

    Returns:
        The tensors, with `coarse_codewords` float32 [K/2 + K/4 + ... + 8, D] and `coarse_histogram`
        int32 [K/2 + K/4 + ... + 8].
    """
    if CODEWORDS in tensors:
        return tensors
    codebook, usage = tensors["quantizer.codebook"][0], tensors["histogram"][0]
    books = [cluster(codebook, usage, size) for size in smaller_sizes(len(codebook))]
    counts = [torch.zeros(len(words)).long().index_add_(0, member, usage.long()) for words, member in books]
    return tensors | joined([words for words, _ in books], counts, codebook.shape[-1])


def joined(codewords: list[Tensor], counts: list[Tensor], dimensions: int) -> dict[str, Tensor]:
    """Codebooks [K', D] and histograms [K'], the largest first, as they are stored."""
    words = torch.cat([torch.zeros(0, dimensions), *codewords]).half().float()
    histogram = torch.cat([torch.zeros(0).long(), *counts]).clamp_min(1)
    return {CODEWORDS: words, HISTOGRAM: histogram.int()}


def split_books(codebook: Tensor, codewords: Tensor) -> tuple[SubCodebook, ...]:
    """The stored codewords as codebooks, the largest first; `codebook` [K, D] tells the members."""
    books, start = [], 0
    for size in smaller_sizes(len(codebook)):
        words = codewords[start : start + size]
        books.append(SubCodebook(words, nearest(codebook, words)))
        start += size
    return tuple(books)


def _spread(points: Tensor, weight: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """k-means++ (Arthur and Vassilvitskii, 2007): each start is drawn by weight x squared distance to the others."""
    chosen = [int(torch.multinomial(weight, 1, generator=generator))]
    distance = (points - points[chosen[0]]).square().sum(-1)
    while len(chosen) < size:
        score = (distance * weight).clamp_min(1e-30)
        score[chosen] = 0
        chosen.append(int(torch.multinomial(score, 1, generator=generator)))
        distance = torch.minimum(distance, (points - points[chosen[-1]]).square().sum(-1))
    return points[chosen].clone()
