"""`squeeze`: a perceptual distance on SqueezeNet 1.1 features.

The construction of LPIPS (Zhang et al., CVPR 2018, arXiv 1801.03924, section 3) without its trained
heads, and on the Caffe weights of SqueezeNet 1.1 (MIT). So it is *not* LPIPS and its values do not
compare with LPIPS values. The weights are not shipped: point at an .npz of them.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec.errors import CheckpointError

TAPS = (1, 4, 7, 9, 10, 11, 12)  # indices into the usual `features` list, ReLU included
POOLS = (2, 5, 8)
BGR_MEAN = (104.0, 117.0, 123.0)
LEAST = 17  # pixels a side that leave one for the last pooling
MARGIN = 7  # pixels that `shaken` may move its window by


class Squeeze(nn.Module):
    """Distance between two pictures, 0 for equal ones; about 0.3 is visible, 1 is far.

    Args:
        path: The .npz with `features.N...` arrays.

    Raises:
        CheckpointError: If the file is missing or lacks a layer.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            with np.load(path) as arrays:
                weights = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no .npz"
            raise CheckpointError(
                str(path), f"cannot read SqueezeNet features ({reason})", "", "Check the path"
            ) from error
        if "features.12.expand3x3.weight" not in weights:
            raise CheckpointError(str(path), "no SqueezeNet 1.1 features in this file")
        for name, weight in weights.items():
            if weight.ndim == 4:
                weight = weight.to(memory_format=torch.channels_last)
            self.register_buffer(name.replace(".", "_"), weight, persistent=False)
        self.register_buffer("mean", torch.tensor(BGR_MEAN).view(1, 3, 1, 1), persistent=False)

    def _conv(self, x: Tensor, name: str, padding: int = 0, stride: int = 1) -> Tensor:
        weight, bias = self.get_buffer(f"{name}_weight"), self.get_buffer(f"{name}_bias")
        return F.relu(F.conv2d(x, weight, bias, stride=stride, padding=padding))

    def features(self, x: Tensor) -> list[Tensor]:
        """Unit-normalised features at the taps, for x [B, 3, H, W] RGB in [-1, 1]; small ones are continued."""
        short = [max(LEAST - side, 0) for side in x.shape[:-3:-1]]
        x = F.pad(x, (0, short[0], 0, short[1]), mode="replicate") if any(short) else x
        h = (x.flip(1) + 1) * 127.5 - self.get_buffer("mean")
        h = self._conv(h, "features_0", stride=2)
        taps = [h]
        for layer in range(2, TAPS[-1] + 1):
            if layer in POOLS:
                h = F.max_pool2d(h, 3, 2, ceil_mode=True)
                continue
            s = self._conv(h, f"features_{layer}_squeeze1x1")
            wide = self._conv(s, f"features_{layer}_expand3x3", padding=1)
            h = torch.cat([self._conv(s, f"features_{layer}_expand1x1"), wide], dim=1)
            if layer in TAPS:
                taps.append(h)
        return [F.normalize(tap, dim=1, eps=1e-6) for tap in taps]

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Distance per picture, [B], for x and y [B, 3, H, W] in [-1, 1]; no gradient to y."""
        with torch.no_grad():
            reference = self.features(y)
        pairs = zip(self.features(x), reference, strict=True)
        parts = [(a - b).square().sum(1).mean((1, 2)) for a, b in pairs]
        return torch.stack(parts).mean(0)

    def shaken(self, x: Tensor, y: Tensor, chance: torch.Generator | None = None) -> Tensor:
        """As `forward`, of a window 7 pixels smaller at a place drawn by `chance` (default: torch's generator).

        This is what to minimise. The strides of the network lie on a grid, and so do the pixels that a decoder makes:
        held together, it learns dots that only this network, and only at this place, takes for texture.
        """
        top, left = (int(n) for n in torch.randint(MARGIN + 1, (2,), generator=chance))
        height, width = x.shape[-2] - MARGIN, x.shape[-1] - MARGIN
        window = (..., slice(top, top + height), slice(left, left + width))
        distance: Tensor = self(x[window], y[window])
        return distance
