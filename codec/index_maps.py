"""Index maps: all indices that one encoded picture may send, each map made when it is first asked for.

coarse, book b     [h, w]
medium             [2h, 2w]
fine               [4h, 4w]
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec.codebook import SubCodebook, nearest
from codec.config import BLOCK, LEVELS
from codec.granularity import density, flat_blocks, grey, is_flat
from codec.quantizer import Quantizer
from codec.rate import tokens_of
from codec.rate_request import Allocation, Candidates, Densities
from codec.tokens import Tokens

SHOWN = 0.02  # a codebook shows a flat picture if its squared distance to the features is no more above that of book 0


class IndexMaps:
    """Features of one picture and the codebooks to search.

    Args:
        features: [D, h_l, w_l] for each level, unit length along D.
        quantizer: Its codebooks are searched, and
        books: these, the smaller coarse ones.
    """

    def __init__(self, features: Sequence[Tensor], quantizer: Quantizer, books: Sequence[SubCodebook]) -> None:
        self._features, self._quantizer, self._books = features, quantizer, books
        self._made: dict[tuple[int, int], NDArray[np.int64]] = {}

    def index(self, level: int, book: int = 0) -> NDArray[np.int64]:
        """Indices int64 [h_l, w_l] of the nearest codewords of a level, of a book if coarse."""
        if (level, book) not in self._made:
            z = self._features[level]
            if book:
                found = nearest(z.permute(1, 2, 0), self._books[book - 1].codewords)
            else:
                found = self._quantizer.nearest(level, z[None])[0]
            self._made[level, book] = found.cpu().numpy()
        return self._made[level, book]

    def candidates(self, frame: NDArray[np.uint8]) -> Candidates:
        """What may be sent of the frame uint8 [H, W, 3], sides multiples of 16, whose features these are."""
        coarse = [self.index(0, book) for book in range(1 + len(self._books))]
        flat = is_flat(frame)
        return Candidates(coarse, self.index, lambda: _densities(frame), flat, self._enough() if flat else 0)

    def tokens(self, choice: Allocation) -> Tokens:
        """The tokens of an allocation."""
        # The search through a codebook is skipped where no token will be.
        height, width = choice.quarters.shape
        nothing = [np.zeros((height << level >> 1, width << level >> 1), np.int64) for level in range(LEVELS)]
        finer = [self.index(level) if (choice.quarters == level).any() else nothing[level] for level in (1, 2)]
        return tokens_of(lambda book: self.index(0, book), finer, choice)

    def _enough(self) -> int:
        """The book of fewest codewords that come about as close to the coarse features as the full codebook."""
        z = self._features[0].permute(1, 2, 0)
        gaps = []
        for book, words in enumerate([self._quantizer.codebook[0], *(book.codewords for book in self._books)]):
            sent = words[torch.from_numpy(self.index(0, book)).to(words.device)]
            gaps.append(float((z - sent).square().sum(-1).mean()))
        return max(book for book, gap in enumerate(gaps) if gap <= gaps[0] + SHOWN)


def _densities(frame: NDArray[np.uint8]) -> Densities:
    luma = grey(frame)
    return Densities(density(luma, BLOCK), density(luma, BLOCK // 2), flat_blocks(frame))
