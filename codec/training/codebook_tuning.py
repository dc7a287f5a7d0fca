"""Smaller coarse codebooks follow the gradient of what is seen; encoder and decoder rest.

crops -> encoder -> nearest of K' codewords -> decoder -> distortion + squeeze
                          ^________________________________________| gradient, to the codewords alone

K-means makes codewords that are near the features; what counts is the picture that the decoder makes of
them (codebook tuning of Mao et al., 2023, arXiv 2307.08265, section 3.2). The sizes take turns. Of each size
the tuned codebook stays only if it is better on photographs that no step has seen. Codewords may be shorter
than one, never longer (see codec/codebook.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec.codebook import nearest
from codec.config import LEVELS
from codec.decoder import Decoder
from codec.device import to_tensor
from codec.distortion import distortion
from codec.encoder import Encoder
from codec.errors import RequestError
from codec.latents import LatentMaps
from codec.perceptual import Squeeze
from codec.training.data import batch
from codec.training.run import autocast

HELD_OUT = 8  # every eighth photograph judges and teaches nothing

Photographs = Sequence[NDArray[np.uint8]]


@dataclass(frozen=True)
class TuningRecipe:
    """Numbers of the tuning.

    Attributes:
        steps: Optimizer steps in all, shared by the sizes.
        size, batch: Side of a crop in pixels, crops a step.
        rate: Learning rate of Adam; falls in a straight line to zero.
        perceptual_weight: Of `squeeze`, beside the distortion of weight 1.
        judged: Crops of held-out photographs that decide.
        seed: Of the crops.
    """

    steps: int = 280
    size: int = 128
    batch: int = 8
    rate: float = 0.01
    perceptual_weight: float = 3.0
    judged: int = 32
    seed: int = 1


@dataclass(frozen=True)
class View:
    """What an all-coarse picture looks like with some codewords: frozen networks and a measure."""

    encoder: Encoder
    decoder: Decoder
    perceptual: Squeeze | None
    perceptual_weight: float

    def loss(self, crops: NDArray[np.uint8], codewords: Tensor) -> Tensor:
        """Distortion + squeeze of crops uint8 [B, S, S, 3] sent with codewords [K', D]; differentiable in these."""
        x = to_tensor(crops, codewords.device)
        with torch.no_grad():
            z = self.encoder(x)[0].float().permute(0, 2, 3, 1)
            index = nearest(z, codewords)
        with autocast(x.device):
            y = self.decoder(all_coarse(codewords[index].permute(0, 3, 1, 2))).float()
            seen = 0.0 if self.perceptual is None else self.perceptual(y, x).mean()
            return distortion(y, x) + self.perceptual_weight * seen


def all_coarse(code: Tensor) -> LatentMaps:
    """Latent maps of pictures that are all coarse and all received, from their codewords [B, D, h, w]."""
    count, depth, height, width = code.shape
    grids = [(count, height << level, width << level) for level in range(LEVELS)]
    here = [code.new_full((b, 1, h, w), float(level == 0)) for level, (b, h, w) in enumerate(grids)]
    finer = [code.new_zeros(b, depth, h, w) for b, h, w in grids[1:]]
    return LatentMaps([code, *finer], here, here)


def tuned(words: Sequence[Tensor], photographs: Photographs, view: View, recipe: TuningRecipe) -> list[Tensor]:
    """Codebooks [K', D] of all sizes, each tuned or, where that is no better, as it was.

    Raises:
        RequestError: If there is no photograph left to be held out.
    """
    if len(photographs) < 2:
        advice = "Add photographs, or take --tune-steps 0"
        raise RequestError(
            "--tune-steps", "needs two photographs at least, one of them held out", len(photographs), advice
        )
    where = view.encoder.stem.weight.device
    taught = [photo for number, photo in enumerate(photographs) if number % HELD_OUT]
    moved = [codewords.to(where).clone().requires_grad_() for codewords in words]
    optimizers = [torch.optim.Adam([codewords], recipe.rate, betas=(0.9, 0.99)) for codewords in moved]
    for step in range(recipe.steps):
        turn = step % len(moved)
        optimizers[turn].param_groups[0]["lr"] = recipe.rate * (1 - step / recipe.steps)
        crops, _ = batch(taught, recipe.size, recipe.batch, recipe.seed, step)
        optimizers[turn].zero_grad()
        view.loss(crops, moved[turn]).backward()
        optimizers[turn].step()
        with torch.no_grad():
            moved[turn] /= moved[turn].norm(dim=1, keepdim=True).clamp_min(1.0)
    return better(words, [codewords.detach() for codewords in moved], photographs[::HELD_OUT], view, recipe)


@torch.no_grad()
def better(
    words: Sequence[Tensor], moved: Sequence[Tensor], held_out: Photographs, view: View, recipe: TuningRecipe
) -> list[Tensor]:
    """Of each pair of codebooks the one with the smaller loss on crops of photographs; says so, a line a size."""
    chosen, judged = [], batch(list(held_out), recipe.size, recipe.judged, recipe.seed, recipe.steps)[0]
    where = view.encoder.stem.weight.device
    parts = [judged[start : start + recipe.batch] for start in range(0, len(judged), recipe.batch)]
    for old, new in zip(words, moved, strict=True):
        before, after = (
            float(np.mean([view.loss(part, each.to(where)).item() for part in parts])) for each in (old, new)
        )
        chosen.append(new.cpu() if after < before else old)
        print(f"{len(old)} codewords: loss {before:.4f} by k-means, {after:.4f} tuned", flush=True)
    return chosen
