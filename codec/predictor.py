"""Masked transformer: tokens with holes -> what each hole probably holds.

    code, known -> embed --+-> layers (attention, SwiGLU) x L -> norm -> hidden [B, N, W]
    level ----------------/        ^                                        |
    position -> rotary angles -----+             codebook -> embed_code -> logits [.., K]
    frame before -> convolutions -> added at each token's block

Bidirectional, one pass (MaskGIT, arXiv 2202.04200; for recovery rather than generation, one pass
suffices: Reparo, arXiv 2305.14135, section 3.3). Positions are 2-D axial rotary, in units of
16x16 blocks, so any grid works, and tokens of mixed granularity form one sequence. Input and output
are tied to the codebook through one small network of the codeword, not of its number: a codebook of
another size needs no new weights. A hole is `known = False`; its reserved embedding lives in here.

The frame before, received or itself concealed, comes in as its latent maps on the coarse grid. Two
convolutions look two blocks around, so a motion of 32 pixels stays in sight (the context of Reparo,
section 3.3, at one frame; its own guesses carry older ones on).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec.config import LEVELS, CodecConfig
from codec.copying import Copying
from codec.latents import condition_channels
from codec.layers import channels_last

ROTARY_BASE = 100.0  # wavelengths from 3 to 300 blocks, enough for 4800 pixels


def rotary_angles(position: Tensor, head_dim: int) -> Tensor:
    """Angles [B, N, head_dim/2] of positions [B, N, 2] (y, x in blocks): half of them for each axis."""
    count = head_dim // 4
    exponent = torch.arange(count, dtype=torch.float32, device=position.device) / count
    frequency = 2.0 * ROTARY_BASE**-exponent
    return (position[..., None] * frequency).flatten(-2)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding (RoFormer, arXiv 2104.09864, section 3.2.2) of x [B, heads, N, head_dim]."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def at_blocks(features: Tensor, position: Tensor) -> Tensor:
    """Features [B, W, h, w] of a coarse grid at the blocks of tokens [B, N, 2] -> [B, N, W]."""
    y, x = position.long().unbind(-1)
    block = y * features.shape[3] + x
    return features.flatten(2).mT.gather(1, block[..., None].expand(-1, -1, features.shape[1]))


def first_true(wanted: Tensor) -> Tensor:
    """Places of the true entries of bool [B, N], filled up with others to the longest row: int64 [B, M].

    >>> first_true(torch.tensor([[False, True, True], [False, False, True]])).tolist()
    [[1, 2], [2, 0]]
    """
    most = int(wanted.sum(1).max())
    return wanted.int().argsort(dim=1, descending=True, stable=True)[:, :most]


class Norm(nn.RMSNorm):
    """RMSNorm in the precision of its weight, under autocast too."""

    def forward(self, x: Tensor) -> Tensor:
        """x [..., W] of any float type -> [..., W]."""
        return super().forward(x.to(self.weight.dtype))


class Layer(nn.Module):
    """Pre-norm attention with normalised queries and keys, then SwiGLU."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        hidden = 64 * math.ceil(width * 8 / 3 / 64)
        self.heads = heads
        self.norm_attention = Norm(width)
        self.norm_mlp = Norm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.query_norm = Norm(width // heads)
        self.key_norm = Norm(width // heads)
        self.out = nn.Linear(width, width, bias=False)
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)
        for last in (self.out, self.down):
            nn.init.zeros_(last.weight)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, real: Tensor | None, asked: Tensor | None = None) -> Tensor:
        """One layer.

        Args:
            x: [B, N, W].
            cos: Of the rotary angles, [B, 1, N, head_dim/2].
            sin: Likewise.
            real: bool [B, 1, 1, N], masks padding out of the keys.
            asked: int64 [B, M], the tokens to answer for; None for all.

        Returns:
            [B, M, W].
        """
        batch, count, width = x.shape
        low = self.qkv.weight.dtype  # of products; x, norms and rotation keep fp32 (codec/precision.py)
        qkv = self.qkv(self.norm_attention(x).to(low)).view(batch, count, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        q, k = rotate(self.query_norm(q), cos, sin), rotate(self.key_norm(k), cos, sin)
        if asked is not None:
            x, q = x.take_along_dim(asked[..., None], 1), q.take_along_dim(asked[:, None, :, None], 2)
        mixed = F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v, attn_mask=real)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        gate, up = self.gate_up(self.norm_mlp(x).to(low)).chunk(2, dim=-1)
        out: Tensor = x + self.down(F.silu(gate) * up)
        return out


class FrameBefore(nn.Module):
    """Latent maps of the frame before [B, C, h, w] -> features [B, W, h, w]; zero at birth, and where nothing is."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.look = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.look_on = nn.Conv2d(width, width, 3, padding=1, bias=False)
        nn.init.zeros_(self.look_on.weight)

    def forward(self, before: Tensor) -> Tensor:
        """No bias anywhere: a row without a frame before stays zero."""
        seen: Tensor = self.look_on(F.silu(self.look(before.to(self.look.weight.dtype))))
        return seen


class Predictor(nn.Module):
    """The masked transformer; see the module's diagram."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        width = config.predictor_width
        self.head_dim = width // config.predictor_heads
        self.embed_code = nn.Sequential(nn.Linear(config.code_dim, width), nn.SiLU(), nn.Linear(width, width))
        self.embed_level = nn.Parameter(0.02 * torch.randn(LEVELS, width))
        self.embed_hole = nn.Parameter(0.02 * torch.randn(width))
        self.layers = nn.ModuleList(Layer(width, config.predictor_heads) for _ in range(config.predictor_layers))
        self.before = channels_last(FrameBefore(condition_channels(config.code_dim), width))
        self.norm = Norm(width)
        self.query = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros(LEVELS, config.codes))
        self.copying = Copying()
        self.register_load_state_dict_pre_hook(_with_copying)  # type: ignore[no-untyped-call]

    def forward(
        self,
        code: Tensor,
        known: Tensor,
        level: Tensor,
        position: Tensor,
        real: Tensor | None,
        before: Tensor | None = None,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """What each token's surroundings say about it.

        Args:
            code: [B, N, D] codewords, anything where unknown.
            known: bool [B, N].
            level: int64 [B, N] in 0..2.
            position: float [B, N, 2], centre (y, x) in blocks.
            real: bool [B, N], False for padding; None if there is none.
            before: float [B, C, h, w], `codec.latents.condition` of the frame before on the coarse
                grid, zero in rows that have none; None if no row has one.
            wanted: bool [B, N], the tokens whose hidden vectors are needed; None for all. The last layer
                works for these alone.

        Returns:
            hidden [B, N, W], anything where not wanted.
        """
        x = torch.where(known[..., None], self.embed_code(code), self.embed_hole)
        x = x + self.embed_level[level]
        if before is not None:
            x = x + at_blocks(self.before(before), position)
        angles = rotary_angles(position, self.head_dim)[:, None]
        cos, sin = angles.cos(), angles.sin()
        keys = None if real is None else real[:, None, None, :]
        asked = None if wanted is None else first_true(wanted)
        for layer in self.layers[:-1]:
            x = layer(x, cos, sin, keys)
        hidden: Tensor = self.norm(self.layers[-1](x, cos, sin, keys, asked))
        if asked is None:
            return hidden
        return torch.zeros_like(x).scatter(1, asked[..., None].expand_as(hidden), hidden)

    def keys(self, codebook: Tensor) -> Tensor:
        """What hidden vectors are compared with: codewords [K, D] -> [K, W]."""
        embedded: Tensor = self.embed_code(codebook)
        return embedded

    def logits(self, hidden: Tensor, keys: Tensor, level: int) -> Tensor:
        """Logits [M, K] of hidden [M, W] over the codewords of one level, given their `keys` [K, W]."""
        scores: Tensor = self.query(hidden) @ keys.T / math.sqrt(keys.shape[-1]) + self.bias[level]
        return scores


def _with_copying(predictor: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Weights from before there was a tilt towards the copy get that of compact-2."""
    state.setdefault(f"{prefix}copying.weight", predictor.get_parameter("copying.weight").detach())
