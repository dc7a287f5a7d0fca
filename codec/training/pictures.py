"""Sheets of the pictures a training makes."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor


def save_pictures(path: Path, rows: list[Tensor]) -> None:
    """A sheet: one row of pictures for each [B, 3, S, S] in [-1, 1]."""
    sheet = torch.cat([torch.cat(list(row.detach().float().cpu()), dim=2) for row in rows], dim=1)
    pixels = ((sheet.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(path)
