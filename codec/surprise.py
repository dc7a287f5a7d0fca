"""Surprise: bits that a lost token would still cost under what is known without it, -log2 of its probability.

Measured on the token that was there; its mean is the cross-entropy. A lost block whose granularity was
not coarse has no such token, and is left out.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from codec.books import book_of
from codec.conceal import MEANS, Concealer, frames_before
from codec.latents import Concealed
from codec.packing import pack
from codec.tables import Tables
from codec.tokens import Tokens, block_of

ASKED = ("argmax", *MEANS)  # methods whose distribution is the transformer's, asked once


def coarse_truth(tokens: Tokens) -> NDArray[np.int64]:
    """Index of each coarse block, -1 for split ones: [h*w]."""
    truth = np.full(tokens.grid[0] * tokens.grid[1], -1, np.int64)
    coarse = tokens.level == 0
    truth[block_of(tokens)[coarse]] = tokens.index[coarse]
    return truth


def lost_truth(received: Tokens, sent: Tokens) -> NDArray[np.int64]:
    """What stood at each lost token, -1 where no coarse token did and at tokens that came: int64 [N]."""
    if received.books != sent.books:  # nothing came, not even which codebook it was
        return np.full(len(received), -1, np.int64)
    return np.where(received.known, -1, coarse_truth(sent)[block_of(received)])


def static_bits(tables: Tables, received: Tokens, sent: Tokens) -> NDArray[np.float64]:
    """Bits of each lost token under the static histograms, float64 [M]."""
    truth, book = lost_truth(received, sent), book_of(received)
    at = np.flatnonzero(truth >= 0)
    costs = [tables.cost("static", 0, int(book[n]))[truth[n]] for n in at]
    return np.array(costs, np.float64) / 2**16


@torch.no_grad()
def missing_bits(
    concealer: Concealer, received: Sequence[Tokens], sent: Sequence[Tokens], before: Sequence[Concealed | None]
) -> list[NDArray[np.float64]]:
    """Bits of each lost token under the transformer's distribution.

    Args:
        concealer: The transformer and its codebooks.
        received: Pictures of one grid, with holes.
        sent: The same without.
        before: The frame before each picture, concealed, or None.

    Returns:
        float64 [M] for each picture.
    """
    truths = [lost_truth(*pair) for pair in zip(received, sent, strict=True)]
    rows = [row for row, truth in enumerate(truths) if (truth >= 0).any()]
    bits = [np.zeros(0) for _ in received]
    if not rows:
        return bits
    packed = pack([received[row] for row in rows], concealer.codebook, concealer.coarse)
    seen = frames_before([before[row] for row in rows], concealer.codebook)
    truth = torch.full(packed.level.shape, -1)
    for place, row in enumerate(rows):
        truth[place, : len(truths[row])] = torch.from_numpy(truths[row])
    found = torch.full(truth.shape, float("nan"))
    for at, probability, _ in concealer.distributions(packed, seen):
        wanted = truth[at]
        given = probability.gather(1, wanted.clamp_min(0)[:, None])[:, 0]
        found[at] = torch.where(wanted >= 0, -given.clamp_min(1e-30).log2(), float("nan"))
    for place, row in enumerate(rows):
        values = found[place].numpy().astype(np.float64)
        bits[row] = values[~np.isnan(values)]
    return bits
