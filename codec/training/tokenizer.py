"""Training of encoder, codebooks and decoder; see docs/training.md for the recipe and its figures.

    crops -> encoder -> features --nearest--> codes --drop blocks--> decoder -> y
                           |                    |      (or guess them)          |
                       commitment          codebook EMA        distortion, squeeze, critic

Stages follow each other by step: distortion; quantized; perceptual; adversarial; encoder and
codebooks frozen (so that a predictor can be trained beside it); holes filled by that predictor.
"""

import copy
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codec import checkpoint
from codec.codebook import nearest, smaller_sizes
from codec.conceal import Concealer
from codec.config import LEVEL_NAMES, CodecConfig
from codec.device import CPU, choose_device, to_tensor
from codec.distortion import distortion
from codec.latents import LatentMaps, latent_maps
from codec.layers import channels_last
from codec.perceptual import Squeeze
from codec.predictor import Predictor
from codec.tokens import from_dense, with_lost_blocks
from codec.training.codebook_ema import CodebookEma
from codec.training.data import batch, load_photographs
from codec.training.export import export_tokenizer
from codec.training.losses import PatchDiscriminator, discriminator_hinge, screen
from codec.training.networks import Tokenizer, load_predictor
from codec.training.pictures import save_pictures
from codec.training.run import Run, autocast, average_weights, by_fan_in, learning_rate, set_rate
from codec.training.tokenizer_samples import TokenizerRecipe, drop_blocks, sample_presence

SMALL_EVERY = 200  # steps between two clusterings of the coarse codebook


class TokenizerTraining:
    """Networks, optimizers and losses of a run; `step` does one step.

    Args:
        recipe, config: Numbers of the run, sizes of the networks.
        perceptual: The perceptual distance, or None.
        predictor: Fills the holes once the encoder is frozen; None leaves them empty.
        device: Where all of them run; random weights and choices are drawn on the CPU, so they are alike anywhere.
    """

    def __init__(
        self,
        recipe: TokenizerRecipe,
        config: CodecConfig,
        perceptual: Squeeze | None,
        predictor: Predictor | None,
        device: torch.device = CPU,
    ) -> None:
        self.recipe, self.device = recipe, device
        self.perceptual = None if perceptual is None else perceptual.to(device)
        self.predictor = None if predictor is None else predictor.to(device)
        self.model = channels_last(Tokenizer(config)).to(device)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.critic = channels_last(PatchDiscriminator()).to(device)
        self.ema = CodebookEma(config.codes, config.code_dim).to(device)
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
        x = to_tensor(crops, self.device)
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
        present, lost = [mask.to(self.device) for mask in present], lost.to(self.device)
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
        whole = present[0].flatten(1).all(1).cpu().numpy()
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
        index = [quantizer.nearest(level, z).cpu().numpy() for level, z in enumerate(features)]
        fine = present[2][:, 0, ::2, ::2].cpu().numpy()
        quarters = (present[1][:, 0].cpu().numpy() + 2 * fine).astype(np.uint8)
        holes = lost[:, 0].flatten(1).cpu().numpy() > 0
        batch = [
            with_lost_blocks(from_dense([m[row] for m in index], quarters[row]), holes[row]) for row in range(len(lost))
        ]
        method = str(rng.choice(("expected", "zero", "argmax", "neighbour_mean"), p=(0.7, 0.1, 0.1, 0.1)))
        filled = Concealer(self.predictor, quantizer.codebook).fill(batch, method)
        return latent_maps(filled, quantizer.codebook.shape[-1]).to(self.device)

    def _losses(self, step: int, x: Tensor, y: Tensor, coarse: Tensor) -> dict[str, Tensor]:
        """Their weighted sum as `loss`, and each part; coarse: bool [B], crops that are all coarse."""
        recipe, zero = self.recipe, y.new_zeros(())
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
    device: str = "cpu",
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
        device: "cpu", "cuda", or "auto": CUDA where there is one. A run may be resumed on another.

    Raises:
        ImageError: If there are no photographs.
        CheckpointError: If the run folder is taken, or weights cannot be read.
        RequestError: If the device is not to be had.
    """
    where = choose_device(device)
    torch.manual_seed(recipe.seed)
    perceptual = None if perceptual_weights is None else Squeeze(perceptual_weights)
    predictor = None if predictor_weights is None else load_predictor(predictor_weights)
    training = TokenizerTraining(recipe, config, perceptual, predictor, where)
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
    tensors = training.average.cpu().state_dict()
    export_tokenizer(run_folder / "tokenizer.safetensors", tensors, config, photographs, run.step)
    return training.average
