"""Shared blocks of the convolutional networks.

Residual blocks carry no norm: their last convolution starts at zero, so each block starts as the
identity. That trains about 1.5x faster on a CPU than channel-RMSNorm blocks, at equal quality.
Conditioning enters once per stage, through a norm modulated by what was transmitted.
"""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Network = TypeVar("Network", bound=nn.Module)


def channels_last(network: Network) -> Network:
    """Lay the weights out channels last, in which convolutions on a CPU run up to 4x faster."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class Conv3(nn.Conv2d):
    """3x3 convolution that keeps (or, with stride 2, halves) the grid.

    oneDNN multiplies weights that lie in blocks, and lays plain ones out anew at every call: up to a
    fifth of the time on a small grid. Weights that change no more (`freeze`) are laid out once for each
    change of the input's shape; the sums stay the same. Where a gradient is wanted they stay as they were.
    """

    def __init__(self, cin: int, cout: int, stride: int = 1) -> None:
        super().__init__(cin, cout, 3, stride=stride, padding=1)
        self.frozen = False
        self._packed: tuple[torch.Size, Tensor] | None = None  # an input's shape, the weights laid out for it

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, h, w] -> [B, cout, h, w], halved with stride 2."""
        if not self.frozen or torch.is_grad_enabled():  # blocks know no gradients
            return super().forward(x)
        way, packed = ((1, 1), self.stride, (1, 1), 1), self._packed  # padding, stride, dilation, groups
        if packed is None or packed[0] != x.shape:
            self._packed = packed = x.shape, torch.ops.mkldnn._reorder_convolution_weight(self.weight, *way, x.shape)
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(x, packed[1], self.bias, *way, "none", [], "")
        return out


def freeze(network: nn.Module) -> None:
    """Weights of 3x3 convolutions change no more; of use where oneDNN has kernels for them: on an x86 CPU."""
    x86 = torch.backends.cpu.get_cpu_capability().startswith("A")  # AVX2, AVX512, AMX
    for layer in network.modules():
        if isinstance(layer, Conv3) and x86 and layer.weight.device.type == "cpu":
            layer.frozen = layer.weight.dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported()


class ResBlock(nn.Module):
    """x + conv(silu(conv(silu(x)))), the last convolution zero at birth. [B, C, h, w] -> same.

    Args:
        width: C, channels.
        hidden: Channels between the convolutions; default as many.
    """

    def __init__(self, width: int, hidden: int | None = None) -> None:
        super().__init__()
        self.conv1 = Conv3(width, hidden or width)
        self.conv2 = Conv3(hidden or width, width)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """One residual step."""
        out: Tensor = x + self.conv2(F.silu(self.conv1(F.silu(x))))
        return out


def channel_norm(x: Tensor) -> Tensor:
    """x [B, C, h, w] with a root mean square of 1 over the channels of each place."""
    norm = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float32)  # one pass, whatever x is
    return x * torch.rsqrt(norm.square() / x.shape[1] + 1e-6).to(x.dtype)


class ModulatedNorm(nn.Module):
    """Channel RMSNorm whose scale and shift come from a condition map.

    The spatial norm of MoVQ (Zheng et al., 2022, arXiv 2209.09002, section 3.2), with RMS over
    channels in place of GroupNorm, and with granularity and confidence in the condition.
    """

    def __init__(self, width: int, cond_channels: int, cond_width: int) -> None:
        super().__init__()
        self.embed = Conv3(cond_channels, cond_width)
        self.to_scale_shift = nn.Conv2d(cond_width, 2 * width, 1)
        nn.init.zeros_(self.to_scale_shift.weight)
        nn.init.zeros_(self.to_scale_shift.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, cond: Tensor) -> Tensor:
        """x [B, C, h, w], cond [B, cond_channels, h, w] -> [B, C, h, w]."""
        scale, shift = self.to_scale_shift(F.silu(self.embed(cond))).chunk(2, dim=1)
        return torch.addcmul(shift, channel_norm(x), 1 + scale)


def resample(x: Tensor, factor: int) -> Tensor:
    """Change the grid by 2**factor: nearest upwards (factor > 0), mean downwards (factor < 0)."""
    if factor > 0:
        return F.interpolate(x, scale_factor=float(2**factor), mode="nearest")
    return F.avg_pool2d(x, 2**-factor) if factor < 0 else x
