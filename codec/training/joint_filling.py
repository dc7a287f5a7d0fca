"""What decoder and predictor see in the joint training: tokens with holes, filled with a gradient.

frame before -> tokens with holes -> concealed ---+ (no gradient)
frame -> encoder -> tokens with holes -> predictor -> expected codeword, confidence -> maps for the decoder
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec.conceal import Concealer, estimate, frames_before
from codec.device import to_tensor
from codec.granularity import allocate
from codec.latents import Concealed, LatentMaps, latent_maps, presence
from codec.packing import TokenBatch, alike, pack
from codec.predictor import Predictor
from codec.tokens import Tokens, from_dense, quarters_of, with_lost_blocks
from codec.training.coarse_stage import CoarseStage, pass_through
from codec.training.joint_samples import Sample
from codec.training.networks import Tokenizer

Ratios = Sequence[tuple[float, float, float]]


class Filling:
    """Encoder, codebooks and predictor, from pictures to maps.

    Args:
        tokenizer: Makes the tokens.
        predictor: Fills the holes.
        coarse: Stage of the encoder that learns, or None.
    """

    def __init__(self, tokenizer: Tokenizer, predictor: Predictor, coarse: CoarseStage | None) -> None:
        self.encoder, self.quantizer, self.coarse = tokenizer.encoder, tokenizer.quantizer, coarse
        self.concealer, self.device = Concealer(predictor, self.quantizer.codebook), self.quantizer.codebook.device

    def tokens(self, z: list[Tensor], crops: NDArray[np.uint8], ratios: Ratios) -> tuple[list[Tokens], Tensor]:
        """Tokens of each picture, from its features; and all coarse indices int64 [B, h*w]."""
        index = [self.quantizer.nearest(level, features) for level, features in enumerate(z)]
        dense = [m.cpu().numpy() for m in index]
        quarters = [allocate(crop, ratio) for crop, ratio in zip(crops, ratios, strict=True)]
        tokens = [from_dense([m[row] for m in dense], levels) for row, levels in enumerate(quarters)]
        return tokens, index[0].flatten(1)

    def features(self, crops: NDArray[np.uint8]) -> list[Tensor]:
        """Of all grids; with a gradient if the encoder's coarse stage learns."""
        return [z.float() for z in self.encoder(to_tensor(crops, self.device))]

    def fill(self, sample: Sample) -> tuple[LatentMaps, dict[str, Tensor]]:
        """What the decoder gets, with a gradient at the holes, and at what came too if the coarse stage learns.

        Returns:
            The maps; `entropy`, the cross-entropy of the lost tokens in nats, `surprise`, the squared distance from
            what was expected of them to their features, `commitment`, that of features to their codewords.
        """
        z = self.features(sample.crops)
        sent, truth = self.tokens(z, sample.crops, sample.ratios)
        received = [with_lost_blocks(tokens, lost) for tokens, lost in zip(sent, sample.lost, strict=True)]
        zero = truth.new_zeros((), dtype=torch.float32)
        beside = {"entropy": zero, "surprise": zero, "commitment": zero}
        guessed = sample.method == "expected" and bool(sample.lost.any())
        filled = self.concealer.fill(received, "zero" if sample.method == "expected" else sample.method)
        maps = latent_maps(filled, self.quantizer.codebook.shape[-1]).to(self.device)
        if guessed:
            seen = frames_before(self._before(sample), self.quantizer.codebook)
            maps, beside["entropy"], beside["surprise"] = self._guessed(maps, received, seen, truth, z[0])
        if self.coarse is not None:
            held = torch.from_numpy(sample.lost).to(self.device).view(maps.present[0].shape)
            maps.code[0] = pass_through(maps.code[0], z[0], maps.present[0] * ~held)
            present = presence(np.stack([quarters_of(tokens) for tokens in sent]))
            beside["commitment"] = self.coarse.commitment(z[0], truth, present[0].to(self.device))
        return maps, beside

    def _guessed(
        self, bare: LatentMaps, received: Sequence[Tokens], seen: Tensor | None, truth: Tensor, z: Tensor
    ) -> tuple[LatentMaps, Tensor, Tensor]:
        """Expected codewords and their confidence in the holes of the maps of what came."""
        code = bare.code[0].permute(0, 2, 3, 1).clone()  # [B, h, w, D]
        confidence = bare.confidence[0][:, 0].clone()
        dense = z.permute(0, 2, 3, 1)
        nats, gaps = [], []
        holed = [row for row, tokens in enumerate(received) if not tokens.known.all()]
        for group in alike([received[row] for row in holed]):
            rows = torch.tensor([holed[number] for number in group], device=self.device)
            packed, context = self._packed(received, rows, dense), None if seen is None else seen[rows]
            for at, probability, codewords in self.concealer.distributions(packed, context):
                row, (y, x) = rows[at.nonzero()[:, 0]], packed.position[at].long().unbind(-1)
                expected, confidence[row, y, x] = estimate(probability, codewords)
                code[row, y, x] = expected
                target = truth[row, y * code.shape[2] + x]
                nats.append(-probability.gather(1, target[:, None]).clamp_min(1e-9).log())
                gaps.append((dense[row, y, x] - expected.detach()).square().sum(-1))
        maps = LatentMaps(
            [code.permute(0, 3, 1, 2), *bare.code[1:]], bare.present, [confidence[:, None], *bare.confidence[1:]]
        )
        return maps, torch.cat(nats).mean(), torch.cat(gaps).mean()

    def _packed(self, received: Sequence[Tokens], rows: Tensor, dense: Tensor) -> TokenBatch:
        """Some of the rows; the gradient of codewords that came goes on to the features [B, h, w, D], if they learn."""
        packed = pack([received[row] for row in rows.tolist()], self.quantizer.codebook)
        if self.coarse is None:
            return packed
        y, x = packed.position.long().unbind(-1)
        kept = (packed.known & (packed.level == 0))[..., None]
        return replace(packed, code=pass_through(packed.code, dense[rows[:, None], y, x], kept))

    def _before(self, sample: Sample) -> Sequence[Concealed | None]:
        if sample.before is None:
            return [None] * len(sample.crops)
        with torch.no_grad():
            tokens, _ = self.tokens(self.features(sample.before), sample.before, sample.ratios)
        lost = [with_lost_blocks(*pair) for pair in zip(tokens, sample.lost_before, strict=True)]
        filled: dict[int, Concealed] = {}
        for rows in alike(lost):
            filled |= dict(zip(rows, self.concealer.fill([lost[row] for row in rows], "expected"), strict=True))
        return [filled[row] for row in range(len(lost))]
