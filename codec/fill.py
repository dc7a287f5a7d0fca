"""Filling holes without a network: nothing, the neighbours' mean, what stood there a frame before."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from codec.books import book_of
from codec.codebook import SubCodebook, nearest
from codec.latents import Concealed
from codec.packing import look_up
from codec.tokens import Tokens, block_of

Kind = TypeVar("Kind", bound=np.generic)


def as_received(tokens: Tokens, codebook: Tensor, coarse: Sequence[SubCodebook]) -> NDArray[np.float32]:
    """Codewords [N, D] of what arrived, zero for holes."""
    level, index, book = (torch.from_numpy(a.astype(np.int64)) for a in (tokens.level, tokens.index, book_of(tokens)))
    code: NDArray[np.float32] = look_up(level, index, book, codebook, coarse).numpy() * tokens.known[:, None]
    return code


def neighbour_mean(tokens: Tokens, codebook: Tensor, coarse: Sequence[SubCodebook]) -> NDArray[np.float32]:
    """Fill coarse holes from the coarse tokens around them, ring by ring (weights 1, diagonals 1/2)."""
    code = as_received(tokens, codebook, coarse)
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


def finish(
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


def copy_previous(
    tokens: Tokens, previous: Concealed | None, codebook: Tensor, coarse: Sequence[SubCodebook]
) -> Concealed:
    """Lost blocks as the frame before had them, split or not; holes without a frame before stay empty.

    Confidence is that of the frame before: how much has changed since, nobody says.
    """
    code = as_received(tokens, codebook, coarse)
    if previous is None or previous.tokens.grid != tokens.grid or tokens.known.all():
        return finish(tokens, code, codebook, coarse, grey=False)
    lost = np.zeros(tokens.grid[0] * tokens.grid[1], np.bool_)
    lost[block_of(tokens)[~tokens.known]] = True
    kept, taken = np.flatnonzero(~lost[block_of(tokens)]), np.flatnonzero(lost[block_of(previous.tokens)])
    blocks = np.concatenate([block_of(tokens)[kept], block_of(previous.tokens)[taken]])
    order = np.argsort(blocks, kind="stable")

    def joined(mine: NDArray[Kind], theirs: NDArray[Kind]) -> NDArray[Kind]:
        return np.concatenate([mine[kept], theirs[taken]])[order]

    filled = Tokens(
        tokens.grid,
        joined(tokens.level, previous.tokens.level),
        joined(tokens.index, np.zeros_like(previous.tokens.index)),
        np.concatenate([tokens.known[kept], np.zeros(len(taken), np.bool_)])[order],
        tokens.books,
    )
    found = finish(filled, joined(code, previous.code), codebook, coarse, grey=False)
    return replace(found, confidence=joined(tokens.known.astype(np.float32), previous.confidence))
