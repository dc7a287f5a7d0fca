"""Device: where the networks run, and how pictures get there."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec.errors import RequestError

CPU = torch.device("cpu")


def choose_device(name: str) -> torch.device:
    """The device of a name.

    Raises:
        RequestError: If the name is unknown, or CUDA is asked for and missing.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise RequestError("device", "must be auto, cpu or cuda", name)
    if name == "cuda" and not torch.cuda.is_available():
        raise RequestError("device", "this machine, or this build of torch, has no CUDA", name, "Use cpu or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def to_tensor(frames: NDArray[np.uint8], device: torch.device = CPU) -> Tensor:
    """uint8 [B, H, W, 3] -> float32 [B, 3, H, W] in [-1, 1] on a device, channels last in memory."""
    x = torch.tensor(frames).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)
