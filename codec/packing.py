"""Packing: token sequences of several pictures padded to one length, with their codewords."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from codec.books import book_of
from codec.codebook import SubCodebook
from codec.tokens import Tokens, positions


@dataclass(frozen=True)
class TokenBatch:
    """Token sequences padded to one length; see `Predictor.forward` for the shapes. book: int64 [B, N]."""

    code: Tensor
    known: Tensor
    level: Tensor
    book: Tensor
    position: Tensor
    real: Tensor | None

    @property
    def counted(self) -> Tensor:
        """bool [B, N], False for padding."""
        return torch.ones_like(self.known) if self.real is None else self.real


def pack(batch: Sequence[Tokens], codebook: Tensor, coarse: Sequence[SubCodebook] = ()) -> TokenBatch:
    """Pad sequences to the longest; codewords come from codebook [L, K, D] and the smaller coarse books."""
    counts = [len(tokens.level) for tokens in batch]
    shape = (len(batch), max(counts))
    index, level, book = (np.zeros(shape, np.int64) for _ in range(3))
    known, real = np.zeros(shape, bool), np.zeros(shape, bool)
    position = np.zeros((*shape, 2), np.float32)
    for row, (tokens, n) in enumerate(zip(batch, counts, strict=True)):
        index[row, :n], level[row, :n], known[row, :n] = tokens.index, tokens.level, tokens.known
        position[row, :n], real[row, :n], book[row, :n] = positions(tokens), True, book_of(tokens)
    arrays = (index, level, known, book, position, real)
    indices, levels, received, books, places, counted = (torch.from_numpy(a).to(codebook.device) for a in arrays)
    code = look_up(levels, indices, books, codebook, coarse)
    return TokenBatch(code, received, levels, books, places, None if real.all() else counted)


def alike(batch: Sequence[Tokens]) -> list[list[int]]:
    """Rows of a batch in groups of like length, as attention pays for padding too.

    Returns:
        Each row once; in a group none has twice as many tokens as another.
    """
    groups: dict[int, list[int]] = {}
    for row, tokens in enumerate(batch):
        groups.setdefault(len(tokens).bit_length(), []).append(row)
    return list(groups.values())


def look_up(level: Tensor, index: Tensor, book: Tensor, codebook: Tensor, coarse: Sequence[SubCodebook]) -> Tensor:
    """Codewords [..., D] of tokens, each from its own codebook; level, index, book int64 [...]."""
    code = codebook[level, index]
    for number in book.unique().tolist():
        if number:
            at = book == number
            code[at] = coarse[number - 1].codewords[index[at]]
    return code
