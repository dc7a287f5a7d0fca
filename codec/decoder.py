"""Conditional decoder: what was transmitted (or guessed) at three grids -> picture.

    maps (coarse, medium, fine) --condition--> cond at H/16      H/8       H/4
                                                 |               |         |
                                   enter -> stage_coarse -> stage_medium -> stage_fine -> tail -> x

It works from coarse to fine; at each grid it retrieves the codewords transmitted at that
granularity and the others resampled to it, and its norms are modulated by them, by the granularity
and by the confidence (Control-GIC, arXiv 2406.00758, section 3.3). Every granularity is processed
at its own grid. A guessed codeword is the *expected* codeword, not of unit length: its length
carries the doubt, and so does the confidence map.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from codec.config import CodecConfig
from codec.latents import LatentMaps, condition, condition_channels
from codec.layers import Conv3, ModulatedNorm, ResBlock, resample


class Stage(nn.Module):
    """Modulated norm, then residual blocks, on one grid."""

    def __init__(self, width: int, blocks: int, cond_channels: int, cond_width: int, hidden: int | None = None) -> None:
        super().__init__()
        self.enter = Conv3(cond_channels, width)
        self.norm = ModulatedNorm(width, cond_channels, cond_width)
        self.blocks = nn.Sequential(*(ResBlock(width, hidden) for _ in range(blocks)))

    def forward(self, h: Tensor | None, cond: Tensor) -> Tensor:
        """From the coarser grid's h [B, C, h, w] (None at the coarsest) and cond to [B, C, h, w]."""
        cond = cond.to(self.enter.weight.dtype)
        entered = self.enter(cond)
        out: Tensor = self.blocks(self.norm(entered if h is None else h + entered, cond))
        return out


class Decoder(nn.Module):
    """Conditional decoder; see the module's diagram."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        fine, medium, coarse = config.decoder_widths
        n_fine, n_medium, n_coarse = config.decoder_blocks
        cond = condition_channels(config.code_dim)
        self.stage_coarse = Stage(coarse, n_coarse, cond, config.cond_width, config.coarse_hidden)
        self.stage_medium = Stage(medium, n_medium, cond, config.cond_width)
        self.stage_fine = Stage(fine, n_fine, cond, config.cond_width)
        self.to_medium = nn.Conv2d(coarse, medium, 1)
        self.to_fine = nn.Conv2d(medium, fine, 1)
        # Two shuffles of 2 with a convolution between: one PixelShuffle(4) leaves a 4-pixel grid.
        half = fine // 3
        self.to_half = Conv3(fine, 4 * half)
        self.at_half = Conv3(half, half)
        self.to_full = Conv3(half, 12)
        # A last look at full resolution, zero at birth: it wipes off the dots that shuffles leave.
        self.at_full = Conv3(3, 16)
        self.polish = Conv3(16, 3)
        nn.init.zeros_(self.polish.weight)
        nn.init.zeros_(self.polish.bias)  # type: ignore[arg-type]

    def forward(self, maps: LatentMaps) -> Tensor:
        """Latent maps to pictures [B, 3, 16h, 16w] in about [-1, 1] (not clamped)."""
        h = self.stage_coarse(None, condition(maps, 0))
        h = self.stage_medium(resample(self.to_medium(h), 1), condition(maps, 1))
        h = self.stage_fine(resample(self.to_fine(h), 1), condition(maps, 2))
        h = F.pixel_shuffle(self.to_half(F.silu(h)), 2)
        h = h + self.at_half(F.silu(h))
        y = F.pixel_shuffle(self.to_full(F.silu(h)), 2)
        picture: Tensor = y.float() + self.polish(F.silu(self.at_full(y)))
        return picture
