"""What a step of the joint training sees: pictures, the frame before, what each loses; and the numbers of a run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codec.config import BLOCK
from codec.errors import RequestError
from codec.films import clip_files
from codec.training.data import painted, random_crop
from codec.training.masks import lost_blocks
from codec.training.motion import Pair, camera_pair, clip_pairs
from codec.training.run import check_recipe
from codec.training.tokenizer_samples import sample_ratios

PAIRS_A_CLIP, EVERY = 20, 15  # at 256 pixels a side 8 MB a clip
ROOM = 4 / 3  # side of what is kept of a clip, over that of a crop


@dataclass(frozen=True)
class JointRecipe:
    """Numbers of a training run.

    Attributes:
        steps, batch, size: Optimizer steps, pictures a step, their side in pixels.
        decoder_rate, predictor_rate: Learning rates after 20 steps of warm-up; they fall in a straight line to zero. A
            predictor of rate 0 rests.
        encoder_rate: The same for the encoder's stage at H/16; above 0, the coarse codebook follows it. At 0 both rest.
        surprise_weight: Of the squared distance between the features of lost tokens and what the predictor expects.
        holed_share: Share of the pictures that lose blocks.
        temporal_share: Share of the steps with the frame before in sight.
        clip_share: Share of those pictures that come from clips, if there are any; the others from a virtual camera.
        guessed_share: Share of the frames before that had losses of their own.
        painted_share: Share of the other photographs of which a part is painted over in one colour.
        coarse_share: Share of the pictures that are all coarse.
        other_share: Share of the steps whose holes are filled otherwise (`zero`, `neighbour_mean`, `argmax`), which
            teaches the decoder alone, so that it does not forget them.
        perceptual_weight: Of `squeeze`, beside the distortion of weight 1.
        coarse_perceptual_weight: The same for the pictures that are all coarse.
        restraint: Where a share s of the blocks is lost, `squeeze` has (1 - s) ^ restraint of its weight, for texture
            that is invented beside guesses is mostly wrong.
        squared_weight: Of the mean squared error, which is what PSNR asks for.
        holed_squared_weight: As much more of it for the pictures that lose blocks.
        screen_weight: Of dots that repeat with the grid (`codec.training.losses.screen`).
        entropy_weight: Of the cross-entropy of the lost tokens, in nats.
        anchor_weight: Of the distortion between lossless pictures and those of the decoder it began with.
        average_decay: Of the exponential average of the weights, which is what is exported.
        log_every, picture_every: Steps between lines of the log, between sheets of pictures.
        seed: Of crops, ratios and losses.
    """

    steps: int = 600
    batch: int = 8
    size: int = 192
    decoder_rate: float = 6e-5
    predictor_rate: float = 1e-4
    encoder_rate: float = 0.0
    surprise_weight: float = 0.0
    holed_share: float = 0.65
    temporal_share: float = 0.5
    clip_share: float = 0.6
    guessed_share: float = 0.5
    painted_share: float = 0.08
    coarse_share: float = 0.85
    other_share: float = 0.15
    perceptual_weight: float = 8.0
    coarse_perceptual_weight: float = 8.0
    restraint: float = 0.0
    squared_weight: float = 0.0
    holed_squared_weight: float = 0.0
    screen_weight: float = 200.0
    entropy_weight: float = 0.02
    anchor_weight: float = 3.0
    average_decay: float = 0.99
    log_every: int = 10
    picture_every: int = 200
    seed: int = 1

    def __post_init__(self) -> None:
        check_recipe(self)
        if self.surprise_weight and not self.encoder_rate:
            raise RequestError(
                "recipe", "surprise_weight teaches the encoder alone", self.surprise_weight, "Give an encoder_rate too"
            )


@dataclass(frozen=True)
class Sample:
    """Pictures of a step.

    Attributes:
        crops: uint8 [B, S, S, 3].
        before: The same places a frame earlier, uint8 [B, S, S, 3], or None.
        ratios: (fine, medium, coarse) of each picture.
        lost: bool [B, h*w], blocks lost.
        lost_before: bool [B, h*w], blocks lost a frame earlier.
        method: How the holes are filled.
    """

    crops: NDArray[np.uint8]
    before: NDArray[np.uint8] | None
    ratios: list[tuple[float, float, float]]
    lost: NDArray[np.bool_]
    lost_before: NDArray[np.bool_]
    method: str


def draw(photographs: Sequence[NDArray[np.uint8]], films: Sequence[Pair], recipe: JointRecipe, step: int) -> Sample:
    """The pictures of a step, a pure function of (seed, step)."""
    rng = np.random.default_rng((recipe.seed, step))
    pairs = list(
        islice(_pairs(photographs, films, recipe, bool(rng.random() < recipe.temporal_share), rng), recipe.batch)
    )
    before = np.stack([a for a, _ in pairs if a is not None]) if pairs[0][0] is not None else None
    side = recipe.size // BLOCK
    nothing = np.zeros(side * side, np.bool_)

    def losses(share: float) -> NDArray[np.bool_]:
        return np.stack(
            [lost_blocks((side, side), rng) if rng.random() < share else nothing for _ in range(recipe.batch)]
        )

    other = rng.random() < recipe.other_share
    return Sample(
        np.stack([now for _, now in pairs]),
        before,
        [sample_ratios(rng, recipe.coarse_share) for _ in range(recipe.batch)],
        losses(recipe.holed_share),
        losses(recipe.guessed_share),
        str(rng.choice(("zero", "neighbour_mean", "argmax"))) if other else "expected",
    )


def _pairs(
    photographs: Sequence[NDArray[np.uint8]],
    films: Sequence[Pair],
    recipe: JointRecipe,
    temporal: bool,
    rng: np.random.Generator,
) -> Iterator[tuple[NDArray[np.uint8] | None, NDArray[np.uint8]]]:
    """(frame before, frame) without end, or (None, photograph) if it is not `temporal`."""
    while True:
        if temporal and films and rng.random() < recipe.clip_share:
            before, now = films[int(rng.integers(len(films)))]
            y, x = (int(rng.integers(room + 1)) for room in np.array(now.shape[:2]) - recipe.size)
            cut = (slice(y, y + recipe.size), slice(x, x + recipe.size))
            yield before[cut], now[cut]
            continue
        photograph = photographs[int(rng.integers(len(photographs)))]
        if temporal:
            yield camera_pair(photograph, recipe.size, rng)
        else:
            crop = random_crop(photograph, recipe.size, rng)
            yield None, painted(crop, rng) if rng.random() < recipe.painted_share else crop


def film_pairs(folder: Path, recipe: JointRecipe) -> list[Pair]:
    """Consecutive frames of clips, a third larger than a crop; held in memory."""
    side, rng = round(recipe.size * ROOM), np.random.default_rng(recipe.seed)
    return [pair for path in clip_files(folder) for pair in clip_pairs(path, side, rng, EVERY, PAIRS_A_CLIP)]
