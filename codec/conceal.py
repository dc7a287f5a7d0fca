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
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from codec.books import book_of
from codec.codebook import SubCodebook, nearest
from codec.errors import RequestError
from codec.latents import Concealed
from codec.predictor import Predictor
from codec.tokens import Tokens, block_of, positions

METHODS = ("none", "zero", "neighbour_mean", "argmax", "expected")


@dataclass(frozen=True)
class TokenBatch:
    """Token sequences padded to one length; see `Predictor.forward` for the shapes. book: int64 [B, N]."""

    code: Tensor
    known: Tensor
    level: Tensor
    book: Tensor
    position: Tensor
    real: Tensor | None


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


def look_up(level: Tensor, index: Tensor, book: Tensor, codebook: Tensor, coarse: Sequence[SubCodebook]) -> Tensor:
    """Codewords [..., D] of tokens, each from its own codebook; level, index, book int64 [...]."""
    code = codebook[level, index]
    for number in book.unique().tolist():
        if number:
            at = book == number
            code[at] = coarse[number - 1].codewords[index[at]]
    return code


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


def _as_received(tokens: Tokens, codebook: Tensor, coarse: Sequence[SubCodebook]) -> NDArray[np.float32]:
    level, index, book = (torch.from_numpy(a.astype(np.int64)) for a in (tokens.level, tokens.index, book_of(tokens)))
    code: NDArray[np.float32] = look_up(level, index, book, codebook, coarse).numpy() * tokens.known[:, None]
    return code


def _neighbour_mean(tokens: Tokens, codebook: Tensor, coarse: Sequence[SubCodebook]) -> NDArray[np.float32]:
    """Fill coarse holes from the coarse tokens around them, ring by ring (weights 1, diagonals 1/2)."""
    code = _as_received(tokens, codebook, coarse)
    at = np.flatnonzero(tokens.level == 0)
    block = block_of(tokens)[at]
    height, width = tokens.grid
    grid = torch.zeros(1, code.shape[1] + 1, height * width)
    vectors = np.concatenate([code, tokens.known[:, None]], axis=1)[at]
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
    holes = ~tokens.known[at]
    code[at[holes]] = filled[holes]
    return code


def _finish(
    tokens: Tokens, code: NDArray[np.float32], codebook: Tensor, coarse: Sequence[SubCodebook], grey: bool
) -> Concealed:
    """Confidence from the length of the guess, index from its nearest codeword in the codebook of the hole."""
    holes = np.flatnonzero(~tokens.known)
    index, book = tokens.index.copy(), book_of(tokens)
    for level, number in set(zip(tokens.level[holes].tolist(), book[holes].tolist(), strict=True)):
        at = holes[(tokens.level[holes] == level) & (book[holes] == number)]
        codewords = coarse[number - 1].codewords if number else codebook[level]
        index[at] = nearest(torch.from_numpy(code[at]), codewords).numpy()
    length = np.linalg.norm(code, axis=1).clip(0, 1)
    confidence = np.where(tokens.known, 1.0, length).astype(np.float32)
    return Concealed(replace(tokens, index=index), code, confidence, grey)


def _guess(probability: Tensor, codewords: Tensor, method: str) -> tuple[Tensor, Tensor, Tensor]:
    """Codeword [M, D], confidence [M] and index [M] from distributions [M, K'] over codewords [K', D]."""
    best = probability.argmax(-1)
    code = codewords[best] if method == "argmax" else probability @ codewords
    cosine = (F.normalize(code, dim=-1) * (probability @ F.normalize(codewords, dim=-1))).sum(-1)
    return code, cosine.clamp(0, 1), best


@torch.no_grad()
def _predicted(
    batch: Sequence[Tokens], predictor: Predictor, codebook: Tensor, method: str, coarse: Sequence[SubCodebook]
) -> list[Concealed]:
    packed = pack(batch, codebook, coarse)
    code, confidence = packed.code * packed.known[..., None], packed.known.float()
    index = torch.zeros_like(packed.level)
    for level in range(len(codebook)):
        where, logits = distribution(predictor, packed, codebook, level)
        if not where.any():
            continue
        probability = logits.float().softmax(-1)
        for number in packed.book[where].unique().tolist():
            at = where & (packed.book == number)
            chosen, codewords = probability[packed.book[where] == number], codebook[level]
            if number:  # a sub-codeword is as probable as its members together
                codewords, member = coarse[number - 1]
                chosen = chosen.new_zeros(len(chosen), len(codewords)).index_add_(1, member, chosen)
            code[at], confidence[at], index[at] = _guess(chosen, codewords, method)
    results, (indices, codes, sure) = [], (t.cpu().numpy() for t in (index, code, confidence))
    for row, tokens in enumerate(batch):
        n = len(tokens.level)
        guess = np.where(tokens.known, tokens.index, indices[row, :n]).astype(np.int32)
        results.append(Concealed(replace(tokens, index=guess), codes[row, :n], sure[row, :n]))
    return results


def conceal(
    batch: Sequence[Tokens],
    predictor: Predictor,
    codebook: Tensor,
    method: str,
    coarse: Sequence[SubCodebook] = (),
) -> list[Concealed]:
    """Fill the holes of pictures.

    Args:
        batch: Tokens of one or more pictures, any grids.
        predictor: The masked transformer.
        codebook: float32 [L, K, D].
        method: One of `METHODS`.
        coarse: Coarse codebooks of K/2, K/4, ... codewords.

    Raises:
        RequestError: If the method is unknown.
    """
    if method not in METHODS:
        raise RequestError("conceal", "unknown method", method, f"Available: {', '.join(METHODS)}")
    books = [SubCodebook(*(part.cpu() for part in book)) for book in coarse]
    table = codebook.cpu()
    if method in ("argmax", "expected"):
        # Whole pictures need no transformer, and would only lengthen its padding.
        holed = [tokens for tokens in batch if not tokens.known.all()]
        guessed = iter(_predicted(holed, predictor, codebook, method, coarse) if holed else ())
        received = partial(_finish, codebook=table, coarse=books, grey=False)
        return [next(guessed) if not t.known.all() else received(t, _as_received(t, table, books)) for t in batch]
    make = _neighbour_mean if method == "neighbour_mean" else _as_received
    return [_finish(tokens, make(tokens, table, books), table, books, method == "none") for tokens in batch]
