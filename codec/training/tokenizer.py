"""Training of encoder, codebooks and decoder; see docs/training.md for the recipe and its figures.

    crops -> encoder -> features --nearest--> codes --drop blocks--> decoder -> y
                           |                    |      (or guess them)          |
                       commitment          codebook EMA        distortion, squeeze, critic

Stages follow each other by step: distortion; quantized; perceptual; adversarial; encoder and
codebooks frozen (so that a predictor can be trained beside it); holes filled by that predictor.
"""

import copy
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from codec import checkpoint
from codec.codebook import nearest, smaller_sizes
from codec.conceal import Concealer
from codec.config import LEVEL_NAMES, LEVELS, CodecConfig
from codec.decoder import Decoder
from codec.distortion import distortion
from codec.encoder import Encoder
from codec.errors import RequestError
from codec.granularity import allocate
from codec.latents import LatentMaps, latent_maps, presence
from codec.layers import channels_last
from codec.perceptual import Squeeze
from codec.predictor import Predictor
from codec.quantizer import Quantizer
from codec.rate import ALL_COARSE, ratios_at
from codec.tokens import from_dense, with_lost_blocks
from codec.training.codebook_ema import CodebookEma
from codec.training.data import batch, load_photographs
from codec.training.export import export_tokenizer
from codec.training.losses import PatchDiscriminator, discriminator_hinge, screen
from codec.training.run import Run, autocast, average_weights, by_fan_in, check_recipe, learning_rate, set_rate

SMALL_EVERY = 200  # steps between two clusterings of the coarse codebook
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
        if min(self.steps, self.batch) < 1 or self.size < 32 or self.size % 16:
            raise RequestError(
                "recipe",
                "steps and batch are at least 1, size a multiple of 16 of at least 32",
                f"steps={self.steps}, batch={self.batch}, size={self.size}",
            )


class Tokenizer(nn.Module):
    """The three networks under one name, as they are saved."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.encoder, self.quantizer, self.decoder = Encoder(config), Quantizer(config), Decoder(config)


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


def to_tensor(crops: NDArray[np.uint8]) -> Tensor:
    """uint8 [B, S, S, 3] -> [B, 3, S, S] in [-1, 1], channels last in memory."""
    x = torch.tensor(crops).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def save_pictures(path: Path, rows: list[Tensor]) -> None:
    """A sheet: one row of pictures for each [B, 3, S, S] in [-1, 1]."""
    sheet = torch.cat([torch.cat(list(row.detach().float()), dim=2) for row in rows], dim=1)
    pixels = ((sheet.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(path)


class TokenizerTraining:
    """Networks, optimizers and losses of a run; `step` does one step.

    Args:
        recipe, config: Numbers of the run, sizes of the networks.
        perceptual: The perceptual distance, or None.
        predictor: Fills the holes once the encoder is frozen; None leaves them empty.
    """

    def __init__(
        self,
        recipe: TokenizerRecipe,
        config: CodecConfig,
        perceptual: Squeeze | None,
        predictor: Predictor | None,
    ) -> None:
        self.recipe, self.perceptual, self.predictor = recipe, perceptual, predictor
        self.device = torch.device("cpu")
        self.model = channels_last(Tokenizer(config))
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.critic = channels_last(PatchDiscriminator())
        self.ema = CodebookEma(config)
        groups = by_fan_in(self.model)
        self.optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.98), weight_decay=1e-4, fused=True)
        self.critic_optimizer = torch.optim.AdamW(self.critic.parameters(), lr=1e-4, betas=(0.5, 0.9), fused=True)
        if recipe.compile:
            self.model.encoder.compile()
            self.model.decoder.compile()

    def start(self, path: Path) -> None:
        """Begin from an exported tokenizer: no k-means, and all losses from the first step."""
        _, tensors, _ = checkpoint.load(path, "tokenizer")
        kept = {name: t for name, t in tensors.items() if name.split(".")[0] in ("encoder", "quantizer", "decoder")}
        checkpoint.fill(self.model, kept, path)
        self.average.load_state_dict(self.model.state_dict())
        self.ema.start(self.model.quantizer.codebook, tensors["histogram"].float())
        self.recipe = replace(self.recipe, quantize_from=-1, perceptual_from=0, adversarial_from=0)

    def parts(self) -> dict[str, Any]:
        """All that a checkpoint holds, by name."""
        names = ("model", "average", "critic", "ema", "optimizer", "critic_optimizer")
        return {name: getattr(self, name) for name in names}

    def step(self, step: int, crops: NDArray[np.uint8], rng: np.random.Generator) -> tuple[dict[str, float], Tensor]:
        """One optimizer step on crops uint8 [B, S, S, 3]; values for the log, and the pictures made."""
        rate = self._rate(step)
        for optimizer in (self.optimizer, self.critic_optimizer):
            set_rate(optimizer, rate)
        if step == self.recipe.freeze_encoder_from:
            self.model.encoder.load_state_dict(self.average.encoder.state_dict())
        x = to_tensor(crops)
        with autocast(self.device):
            maps, commitment = self._latents(step, x, crops, rng)
            y = self.model.decoder(maps).float()
            values = self._losses(step, x, y, maps.present[0].flatten(1).all(1))
            loss = values["loss"] + 0.1 * commitment
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        hinge = self._teach_critic(x, y.detach()) if step >= self.recipe.adversarial_from else torch.zeros(())
        average_weights(self.average, self.model, min(0.998, (step + 1) / (step + 10)))
        values |= {"loss": loss, "commitment": commitment, "hinge": hinge, "grad": norm}
        return {"rate": rate} | {name: value.item() for name, value in values.items()}, y

    def _rate(self, step: int) -> float:
        recipe = self.recipe
        if step < recipe.tune_from:
            return learning_rate(step, recipe.steps, recipe.peak_rate)
        return recipe.tune_rate * (recipe.steps - step) / (recipe.steps - recipe.tune_from)

    def _latents(
        self, step: int, x: Tensor, crops: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[LatentMaps, Tensor]:
        """What the decoder gets, and the commitment loss."""
        frozen = step >= self.recipe.freeze_encoder_from
        with torch.set_grad_enabled(not frozen):
            features = [z.float() for z in self.model.encoder(x)]
        tuning = step >= self.recipe.tune_from
        often = self.recipe.tune_drop_share
        recipe = replace(self.recipe, drop_share=often, coarse_drop_share=often) if tuning else self.recipe
        present, lost = sample_presence(crops, rng, recipe)
        nothing = x.new_zeros(())
        if frozen and self.predictor is not None and rng.random() < recipe.guessed_share:
            return self._guessed(features, present, lost, rng), nothing
        codes, commitment = features, nothing
        if step == self.recipe.quantize_from:
            for level, z in enumerate(features):
                self.ema.kmeans(level, z.permute(0, 2, 3, 1).flatten(0, 2), self.model.quantizer.codebook[level])
        if step >= self.recipe.quantize_from:
            codes, commitment = self._quantize(features, present, step, learn=not frozen)
            codes[0] = self._coarsen(features[0], codes[0], present, step, rng)
        maps = LatentMaps([c * p for c, p in zip(codes, present, strict=True)], present, present)
        return drop_blocks(maps, lost), commitment

    def _quantize(
        self, features: list[Tensor], present: list[Tensor], step: int, learn: bool
    ) -> tuple[list[Tensor], Tensor]:
        """Straight-through codewords at each grid and the commitment; the codebooks learn by the way."""
        codes, commitment = [], features[0].new_zeros(())
        for level, (z, mask) in enumerate(zip(features, present, strict=True)):
            index = self.model.quantizer.nearest(level, z.detach())
            code = self.model.quantizer.lookup(level, index)
            gap = ((z - code).square().sum(1, keepdim=True) * mask).sum() / mask.sum().clamp_min(1)
            commitment = commitment + gap
            if learn:
                chosen = mask[:, 0] > 0
                vectors = z.detach().permute(0, 2, 3, 1)[chosen]
                self.ema.update(level, vectors, index[chosen], self.model.quantizer.codebook[level], step)
            codes.append(z + (code - z).detach())
        return codes, commitment

    def _coarsen(self, z: Tensor, codes: Tensor, present: list[Tensor], step: int, rng: np.random.Generator) -> Tensor:
        """Straight-through codewords of sub-codebooks for some of the all-coarse crops, `codes` for the others."""
        if step % SMALL_EVERY == 0 or not self.ema.small.any():
            self.ema.recluster(self.model.quantizer.codebook[0])
        sizes = smaller_sizes(len(self.model.quantizer.codebook[0]))
        small = rng.random(len(z)) < self.recipe.small_share
        whole = present[0].flatten(1).all(1).numpy()
        pick = rng.integers(len(sizes), size=len(z))
        mixed = codes.clone()
        for row in np.flatnonzero(small & whole):
            codewords = self.ema.small.split(sizes)[pick[row]]
            code = codewords[nearest(z[row].detach().permute(1, 2, 0), codewords)].permute(2, 0, 1)
            mixed[row] = z[row] + (code - z[row]).detach()
        return mixed

    def _guessed(
        self, features: list[Tensor], present: list[Tensor], lost: Tensor, rng: np.random.Generator
    ) -> LatentMaps:
        """Codewords with the holes filled as at inference, by any method, mostly by the default one."""
        assert self.predictor is not None
        quantizer = self.model.quantizer
        index = [quantizer.nearest(level, z).numpy() for level, z in enumerate(features)]
        fine = present[2][:, 0, ::2, ::2].numpy()
        quarters = (present[1][:, 0].numpy() + 2 * fine).astype(np.uint8)
        holes = lost[:, 0].flatten(1).numpy() > 0
        batch = [
            with_lost_blocks(from_dense([m[row] for m in index], quarters[row]), holes[row]) for row in range(len(lost))
        ]
        method = str(rng.choice(("expected", "zero", "argmax", "neighbour_mean"), p=(0.7, 0.1, 0.1, 0.1)))
        filled = Concealer(self.predictor, quantizer.codebook).fill(batch, method)
        return latent_maps(filled, quantizer.codebook.shape[-1])

    def _losses(self, step: int, x: Tensor, y: Tensor, coarse: Tensor) -> dict[str, Tensor]:
        """Their weighted sum as `loss`, and each part; coarse: bool [B], crops that are all coarse."""
        recipe, zero = self.recipe, torch.zeros(())
        parts = {"loss": zero, "distortion": distortion(y, x), "squeeze": zero, "fooled": zero}
        parts["screen"] = screen(y - x)
        parts["loss"] = parts["distortion"] + recipe.squared_weight * (y - x).square().mean()
        parts["loss"] = parts["loss"] + recipe.screen_weight * parts["screen"]
        if self.perceptual is not None and step >= recipe.perceptual_from:
            with torch.autocast(self.device.type, enabled=False):  # differences of near features have few digits
                distance = self.perceptual.shaken(y, x)
            parts["squeeze"] = distance.mean()
            weight = torch.where(coarse, recipe.coarse_perceptual_weight, recipe.perceptual_weight)
            parts["loss"] = parts["loss"] + (weight * distance).mean()
        if step >= recipe.adversarial_from:
            self.critic.requires_grad_(False)
            parts["fooled"] = -self.critic(y).mean()
            self.critic.requires_grad_(True)
            ramp = min((step - recipe.adversarial_from) / 300, 1.0)
            parts["loss"] = parts["loss"] + ramp * recipe.adversarial_weight * parts["fooled"]
        return parts

    def _teach_critic(self, x: Tensor, y: Tensor) -> Tensor:
        with autocast(self.device):
            hinge = discriminator_hinge(self.critic(x), self.critic(y))
        self.critic_optimizer.zero_grad(set_to_none=True)
        hinge.backward()
        self.critic_optimizer.step()
        return hinge

    def codebook_use(self) -> dict[str, float]:
        """Perplexity of each codebook and dead codes, for the log."""
        dead = self.ema.count < 0.01 * self.ema.count.mean(-1, keepdim=True)
        names = [f"perplexity_{name}" for name in LEVEL_NAMES]
        return dict(zip(names, self.ema.perplexity(), strict=True)) | {"dead": float(dead.sum())}


def train_tokenizer(
    photographs_folder: Path,
    run_folder: Path,
    perceptual_weights: Path | None,
    recipe: TokenizerRecipe,
    config: CodecConfig,
    resume: bool = False,
    stop_after: int | None = None,
    predictor_weights: Path | None = None,
    start: Path | None = None,
) -> Tokenizer:
    """Train, export the averaged weights into the run folder, and return them.

    Args:
        photographs_folder: PNG, JPEG or WebP files, searched recursively.
        run_folder: Receives checkpoint.pt, log.csv, picture sheets, tokenizer.safetensors.
        perceptual_weights: SqueezeNet .npz; None trains without the perceptual loss.
        recipe: Numbers of the run.
        config: Sizes of the networks.
        resume: Continue the run in `run_folder`.
        stop_after: Pause after this step, with a checkpoint; the schedule stays that of the recipe.
        predictor_weights: An exported predictor; once the encoder is frozen, it fills the holes.
        start: An exported tokenizer to begin from instead of random weights.

    Raises:
        ImageError: If there are no photographs.
        CheckpointError: If the run folder is taken, or weights cannot be read.
    """
    torch.manual_seed(recipe.seed)
    perceptual = None if perceptual_weights is None else Squeeze(perceptual_weights)
    predictor = None if predictor_weights is None else load_predictor(predictor_weights)
    training = TokenizerTraining(recipe, config, perceptual, predictor)
    if start is not None:
        training.start(start)
    run = Run(run_folder, training.parts(), resume)
    photographs = load_photographs(photographs_folder, recipe.size)
    clock, since = time.perf_counter(), run.step
    while run.step < min(recipe.steps, stop_after or recipe.steps):
        crops, rng = batch(photographs, recipe.size, recipe.batch, recipe.seed, run.step, recipe.painted_share)
        values, y = training.step(run.step, crops, rng)
        run.step += 1
        if run.step % recipe.log_every == 0:
            speed = (run.step - since) / (time.perf_counter() - clock)
            run.log(values | training.codebook_use() | {"steps_per_s": speed}, recipe.steps)
        if run.step % recipe.picture_every == 0:
            save_pictures(run_folder / f"step{run.step:06d}.png", [to_tensor(crops)[:8], y[:8]])
        run.save_if_due()
    run.save()
    tensors = dict(training.average.state_dict())
    export_tokenizer(run_folder / "tokenizer.safetensors", tensors, config, photographs, run.step)
    return training.average


def load_predictor(path: Path) -> Predictor:
    """An exported predictor, for inference."""
    config, tensors, _ = checkpoint.load(path, "predictor")
    predictor = Predictor(config)
    checkpoint.fill(predictor, tensors, path)
    return predictor.requires_grad_(False)
