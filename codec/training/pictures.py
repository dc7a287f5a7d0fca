"""Pictures as tensors, and sheets of them."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from codec.device import CPU


def to_tensor(crops: NDArray[np.uint8], device: torch.device = CPU) -> Tensor:
    """uint8 [B, S, S, 3] -> [B, 3, S, S] in [-1, 1] on a device, channels last in memory."""
    x = torch.tensor(crops).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def save_pictures(path: Path, rows: list[Tensor]) -> None:
    """A sheet: one row of pictures for each [B, 3, S, S] in [-1, 1]."""
    sheet = torch.cat([torch.cat(list(row.detach().float().cpu()), dim=2) for row in rows], dim=1)
    pixels = ((sheet.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(path)
