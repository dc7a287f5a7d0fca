"""Concealment: tokens with holes -> a guess and a confidence for every hole.

A received token is never changed. A guess is a *codeword vector*, which need not be in the
codebook: `expected` hands the decoder the mean of the predicted distribution, whose length says how
sure it is. Confidence is the expected cosine between guess and truth, 1 for received tokens.

    none              nothing is guessed; the lost blocks stay grey
    zero              nothing is guessed; the decoder paints over the hole
    neighbour_mean    mean of the codewords around the hole, no transformer
    argmax            the most probable codeword of the masked transformer
    expected          the mean of its distribution over the codewords
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from codec.errors import RequestError
from codec.latents import Concealed
from codec.predictor import Predictor
from codec.tokens import Tokens, block_of, positions

METHODS = ("none", "zero", "neighbour_mean", "argmax", "expected")


@dataclass(frozen=True)
class TokenBatch:
    """Token sequences padded to one length; see `Predictor.forward` for the shapes."""

    code: Tensor
    known: Tensor
    level: Tensor
    position: Tensor
    real: Tensor | None


def pack(batch: Sequence[Tokens], codebook: Tensor) -> TokenBatch:
    """Pad sequences to the longest; codewords come from codebook [L, K, D]."""
    counts = [len(tokens.level) for tokens in batch]
    shape = (len(batch), max(counts))
    index, level = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    known, real = np.zeros(shape, bool), np.zeros(shape, bool)
    position = np.zeros((*shape, 2), np.float32)
    for row, (tokens, n) in enumerate(zip(batch, counts, strict=True)):
        index[row, :n], level[row, :n], known[row, :n] = tokens.index, tokens.level, tokens.known
        position[row, :n], real[row, :n] = positions(tokens), True
    arrays = (index, level, known, position, real)
    indices, levels, received, places, counted = (torch.from_numpy(a).to(codebook.device) for a in arrays)
    return TokenBatch(codebook[levels, indices], received, levels, places, None if real.all() else counted)


def distribution(
    predictor: Predictor, packed: TokenBatch, codebook: Tensor, level: int, before: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Logits for the holes of one level; `before` as in `Predictor.forward`.

    Returns:
        where: bool [B, N], the holes of this level; logits: [M, K] in their raster order.
    """
    hidden = predictor(packed.code, packed.known, packed.level, packed.position, packed.real, before)
    where = ~packed.known & (packed.level == level)
    if packed.real is not None:
        where &= packed.real
    return where, predictor.logits(hidden[where], codebook[level], level)


def expected_code(logits: Tensor, codebook: Tensor) -> Tensor:
    """Mean codeword [M, D] of the distributions given by logits [M, K]; its length is its doubt."""
    return logits.float().softmax(-1) @ codebook


def _as_received(tokens: Tokens, codebook: NDArray[np.float32]) -> NDArray[np.float32]:
    code: NDArray[np.float32] = codebook[tokens.level, tokens.index] * tokens.known[:, None]
    return code


def _neighbour_mean(tokens: Tokens, codebook: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill coarse holes from the coarse tokens around them, ring by ring (weights 1, diagonals 1/2)."""
    code = _as_received(tokens, codebook)
    coarse = np.flatnonzero(tokens.level == 0)
    block = block_of(tokens)[coarse]
    height, width = tokens.grid
    grid = torch.zeros(1, code.shape[1] + 1, height * width)
    vectors = np.concatenate([code, tokens.known[:, None]], axis=1)[coarse]
    grid[0, :, torch.from_numpy(block)] = torch.from_numpy(vectors).float().T
    grid = grid.view(1, -1, height, width)
    kernel = torch.tensor([[0.5, 1.0, 0.5], [1.0, 0.0, 1.0], [0.5, 1.0, 0.5]]).expand(grid.shape[1], 1, 3, 3)
    while True:
        around = F.conv2d(grid, kernel, padding=1, groups=grid.shape[1])
        new = (grid[:, -1:] == 0) & (around[:, -1:] > 0)
        if not new.any():
            break
        grid = torch.where(new, around / around[:, -1:].clamp_min(1e-9), grid)
    filled = grid[0, :-1].flatten(1).T.numpy()[block]
    holes = ~tokens.known[coarse]
    code[coarse[holes]] = filled[holes]
    return code


def _finish(tokens: Tokens, code: NDArray[np.float32], codebook: NDArray[np.float32], grey: bool) -> Concealed:
    """Confidence from the length of the guess, index from its nearest codeword."""
    holes = np.flatnonzero(~tokens.known)
    index = tokens.index.copy()
    for level in np.unique(tokens.level[holes]):
        at = holes[tokens.level[holes] == level]
        index[at] = (code[at] @ codebook[level].T).argmax(-1)
    length = np.linalg.norm(code, axis=1).clip(0, 1)
    confidence = np.where(tokens.known, 1.0, length).astype(np.float32)
    return Concealed(Tokens(tokens.grid, tokens.level, index, tokens.known), code, confidence, grey)


@torch.no_grad()
def _predicted(batch: Sequence[Tokens], predictor: Predictor, codebook: Tensor, method: str) -> list[Concealed]:
    packed = pack(batch, codebook)
    code, confidence = packed.code * packed.known[..., None], packed.known.float()
    index = torch.zeros_like(packed.level)
    for level in range(len(codebook)):
        where, logits = distribution(predictor, packed, codebook, level)
        if not where.any():
            continue
        mean, best = expected_code(logits, codebook[level]), logits.argmax(-1)
        index[where] = best
        if method == "argmax":
            code[where] = codebook[level][best]
            confidence[where] = (codebook[level][best] * mean).sum(-1).clamp(0, 1)
        else:
            code[where] = mean
            confidence[where] = mean.norm(dim=-1).clamp(0, 1)
    results, (indices, codes, sure) = [], (t.cpu().numpy() for t in (index, code, confidence))
    for row, tokens in enumerate(batch):
        n = len(tokens.level)
        guess = np.where(tokens.known, tokens.index, indices[row, :n]).astype(np.int32)
        filled = Tokens(tokens.grid, tokens.level, guess, tokens.known)
        results.append(Concealed(filled, codes[row, :n], sure[row, :n]))
    return results


def conceal(batch: Sequence[Tokens], predictor: Predictor, codebook: Tensor, method: str) -> list[Concealed]:
    """Fill the holes of pictures.

    Args:
        batch: Tokens of one or more pictures, any grids.
        predictor: The masked transformer.
        codebook: float32 [L, K, D].
        method: One of `METHODS`.

    Raises:
        RequestError: If the method is unknown.
    """
    if method not in METHODS:
        raise RequestError("conceal", "unknown method", method, f"Available: {', '.join(METHODS)}")
    table = codebook.cpu().numpy()
    if method in ("argmax", "expected"):
        # Whole pictures need no transformer, and would only lengthen its padding.
        holed = [tokens for tokens in batch if not tokens.known.all()]
        guessed = iter(_predicted(holed, predictor, codebook, method) if holed else ())
        received = partial(_finish, codebook=table, grey=False)
        return [next(guessed) if not t.known.all() else received(t, _as_received(t, table)) for t in batch]
    make = _neighbour_mean if method == "neighbour_mean" else _as_received
    return [_finish(tokens, make(tokens, table), table, method == "none") for tokens in batch]
