"""Training of decoder and predictor together, at the end: the gradient of the picture reaches the guess.

    frame before -> tokens with holes -> concealed ---+ (no gradient)
    frame -> encoder -> tokens with holes -> predictor -> expected codeword, confidence -> decoder -> picture
             frozen                                 ^________________ gradient _________________________|

Until here the predictor learnt which token is probable, the decoder what to make of guesses as they
came. Together they learn which guess makes the better picture; a small cross-entropy keeps the
distribution honest. Or the predictor rests (`predictor_rate` 0), and the decoder alone learns what to make
of its guesses. Encoder and codebooks rest, so streams stay decodable in both directions. Part of the
pictures lose nothing and are held to what the decoder made of them at first, so that the lossless
picture keeps its quality: the log says what it gains.
"""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codec import checkpoint
from codec.conceal import Concealer, estimate, frames_before
from codec.config import CodecConfig
from codec.decoder import Decoder
from codec.distortion import distortion
from codec.granularity import allocate
from codec.latents import Concealed, LatentMaps, latent_maps
from codec.layers import channels_last
from codec.packing import TokenBatch, pack
from codec.perceptual import Squeeze
from codec.predictor import Predictor
from codec.tokens import Tokens, from_dense, with_lost_blocks
from codec.training.data import load_photographs
from codec.training.export import frozen_front
from codec.training.joint_samples import JointRecipe, Sample, draw, film_pairs
from codec.training.losses import screen
from codec.training.run import Run, autocast, average_weights
from codec.training.tokenizer import load_predictor, save_pictures, to_tensor


class JointTraining:
    """Networks, optimizer and loss of a run; `step` does one step.

    Args:
        recipe: Numbers of the run.
        config: Sizes of the networks.
        tokenizer: State dict of an exported tokenizer.
        predictor: State dict of an exported predictor.
        perceptual: The perceptual distance, or None.
    """

    def __init__(
        self,
        recipe: JointRecipe,
        config: CodecConfig,
        tokenizer: dict[str, Tensor],
        predictor: Predictor,
        perceptual: Squeeze | None,
    ) -> None:
        self.recipe, self.perceptual, self.device = recipe, perceptual, torch.device("cpu")
        self.encoder, self.quantizer = frozen_front(config, tokenizer)
        decoder = Decoder(config)
        decoder.load_state_dict(
            {n.removeprefix("decoder."): t for n, t in tokenizer.items() if n.startswith("decoder.")}
        )
        self.model = nn.ModuleDict(
            {"decoder": channels_last(decoder), "predictor": predictor.requires_grad_(recipe.predictor_rate > 0)}
        )
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.first = copy.deepcopy(decoder).requires_grad_(False)
        groups = [{"params": list(network.parameters())} for network in self.model.values()]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.98), weight_decay=1e-4, fused=True)
        self.concealer = Concealer(predictor, self.quantizer.codebook)

    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """All that a checkpoint holds, by name; `first` too, so that a resumed run compares with the same start."""
        return {"model": self.model, "average": self.average, "first": self.first, "optimizer": self.optimizer}

    def step(self, step: int, sample: Sample) -> tuple[dict[str, float], Tensor]:
        """One optimizer step; values for the log, and the pictures made."""
        recipe = self.recipe
        fall = min((step + 1) / 20, 1.0) * (1 - step / recipe.steps)
        for group, rate in zip(self.optimizer.param_groups, (recipe.decoder_rate, recipe.predictor_rate), strict=True):
            group["lr"] = rate * fall
        x = to_tensor(sample.crops)
        with autocast(self.device):
            maps, entropy = self.fill(sample)
            y = self.model["decoder"](maps).float()
            parts = {
                "distortion": distortion(y, x),
                "screen": screen(y - x),
                "squeeze": y.new_zeros(()),
                "entropy": entropy,
            }
            parts["anchor"] = y.new_zeros(())
            if recipe.anchor_weight:
                parts["anchor"] = self._drift(maps, y, ~torch.from_numpy(sample.lost).any(1))
        loss = parts["distortion"] + recipe.squared_weight * (y - x).square().mean()
        loss = loss + recipe.screen_weight * parts["screen"]
        if self.perceptual is not None:  # in single precision: differences of near features have few digits
            distance = self.perceptual.shaken(y, x)
            parts["squeeze"] = distance.mean()
            loss = loss + (self._perceptual_weights(sample) * distance).mean()
        loss = loss + recipe.entropy_weight * entropy + recipe.anchor_weight * parts["anchor"]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norms = [nn.utils.clip_grad_norm_(network.parameters(), 1.0) for network in self.model.values()]
        self.optimizer.step()
        average_weights(self.average, self.model, min(recipe.average_decay, (step + 1) / (step + 10)))
        values = {"loss": loss, **parts, "grad_decoder": norms[0], "grad_predictor": norms[1]}
        kind = {"temporal": float(sample.before is not None), "guessed": float(sample.method == "expected")}
        return {name: value.item() for name, value in values.items()} | kind, y.detach()

    def _perceptual_weights(self, sample: Sample) -> Tensor:
        """Of each picture, [B]."""
        recipe, coarse = self.recipe, torch.tensor([ratios[2] == 1 for ratios in sample.ratios])
        weights = torch.where(coarse, recipe.coarse_perceptual_weight, recipe.perceptual_weight)
        return weights * (1 - torch.from_numpy(sample.lost).float().mean(1)) ** recipe.restraint

    def _drift(self, maps: LatentMaps, y: Tensor, whole: Tensor) -> Tensor:
        """How far the pictures `whole`, bool [B], have moved from those of the first decoder."""
        if not whole.any():
            return y.new_zeros(())
        kept = LatentMaps(*([m[whole] for m in part] for part in (maps.code, maps.present, maps.confidence)))
        with torch.no_grad():
            first = self.first(kept).float()
        return distortion(y[whole], first)

    @torch.no_grad()
    def tokens(
        self, crops: NDArray[np.uint8], ratios: Sequence[tuple[float, float, float]]
    ) -> tuple[list[Tokens], Tensor]:
        """Tokens of each picture, and all coarse indices int64 [B, h*w]."""
        features = [z.float() for z in self.encoder(to_tensor(crops))]
        index = [self.quantizer.nearest(level, z) for level, z in enumerate(features)]
        dense = [m.numpy() for m in index]
        quarters = [allocate(crop, ratio) for crop, ratio in zip(crops, ratios, strict=True)]
        tokens = [from_dense([m[row] for m in dense], levels) for row, levels in enumerate(quarters)]
        return tokens, index[0].flatten(1)

    def fill(self, sample: Sample) -> tuple[LatentMaps, Tensor]:
        """What the decoder gets, with a gradient at the holes; and the cross-entropy of the lost tokens in nats."""
        sent, truth = self.tokens(sample.crops, sample.ratios)
        received = [with_lost_blocks(tokens, lost) for tokens, lost in zip(sent, sample.lost, strict=True)]
        if sample.method != "expected" or not sample.lost.any():
            filled = self.concealer.fill(received, "zero" if sample.method == "expected" else sample.method)
            return latent_maps(filled, self.quantizer.codebook.shape[-1]), truth.new_zeros((), dtype=torch.float32)
        packed = pack(received, self.quantizer.codebook)
        seen = frames_before(self._before(sample), self.quantizer.codebook)
        bare = latent_maps(self.concealer.fill(received, "zero"), self.quantizer.codebook.shape[-1])
        return self._guessed(bare, packed, seen, truth)

    def _guessed(
        self, bare: LatentMaps, packed: TokenBatch, seen: Tensor | None, truth: Tensor
    ) -> tuple[LatentMaps, Tensor]:
        """Expected codewords and their confidence in the holes of the maps of what came."""
        code = bare.code[0].permute(0, 2, 3, 1).clone()  # [B, h, w, D]
        confidence = bare.confidence[0][:, 0].clone()
        nats = []
        for at, probability, codewords in self.concealer.distributions(packed, seen):
            row, (y, x) = at.nonzero()[:, 0], packed.position[at].long().unbind(-1)
            code[row, y, x], confidence[row, y, x] = estimate(probability, codewords)
            target = truth[row, y * code.shape[2] + x]
            nats.append(-probability.gather(1, target[:, None]).clamp_min(1e-9).log())
        maps = LatentMaps(
            [code.permute(0, 3, 1, 2), *bare.code[1:]], bare.present, [confidence[:, None], *bare.confidence[1:]]
        )
        return maps, torch.cat(nats).mean()

    def _before(self, sample: Sample) -> Sequence[Concealed | None]:
        if sample.before is None:
            return [None] * len(sample.crops)
        tokens, _ = self.tokens(sample.before, sample.ratios)
        lost = [with_lost_blocks(*pair) for pair in zip(tokens, sample.lost_before, strict=True)]
        return self.concealer.fill(lost, "expected")

    @torch.no_grad()
    def lossless_gains(
        self, crops: NDArray[np.uint8], ratios: Sequence[tuple[float, float, float]]
    ) -> dict[str, float]:
        """Pictures without losses: PSNR (dB) and `squeeze` of the averaged decoder less those of the first one."""
        x, (tokens, _) = to_tensor(crops), self.tokens(crops, ratios)
        maps = latent_maps(self.concealer.fill(tokens, "zero"), self.quantizer.codebook.shape[-1])
        shown = [decoder(maps).clamp(-1, 1) for decoder in (self.first, self.average["decoder"])]
        first, now = (10 * torch.log10(4 / (x - y).square().mean((1, 2, 3))) for y in shown)
        gains = {"lossless_gain_db": float((now - first).mean())}
        if self.perceptual is not None:
            first, now = (self.perceptual(y, x).mean() for y in shown)
            gains["lossless_gain_squeeze"] = float(now - first)
        return gains


def train_joint(
    photographs_folder: Path,
    run_folder: Path,
    tokenizer_weights: Path,
    predictor_weights: Path,
    recipe: JointRecipe,
    clips_folder: Path | None = None,
    perceptual_weights: Path | None = None,
    resume: bool = False,
    stop_after: int | None = None,
) -> list[Path]:
    """Train, and export the averaged weights of both networks into the run folder, a folder of weights then.

    Args:
        photographs_folder: PNG, JPEG or WebP files, searched recursively.
        run_folder: Receives checkpoint.pt, log.csv, picture sheets, tokenizer.safetensors, predictor.safetensors.
        tokenizer_weights: An exported tokenizer; its decoder is trained, the rest is copied.
        predictor_weights: An exported predictor.
        recipe: Numbers of the run.
        clips_folder: Clips, for the frame before (beside a virtual camera over the photographs).
        perceptual_weights: SqueezeNet .npz; None trains without the perceptual loss.
        resume: Continue the run in `run_folder`.
        stop_after: Pause after this step, with a checkpoint; the schedule stays that of the recipe.

    Returns:
        Paths of the exported tokenizer and predictor.

    Raises:
        ImageError: If there are no photographs or clips.
        CheckpointError: If the run folder is taken, or weights cannot be read.
    """
    torch.manual_seed(recipe.seed)
    config, tensors, _ = checkpoint.load(tokenizer_weights, "tokenizer")
    perceptual = None if perceptual_weights is None else Squeeze(perceptual_weights)
    training = JointTraining(recipe, config, tensors, load_predictor(predictor_weights), perceptual)
    run = Run(run_folder, training.parts(), resume)
    photographs = load_photographs(photographs_folder, recipe.size)
    films = [] if clips_folder is None else film_pairs(clips_folder, recipe)
    print(f"{len(photographs)} photographs, {len(films)} pairs of frames", flush=True)
    while run.step < min(recipe.steps, stop_after or recipe.steps):
        sample = draw(photographs, films, recipe, run.step)
        values, y = training.step(run.step, sample)
        run.step += 1
        if run.step % recipe.log_every == 0:
            run.log(values | training.lossless_gains(sample.crops, sample.ratios), recipe.steps)
        if run.step % recipe.picture_every == 0:
            save_pictures(run_folder / f"step{run.step:06d}.png", [to_tensor(sample.crops)[:8], y[:8]])
        run.save_if_due()
    run.save()
    return export(run_folder, training.average, config, tensors, run.step)


def export(
    folder: Path, average: nn.ModuleDict, config: CodecConfig, tensors: dict[str, Tensor], steps: int
) -> list[Path]:
    """Both networks, in half precision; encoder, codebooks and histograms as they were."""
    trained = {f"decoder.{name}": t for name, t in average["decoder"].state_dict().items()}
    files = {"tokenizer": tensors | trained, "predictor": dict(average["predictor"].state_dict())}
    for name, state in files.items():
        checkpoint.save(folder / f"{name}.safetensors", name, config, state, {"joint_steps": str(steps)})
    return [folder / f"{name}.safetensors" for name in files]
