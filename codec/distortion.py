"""Distortion: how far a picture is from another, pixel by pixel and edge by edge; what training minimises."""

from torch import Tensor
from torch.nn import functional as F


def distortion(x: Tensor, y: Tensor) -> Tensor:
    """L1 plus L1 of horizontal and vertical gradients at three scales, for [B, 3, H, W]."""
    loss = F.l1_loss(x, y)
    for _ in range(3):
        dx = F.l1_loss(x[..., 1:] - x[..., :-1], y[..., 1:] - y[..., :-1])
        dy = F.l1_loss(x[..., 1:, :] - x[..., :-1, :], y[..., 1:, :] - y[..., :-1, :])
        loss = loss + 0.5 * (dx + dy)
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return loss
