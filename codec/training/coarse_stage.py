"""The encoder's stage at H/16 and the coarse codebook, when they learn beside predictor and decoder.

Tokens of H/4 and H/8 stay as they are: nothing that makes them moves. Coarse tokens learn to say a
little of what stands around them, as far as that makes better pictures where some are lost.
"""

import torch
from torch import Tensor, nn

from codec.training.codebook_ema import CodebookEma
from codec.training.networks import Tokenizer

COMMITMENT = 0.1  # as in the training of the tokenizer


def pass_through(code: Tensor, z: Tensor, kept: Tensor) -> Tensor:
    """`code` with the gradient of features z, of its shape, where `kept` (straight-through estimator)."""
    return code + kept * (z - z.detach())


class CoarseStage:
    """What learns, and the averages its codebook follows.

    Args:
        tokenizer: The encoder's coarse stage is set to learn, the coarse codebook written to, in place.
        histogram: How often each codeword is used, [L, K].
    """

    def __init__(self, tokenizer: Tokenizer, histogram: Tensor) -> None:
        encoder = tokenizer.encoder
        parts = {"down_coarse": encoder.down_coarse, "stage_coarse": encoder.stage_coarse, "head": encoder.heads[0]}
        self.network = nn.ModuleDict(parts).requires_grad_()
        self.codebook = tokenizer.quantizer.codebook
        self.ema = CodebookEma(*self.codebook.shape[1:]).to(self.codebook.device)
        self.ema.start(self.codebook, histogram.float().to(self.codebook.device))
        self._seen = self.codebook[0, :0], torch.zeros(0, dtype=torch.int64)

    @staticmethod
    def full_name(name: str) -> str:
        """Of a weight of `network`, in a tokenizer's state dict."""
        return "encoder." + name.replace("head.", "heads.0.")

    def commitment(self, z: Tensor, index: Tensor, present: Tensor) -> Tensor:
        """Of features to their codewords, where there is a coarse token; `follow` will move the codebook by them.

        Args:
            z: [B, D, h, w].
            index: int64 [B, h*w], their nearest codewords.
            present: 0/1 [B, 1, h, w].
        """
        chosen = present.flatten() > 0
        vectors, index = z.permute(0, 2, 3, 1).flatten(0, 2)[chosen], index.flatten()[chosen]
        self._seen = vectors.detach(), index
        gap = (vectors - self.codebook[0][index]).square().sum(-1)
        return COMMITMENT * gap.sum() / chosen.sum().clamp_min(1)

    def follow(self, step: int) -> None:
        """The codebook moves towards the features of the last `commitment`, after its gradient has been taken."""
        self.ema.update(0, *self._seen, self.codebook[0], step)
