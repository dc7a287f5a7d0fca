"""What every training run shares: learning rate, log line, atomic checkpoint, resume."""

import csv
import math
import os
import time
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from codec.config import BLOCK
from codec.errors import CheckpointError, RequestError
from codec.precision import multiplies_bf16

SAVE_EVERY_S = 240.0
LEAST_SIDE = 32  # of a crop in pixels
FULL_RATE_FAN_IN = 864  # 96 channels of 3x3: layers that take in more learn more slowly


def learning_rate(step: int, steps: int, peak: float, warmup: int = 100) -> float:
    """Linear warm-up, then a cosine down to 5 % of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min((step - warmup) / max(steps - warmup, 1), 1.0)
    return peak * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


def check_recipe(recipe: Any) -> None:
    """Numbers of a recipe, a dataclass, that are none for what their names say.

    Raises:
        RequestError: If a share is not within 0 to 1, a weight, a rate or a restraint below 0, there are no steps or no
            pictures a step, or a side is none for whole blocks.
    """
    for field in fields(recipe):
        kind, value = field.name.rpartition("_")[2], getattr(recipe, field.name)
        if field.name in ("steps", "batch") and value < 1:
            raise RequestError("recipe", f"{field.name} is at least 1", value)
        if field.name == "size" and (value < LEAST_SIDE or value % BLOCK):
            raise RequestError("recipe", f"size is a multiple of {BLOCK} of at least {LEAST_SIDE}", value)
        if kind == "share" and not 0 <= value <= 1:
            raise RequestError("recipe", f"{field.name} is a share, from 0 to 1", value)
        if kind in ("weight", "rate", "restraint") and not 0 <= value < math.inf:
            raise RequestError("recipe", f"{field.name} is at least 0", value)


def by_fan_in(network: nn.Module) -> list[dict[str, Any]]:
    """Parameter groups of a network whose learning rate is the run's times `scale`, which falls with the fan-in.

    Adam moves every weight by about as much. What comes in is mostly positive (SiLU), so a sum over 2,880 inputs
    moves five times as far as one over 576: at one rate for all, the units of wide layers are thrown to where they
    never fire again (Yang et al., 2022, arXiv 2203.03466: rates of hidden layers go by 1 / fan-in).
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter in network.parameters():
        scale = min(1.0, FULL_RATE_FAN_IN / max(1, parameter[0].numel())) if parameter.ndim > 1 else 1.0
        groups.setdefault(scale, []).append(parameter)
    return [{"params": parameters, "scale": scale} for scale, parameters in groups.items()]


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Learning rate of all groups, each times its `scale`, if it has one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("scale", 1.0)


def autocast(device: torch.device) -> Any:
    """bf16 where the device multiplies it, else nothing."""
    if multiplies_bf16(device):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


@torch.no_grad()
def average_weights(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Exponential average of weights; buffers (codebooks) are copied."""
    targets: list[Tensor] = [*average.parameters()]
    torch._foreach_lerp_(targets, [*model.parameters()], 1 - decay)
    for target, source in zip(average.buffers(), model.buffers(), strict=True):
        target.copy_(source)


def write_whole(path: Path, state: Any) -> None:
    """`torch.save` under a temporary name, then moved into place."""
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


class Run:
    """A folder with `checkpoint.pt` and `log.csv`.

    Args:
        folder: Made if missing.
        parts: Everything with a `state_dict`, by name.
        resume: Continue from the checkpoint; without one, start anew.

    Raises:
        CheckpointError: If the folder holds a run and `resume` is off, or its checkpoint is broken.
        RequestError: If the folder cannot be made.
    """

    def __init__(self, folder: Path, parts: dict[str, Any], resume: bool) -> None:
        self.folder, self.parts, self.step, self.seconds = folder, parts, 0, 0.0
        self.checkpoint = folder / "checkpoint.pt"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            rule = f"cannot be made ({error.strerror})"
            raise RequestError(str(folder), rule, "", "Choose another place with --out") from error
        if self.checkpoint.exists():
            if not resume:
                raise CheckpointError(
                    str(self.checkpoint), "this folder holds a run", "", "Add --resume or take another --out"
                )
            self._load()
        self._started = self._saved = time.perf_counter()
        self._begun = (self._started, self.step)

    def _load(self) -> None:
        try:
            state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise CheckpointError(str(self.checkpoint), f"cannot be read ({error})") from error
        try:
            for name, part in self.parts.items():
                part.load_state_dict(state[name])
        except (KeyError, ValueError, RuntimeError) as error:
            rule, way = "holds other networks or groups of parameters", "Resume it with the version that began it"
            raise CheckpointError(str(self.checkpoint), rule, str(error).partition("\n")[0], way) from error
        self.step, self.seconds = state["step"], state["seconds"]
        torch.set_rng_state(state["rng"])

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        now = time.perf_counter()
        self.seconds += now - self._started
        self._started = self._saved = now
        state = {name: part.state_dict() for name, part in self.parts.items()}
        state |= {"step": self.step, "seconds": self.seconds, "rng": torch.get_rng_state()}
        write_whole(self.checkpoint, state)

    def save_if_due(self) -> None:
        """Save when the last checkpoint is four minutes old."""
        if time.perf_counter() - self._saved > SAVE_EVERY_S:
            self.save()

    def log(self, values: dict[str, float], steps: int) -> None:
        """One line on the terminal, the same fields in `log.csv`; the terminal also says how long until `steps`."""
        seconds = self.seconds + time.perf_counter() - self._started
        row = {"step": self.step, "seconds": round(seconds), **{k: round(v, 5) for k, v in values.items()}}
        path = self.folder / "log.csv"
        header = path.read_text().partition("\n")[0].split(",") if path.exists() else []
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, header or list(row), extrasaction="ignore")  # of a version before
            if not header:
                writer.writeheader()
            writer.writerow(row)
        print("  ".join(f"{name} {value}" for name, value in row.items()), f" {self._left(steps)}", flush=True)

    def _left(self, steps: int) -> str:
        """At the speed since this process began."""
        start, first = self._begun
        left = (time.perf_counter() - start) / max(1, self.step - first) * (steps - self.step)
        return f"of {steps} steps, about {left / 60:.0f} min left"
