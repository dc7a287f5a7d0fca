"""Encoder: picture -> one unit vector per cell of each of the three grids."""

from torch import Tensor, nn
from torch.nn import functional as F

from codec.config import CodecConfig
from codec.layers import Conv3, ResBlock, channel_norm


class Encoder(nn.Module):
    """PixelUnshuffle(4) stem, residual stages at H/4, H/8, H/16, a head at each grid.

    Features are of unit length in the end, whatever comes before: without a norm where a stage begins,
    weights grow unchecked, and nine of ten units at H/16 fell silent.

    One pass gives the features of all three granularities, so choosing the granularity of a block
    costs nothing after it (Control-GIC, arXiv 2406.00758, section 3.1).
    """

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        fine, medium, coarse = config.encoder_widths
        n_fine, n_medium, n_coarse = config.encoder_blocks
        self.stem = Conv3(3 * 16, fine)
        self.stage_fine = nn.Sequential(*(ResBlock(fine) for _ in range(n_fine)))
        self.down_medium = Conv3(fine, medium, stride=2)
        self.stage_medium = nn.Sequential(*(ResBlock(medium) for _ in range(n_medium)))
        self.down_coarse = Conv3(medium, coarse, stride=2)
        self.stage_coarse = nn.Sequential(*(ResBlock(coarse, config.coarse_hidden) for _ in range(n_coarse)))
        self.heads = nn.ModuleList(nn.Conv2d(width, config.code_dim, 1) for width in (coarse, medium, fine))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Picture to features.

        Args:
            x: [B, 3, H, W] in [-1, 1], H and W multiples of 16.

        Returns:
            [coarse, medium, fine]: [B, D, H/16, W/16], [B, D, H/8, W/8], [B, D, H/4, W/4],
            unit length along D.
        """
        fine = self.stage_fine(self.stem(F.pixel_unshuffle(x, 4)))
        medium = self.stage_medium(channel_norm(self.down_medium(fine)))
        coarse = self.stage_coarse(channel_norm(self.down_coarse(medium)))
        grids = zip(self.heads, (coarse, medium, fine), strict=True)
        return [F.normalize(head(F.silu(h)), dim=1) for head, h in grids]
