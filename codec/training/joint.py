"""Training of decoder and predictor together, at the end: the gradient of the picture reaches the guess.

    pictures, losses --(joint_filling.py)--> maps -> decoder -> distortion, squeeze
    encoder rests or learns at H/16              ^________________ gradient _________|

Until here the predictor learnt which token is probable, the decoder what to make of guesses as they
came. Together they learn which guess makes the better picture; a small cross-entropy keeps the
distribution honest. Or the predictor rests (`predictor_rate` 0), and the decoder alone learns what to make
of its guesses. Encoder and codebooks rest, so streams stay decodable in both directions; or the stage of
coarse tokens learns too (`encoder_rate`, docs/decisions/0018). Part of the pictures lose nothing and are
held to what the decoder made of them at first, so that the lossless picture keeps its quality: the log says
what it gains.
"""

import copy
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codec import checkpoint
from codec.config import CodecConfig
from codec.device import CPU, choose_device, to_tensor
from codec.distortion import distortion
from codec.latents import LatentMaps, latent_maps
from codec.perceptual import Squeeze
from codec.predictor import Predictor
from codec.training.coarse_stage import CoarseStage
from codec.training.data import load_photographs
from codec.training.export import tables_of
from codec.training.joint_filling import Filling, Ratios
from codec.training.joint_samples import JointRecipe, Sample, draw, film_pairs
from codec.training.losses import screen
from codec.training.networks import frozen_tokenizer, load_predictor
from codec.training.pictures import save_pictures
from codec.training.run import Run, autocast, average_weights, by_fan_in


class JointTraining:
    """Networks, optimizer and loss of a run; `step` does one step.

    Args:
        recipe: Numbers of the run.
        config: Sizes of the networks.
        tokenizer: State dict of an exported tokenizer.
        predictor: State dict of an exported predictor.
        perceptual: The perceptual distance, or None.
        device: Where all of them run.
    """

    def __init__(
        self,
        recipe: JointRecipe,
        config: CodecConfig,
        tokenizer: dict[str, Tensor],
        predictor: Predictor,
        perceptual: Squeeze | None,
        device: torch.device = CPU,
    ) -> None:
        self.recipe, self.device = recipe, device
        self.perceptual = None if perceptual is None else perceptual.to(device)
        self.tokenizer = frozen_tokenizer(config, tokenizer, device)
        self.first, self.predictor = copy.deepcopy(self.tokenizer), predictor.to(device)
        self.model = nn.ModuleDict(
            {
                "decoder": self.tokenizer.decoder.requires_grad_(),
                "predictor": self.predictor.requires_grad_(recipe.predictor_rate > 0),
            }
        )
        rates = {"decoder": recipe.decoder_rate, "predictor": recipe.predictor_rate}
        self.coarse = None
        if recipe.encoder_rate:
            self.coarse = CoarseStage(self.tokenizer, tokenizer["histogram"])
            self.model["coarse_stage"], rates["coarse_stage"] = self.coarse.network, recipe.encoder_rate
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        groups = [
            group | {"peak": rate * (group["scale"] if name == "coarse_stage" else 1.0)}
            for name, rate in rates.items()
            for group in by_fan_in(self.model[name])
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.98), weight_decay=1e-4, fused=True)
        self.filling = Filling(self.tokenizer, self.predictor, self.coarse)

    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """All that a checkpoint holds, by name; `first` too, so that a resumed run compares with the same start."""
        parts: dict[str, nn.Module | torch.optim.Optimizer] = {
            "model": self.model, "average": self.average, "first": self.first, "optimizer": self.optimizer
        }  # fmt: skip
        if self.coarse is not None:
            parts |= {"quantizer": self.tokenizer.quantizer, "ema": self.coarse.ema}
        return parts

    def step(self, step: int, sample: Sample) -> tuple[dict[str, float], Tensor]:
        """One optimizer step; values for the log, and the pictures made."""
        recipe = self.recipe
        fall = min((step + 1) / 20, 1.0) * (1 - step / recipe.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * fall
        x = to_tensor(sample.crops, self.device)
        with autocast(self.device):
            maps, beside = self.filling.fill(sample)
            y = self.model["decoder"](maps).float()
            parts = {
                "distortion": distortion(y, x),
                "screen": screen(y - x),
                "squeeze": y.new_zeros(()),
                **beside,
            }
            parts["anchor"] = y.new_zeros(())
            if recipe.anchor_weight:
                parts["anchor"] = self._drift(maps, y, torch.from_numpy(~sample.lost.any(1)).to(self.device))
        loss = parts["distortion"] + (self._squared_weights(sample) * (y - x).square().mean((1, 2, 3))).mean()
        loss = loss + recipe.screen_weight * parts["screen"]
        if self.perceptual is not None:  # in single precision: differences of near features have few digits
            distance = self.perceptual.shaken(y, x)
            parts["squeeze"] = distance.mean()
            loss = loss + (self._perceptual_weights(sample) * distance).mean()
        loss = loss + recipe.entropy_weight * parts["entropy"] + recipe.anchor_weight * parts["anchor"]
        loss = loss + parts["commitment"] + recipe.surprise_weight * parts["surprise"]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norms = [nn.utils.clip_grad_norm_(network.parameters(), 1.0) for network in self.model.values()]
        self.optimizer.step()
        if self.coarse is not None:
            self.coarse.follow(step)
        average_weights(self.average, self.model, min(recipe.average_decay, (step + 1) / (step + 10)))
        grads = {f"grad_{name}": norm for name, norm in zip(self.model, norms, strict=True)}
        values = {"loss": loss, **parts, **grads}
        kind = {"temporal": float(sample.before is not None), "guessed": float(sample.method == "expected")}
        return {name: value.item() for name, value in values.items()} | kind, y.detach()

    def learnt(self) -> dict[str, Tensor]:
        """What has been learnt of an exported tokenizer, averaged."""
        state = {f"decoder.{name}": t for name, t in self.average["decoder"].state_dict().items()}
        if self.coarse is not None:
            state |= {self.coarse.full_name(name): t for name, t in self.average["coarse_stage"].state_dict().items()}
            state["quantizer.codebook"] = self.tokenizer.quantizer.codebook
        return {name: t.cpu() for name, t in state.items()}

    def _perceptual_weights(self, sample: Sample) -> Tensor:
        """Of each picture, [B]."""
        recipe, coarse = self.recipe, np.array([ratios[2] == 1 for ratios in sample.ratios])
        weights = np.where(coarse, recipe.coarse_perceptual_weight, recipe.perceptual_weight)
        weights = weights * (1 - sample.lost.mean(1)) ** recipe.restraint
        return torch.from_numpy(weights.astype(np.float32)).to(self.device)

    def _squared_weights(self, sample: Sample) -> Tensor:
        """Of each picture, [B]."""
        weights = self.recipe.squared_weight + self.recipe.holed_squared_weight * sample.lost.any(1)
        return torch.from_numpy(weights.astype(np.float32)).to(self.device)

    def _drift(self, maps: LatentMaps, y: Tensor, whole: Tensor) -> Tensor:
        """How far the pictures `whole`, bool [B], have moved from those of the first decoder."""
        if not whole.any():
            return y.new_zeros(())
        kept = LatentMaps(*([m[whole] for m in part] for part in (maps.code, maps.present, maps.confidence)))
        with torch.no_grad():
            first = self.first.decoder(kept).float()
        return distortion(y[whole], first)

    @torch.no_grad()
    def lossless_gains(self, crops: NDArray[np.uint8], ratios: Ratios) -> dict[str, float]:
        """Pictures without losses: PSNR (dB) and `squeeze` of the averaged decoder less those at first."""
        x, shown = to_tensor(crops, self.device), []
        for tokenizer, decoder in ((self.first, self.first.decoder), (self.tokenizer, self.average["decoder"])):
            filling = Filling(tokenizer, self.predictor, None)
            tokens, _ = filling.tokens(filling.features(crops), crops, ratios)
            maps = latent_maps(filling.concealer.fill(tokens, "zero"), tokenizer.quantizer.codebook.shape[-1])
            shown.append(decoder(maps.to(self.device)).clamp(-1, 1))
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
    device: str = "cpu",
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
        device: "cpu", "cuda", or "auto": CUDA where there is one. A run may be resumed on another.

    Returns:
        Paths of the exported tokenizer and predictor.

    Raises:
        ImageError: If there are no photographs or clips.
        CheckpointError: If the run folder is taken, or weights cannot be read.
        RequestError: If the device is not to be had.
    """
    where = choose_device(device)
    torch.manual_seed(recipe.seed)
    config, tensors, _ = checkpoint.load(tokenizer_weights, "tokenizer")
    perceptual = None if perceptual_weights is None else Squeeze(perceptual_weights)
    training = JointTraining(recipe, config, tensors, load_predictor(predictor_weights), perceptual, where)
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
    state = tensors | training.learnt()
    training.average.cpu()
    if recipe.encoder_rate:
        state |= tables_of(config, state, photographs)
    return export(
        run_folder, {"tokenizer": state, "predictor": training.average["predictor"].state_dict()}, config, run.step
    )


def export(folder: Path, networks: dict[str, dict[str, Tensor]], config: CodecConfig, steps: int) -> list[Path]:
    """Both networks, in half precision."""
    for name, state in networks.items():
        checkpoint.save(folder / f"{name}.safetensors", name, config, state, {"joint_steps": str(steps)})
    return [folder / f"{name}.safetensors" for name in networks]
