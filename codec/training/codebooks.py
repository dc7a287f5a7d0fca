"""The smaller coarse codebooks of a finished tokenizer: k-means, counted on photographs.

photographs -> encoder -> z, coarse -> usage of the full codebook -> cluster -> nearest(z) -> histograms
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from codec.codebook import cluster, joined, nearest, smaller_sizes


def coarse_books(codebook: Tensor, features: Iterable[Tensor]) -> dict[str, Tensor]:
    """Codewords and histograms of all smaller sizes, as they are stored.

    Args:
        codebook: float32 [K, D], the full coarse codebook as it is once stored in half precision.
        features: Coarse features of photographs, float32 [n, D] each, unit length along D.
    """
    z = torch.cat(list(features))
    usage = torch.bincount(nearest(z, codebook), minlength=len(codebook)) + 1
    words = [cluster(codebook, usage, size).codewords.half().float() for size in smaller_sizes(len(codebook))]
    counts = [torch.bincount(nearest(z, book), minlength=len(book)) + 1 for book in words]
    return joined(words, counts, codebook.shape[-1])
