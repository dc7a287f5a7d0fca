"""The smaller coarse codebooks of a finished tokenizer: k-means, tuned if wished, counted on photographs.

photographs -> encoder -> z, coarse -> usage of the full codebook -> cluster (-> tune) -> nearest(z) -> histograms
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from codec.codebook import cluster, joined, nearest, smaller_sizes


def coarse_books(
    codebook: Tensor, features: Iterable[Tensor], tune: Callable[[list[Tensor]], list[Tensor]] = list
) -> dict[str, Tensor]:
    """Codewords and histograms of all smaller sizes, as they are stored.

    Args:
        codebook: float32 [K, D], the full coarse codebook as it is once stored in half precision.
        features: Coarse features of photographs, float32 [n, D] each, unit length along D.
        tune: Codewords [K', D] of all sizes, the largest first -> better ones.
    """
    z = torch.cat(list(features))
    usage = torch.bincount(nearest(z, codebook), minlength=len(codebook)) + 1
    clustered = [cluster(codebook, usage, size).codewords for size in smaller_sizes(len(codebook))]
    words = [codewords.half().float() for codewords in tune(clustered)]
    counts = [torch.bincount(nearest(z, book), minlength=len(book)) + 1 for book in words]
    return joined(words, counts, codebook.shape[-1])
