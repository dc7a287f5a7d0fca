"""Copying: how much the token a frame before says about a lost one, judged by the tokens around that did arrive.

    received tokens of this frame --same as a frame before?--> share of the neighbours --+
    frame before: codeword at the hole, received or guessed ----------------------------+--> logits += tilt

The transformer sees the frame before, but trained on all kinds of motion it is too shy of the plain
copy: where 84 % of the lost tokens were those of the frame before, it gave them 25 % (compact-2,
training clips). Whether a film stands still can be read off the neighbours: the share of them that
did not change is nearly the chance that the lost token did not. So its distribution P is tilted,

    log P'(k) = log P(k) + kernel x cos(codeword k, codeword before) + same x [k is the token before],

a product of experts (Hinton 2002, Neural Computation 14, 8) in which the second is a von Mises-Fisher
kernel about the codeword before with an atom on it. `kernel` and `same` are linear in three numbers:
1, the logit of that share, and whether the token before was received. Six weights, fitted to clips by
maximum likelihood (`codec/training/copying.py`), stored with the predictor. P' is a distribution, so
expected codeword, confidence and cross-entropy keep their meaning.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec.codebook import nearest
from codec.config import LEVELS
from codec.packing import TokenBatch

# Cosine of a guess to the codeword before from which that stands for it; chosen of 0.2 to 0.95 on training clips.
NEAR = 0.6
GUESSED = 0.998  # confidence of a copy at most: it was not received, and is no witness a frame later
REACH = 2  # blocks around a hole whose neighbours are asked
# (kernel, same) for (1, logit of the share of neighbours that stayed, received); of the weights compact-2.
FITTED = ((1.783, 0.004), (1.705, 0.482), (1.852, 1.783))


class Hints(NamedTuple):
    """What the frame before says at the block of each token.

    Attributes:
        code: [B, N, D] its codeword.
        evidence: [B, N, 3] the three numbers.
        there: bool [B, N], whether both are coarse; elsewhere nothing is said.
        confidence: [B, N] of the codeword before, 1 if it was received.
    """

    code: Tensor
    evidence: Tensor
    there: Tensor
    confidence: Tensor

    def settle(self, code: Tensor, confidence: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        """The codeword before itself where a guess points nearly the same way, with the confidence it had.

        Args:
            code: [M, D], guesses of the tokens `at`.
            confidence: [M].
            at: bool [B, N], M of them true.
        """
        before, sure = self.code[at], self.confidence[at].clamp(max=GUESSED)
        near = self.there[at] & (F.cosine_similarity(code, before, dim=-1) > NEAR)
        return torch.where(near[:, None], before, code), torch.where(near, sure, confidence)


class Copying(nn.Module):
    """The tilt; see the module."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(FITTED))

    def forward(self, logits: Tensor, codewords: Tensor, hints: Hints, at: Tensor) -> Tensor:
        """Tilted logits.

        Args:
            logits: [M, K'] of the tokens `at`.
            codewords: [K', D].
            hints: Of the batch.
            at: bool [B, N], M of them true.
        """
        code, there = hints.code[at], hints.there[at][:, None]
        kernel, same = (hints.evidence[at] @ self.weight).unbind(-1)
        tilt = kernel[:, None] * (F.normalize(code, dim=-1) @ F.normalize(codewords, dim=-1).T)
        tilt = tilt.scatter_add(1, nearest(code, codewords)[:, None], same[:, None])
        return torch.where(there, logits + tilt, logits)


@torch.no_grad()
def hints_of(packed: TokenBatch, seen: Tensor) -> Hints:
    """What the frames before say.

    Args:
        packed: Tokens with holes.
        seen: [B, C, h, w], `codec.latents.condition` of the frames before on the coarse grid.
    """
    dim, (batch, _, height, width) = packed.code.shape[-1], seen.shape
    before, coarse = seen[:, :dim].flatten(2).mT, seen[:, LEVELS * dim].flatten(1) > 0
    received = coarse & (seen[:, -1].flatten(1) > GUESSED)
    block = (packed.position.long() * torch.tensor([width, 1], device=seen.device)).sum(-1)
    now, came = torch.zeros_like(before), torch.zeros_like(received)
    here = packed.known & (packed.level == 0) & packed.counted
    row = here.nonzero()[:, 0]
    now[row, block[here]], came[row, block[here]] = packed.code[here], True
    both = came & received
    same = both & ((now - before).abs().amax(-1) < 1e-3)
    around = F.avg_pool2d(torch.stack([same, both], 1).float().view(batch, 2, height, width), 2 * REACH + 1, 1, REACH)
    kept, asked = (around * (2 * REACH + 1) ** 2).flatten(2).unbind(1)
    share = torch.logit((kept + 0.5) / (asked + 1))  # Jeffreys' estimate: 1/2 where nobody can be asked
    evidence = torch.stack([torch.ones_like(share), share, received.float()], -1)

    def take(values: Tensor) -> Tensor:
        return values.gather(1, block[..., None].expand(-1, -1, values.shape[-1]))

    there = take(coarse[..., None])[..., 0] & (packed.level == 0)
    return Hints(take(before), take(evidence), there, take(seen[:, -1].flatten(1)[..., None])[..., 0])
