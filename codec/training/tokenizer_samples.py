"""What a step of the tokenizer's training draws: granularities and losses; and the numbers of a run."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from codec.config import LEVELS
from codec.granularity import allocate
from codec.latents import LatentMaps, presence
from codec.rate_path import ALL_COARSE, ratios_at
from codec.training.run import check_recipe

PATH_SHARE = 0.75  # of the mixtures


@dataclass(frozen=True)
class TokenizerRecipe:
    """Numbers of a training run.

    Attributes:
        steps: Optimizer steps in all; the learning rate ends there.
        size, batch: Side of a crop in pixels, crops a step.
        peak_rate: Peak learning rate.
        quantize_from: Steps without quantization; then k-means from real features.
        perceptual_from, adversarial_from: Steps at which these losses begin.
        freeze_encoder_from: Step after which encoder and codebooks stay as they are.
        tune_from: Step from which the decoder is tuned on guesses, with a rate of its own.
        tune_rate: Learning rate there; falls in a straight line to zero at the end.
        tune_drop_share: `drop_share` and `coarse_drop_share` from there on.
        guessed_share: Share of the steps with a frozen encoder whose holes a predictor fills, if there is one; the
            others leave them empty, and know the sub-codebooks.
        painted_share: Share of crops of which a part is painted over in one colour.
        coarse_share: Share of crops that are all coarse, the regime of loss.
        small_share: Share of the all-coarse crops that take a sub-codebook of 8 to 512 codewords.
        drop_share: Share of the other crops with blocks dropped, so that the decoder knows holes.
        coarse_drop_share: The same for all-coarse crops. Before the encoder is frozen it learns from them to say a
            little of each block in the tokens around it.
        perceptual_weight, adversarial_weight: Beside the distortion of weight 1.
        coarse_perceptual_weight: Of the crops that are all coarse, which have the least to be exact with.
        squared_weight: Of the mean squared error, which is what PSNR asks for.
        screen_weight: Of dots that repeat with the grid (`codec.training.losses.screen`).
        log_every, picture_every: Steps between lines of the log, between sheets of pictures.
        seed: Of crops, ratios and drops.
        compile: Use torch.compile: a minute once, then about a fifth faster.
    """

    steps: int = 3700
    size: int = 128
    batch: int = 16
    peak_rate: float = 5e-4
    quantize_from: int = 300
    perceptual_from: int = 500
    adversarial_from: int = 1900
    freeze_encoder_from: int = 2300
    tune_from: int = 3300
    tune_rate: float = 2e-4
    tune_drop_share: float = 0.7
    guessed_share: float = 0.75
    painted_share: float = 0.08
    coarse_share: float = 0.6
    small_share: float = 0.3
    drop_share: float = 0.15
    coarse_drop_share: float = 0.7
    perceptual_weight: float = 1.5
    coarse_perceptual_weight: float = 1.5
    squared_weight: float = 0.0
    screen_weight: float = 200.0
    adversarial_weight: float = 0.02
    log_every: int = 25
    picture_every: int = 500
    seed: int = 1
    compile: bool = False

    def __post_init__(self) -> None:
        check_recipe(self)


def sample_ratios(rng: np.random.Generator, coarse_share: float) -> tuple[float, float, float]:
    """(fine, medium, coarse): all coarse, or a mixture, mostly one that a request for a rate comes to."""
    if rng.random() < coarse_share:
        return ALL_COARSE
    if rng.random() < PATH_SHARE:
        return ratios_at(rng.random())
    fine, medium, coarse = rng.dirichlet((1.0, 1.0, 0.7))
    return float(fine), float(medium), float(coarse)


def sample_presence(
    crops: NDArray[np.uint8], rng: np.random.Generator, recipe: TokenizerRecipe
) -> tuple[list[Tensor], Tensor]:
    """Which cell has a token, and which block is lost, for crops [B, S, S, 3].

    Returns:
        present: [B, 1, h_l, w_l] for each level; lost: [B, 1, h, w], both 0/1.
    """
    ratios = [sample_ratios(rng, recipe.coarse_share) for _ in crops]
    present = presence(np.stack([allocate(*pair) for pair in zip(crops, ratios, strict=True)]))
    share = np.array([recipe.coarse_drop_share if r == ALL_COARSE else recipe.drop_share for r in ratios])
    rate = rng.uniform(0, 0.7, len(crops)) * (rng.random(len(crops)) < share)
    lost = rng.random(present[0].shape) < rate[:, None, None, None]
    return present, torch.from_numpy(lost).float()


def drop_blocks(maps: LatentMaps, lost: Tensor) -> LatentMaps:
    """A lost block becomes one coarse token of which nothing is known."""
    kept = [1 - F.interpolate(lost, scale_factor=float(2**level), mode="nearest") for level in range(LEVELS)]
    present = [p * keep for p, keep in zip(maps.present, kept, strict=True)]
    return LatentMaps(
        [c * keep for c, keep in zip(maps.code, kept, strict=True)],
        [torch.maximum(present[0], lost), *present[1:]],
        [c * keep for c, keep in zip(maps.confidence, kept, strict=True)],
    )
