"""Latent maps: tokens with their codewords, dense, on the three grids; what the networks look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec.config import LEVELS
from codec.layers import resample
from codec.tokens import Tokens, positions


@dataclass(frozen=True)
class Concealed:
    """Tokens with every hole filled.

    Attributes:
        tokens: As received; `index` of a hole holds the guess (the nearest codeword), while `known`
            still says it was lost.
        code: float32 [N, D], the codeword each token hands to the decoder.
        confidence: float32 [N] in [0, 1].
        grey: Whether holes are to be shown as grey blocks instead of being decoded.
    """

    tokens: Tokens
    code: NDArray[np.float32]
    confidence: NDArray[np.float32]
    grey: bool = False


@dataclass(frozen=True)
class LatentMaps:
    """What the decoder sees, dense, for each level l on its grid [h*2^l, w*2^l].

    Attributes:
        code: L tensors [B, D, h_l, w_l], zero where the level has no token or nothing is known.
        present: L tensors [B, 1, h_l, w_l], 1 where a token of this level sits.
        confidence: L tensors [B, 1, h_l, w_l] in [0, 1]; 1 received, 0 unknown or no token.
    """

    code: list[Tensor]
    present: list[Tensor]
    confidence: list[Tensor]

    def to(self, device: torch.device) -> "LatentMaps":
        """The same on another device."""
        parts = (self.code, self.present, self.confidence)
        return LatentMaps(*([t.to(device) for t in part] for part in parts))


def presence(quarters: NDArray[np.uint8]) -> list[Tensor]:
    """Where each level has a token, L tensors float32 [B, 1, h_l, w_l], from levels of quarters uint8 [B, 2h, 2w]."""
    levels = torch.from_numpy(np.ascontiguousarray(quarters))[:, None]
    fine = resample((levels == 2).float(), 1)
    return [(levels[:, :, ::2, ::2] == 0).float(), (levels == 1).float(), fine]


def condition(maps: LatentMaps, grid: int) -> Tensor:
    """All levels on one grid: [B, L*D + L + 1, h_grid, w_grid]."""
    parts = [resample(maps.code[level], grid - level) for level in range(LEVELS)]
    parts += [resample(maps.present[level], grid - level) for level in range(LEVELS)]
    doubt = reduce(torch.add, (resample(maps.confidence[level], grid - level) for level in range(LEVELS)))
    # Joined along the last axis: channels last in memory, which the convolutions need not undo then.
    return torch.cat([part.permute(0, 2, 3, 1) for part in (*parts, doubt)], -1).permute(0, 3, 1, 2)


def condition_channels(code_dim: int) -> int:
    """Channels of `condition`."""
    return LEVELS * code_dim + LEVELS + 1


def latent_maps(batch: Sequence[Concealed], code_dim: int) -> LatentMaps:
    """Scatter the tokens of pictures of one grid onto the three grids of the decoder."""
    height, width = batch[0].tokens.grid
    code, present, confidence = [], [], []
    for level in range(LEVELS):
        shape = (len(batch), height << level, width << level)
        vectors = np.zeros((*shape, code_dim), np.float32)
        there, sure = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        for row, filled in enumerate(batch):
            at = np.flatnonzero(filled.tokens.level == level)
            y, x = (positions(filled.tokens)[at] * (1 << level)).astype(np.intp).T
            vectors[row, y, x] = filled.code[at]
            there[row, y, x], sure[row, y, x] = 1.0, filled.confidence[at]
        code.append(torch.from_numpy(vectors).permute(0, 3, 1, 2))  # channels last in memory, as networks like it
        present.append(torch.from_numpy(there)[:, None])
        confidence.append(torch.from_numpy(sure)[:, None])
    return LatentMaps(code, present, confidence)
