"""A codec small enough to make in a test: seeded random weights, real shapes, no shipped files."""

import numpy as np
import torch
from numpy.typing import NDArray

from codec.codebook import with_coarse_books
from codec.config import LEVELS, CodecConfig
from codec.model import Codec
from codec.predictor import Predictor
from codec.training.networks import Tokenizer

TINY = CodecConfig(
    codes=16,
    code_dim=4,
    encoder_widths=(8, 8, 8),
    encoder_blocks=(1, 1, 1),
    decoder_widths=(12, 8, 8),
    decoder_blocks=(1, 1, 1),
    coarse_hidden=8,
    cond_width=8,
    predictor_width=32,
    predictor_layers=2,
    predictor_heads=2,
)


def tiny_tensors(seed: int = 0, config: CodecConfig = TINY) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """State dicts of tokenizer (with histograms) and predictor."""
    torch.manual_seed(seed)
    tokenizer = {n: t.half().float() for n, t in Tokenizer(config).state_dict().items()}
    tokenizer["histogram"] = torch.arange(1, LEVELS * config.codes + 1, dtype=torch.int32).view(LEVELS, -1)
    predictor = {n: t.half().float() for n, t in Predictor(config).state_dict().items()}
    return with_coarse_books(tokenizer), predictor


def tiny_codec(seed: int = 0, config: CodecConfig = TINY, precision: str = "fp32") -> Codec:
    from pathlib import Path

    tokenizer, predictor = tiny_tensors(seed, config)
    return Codec(config, tokenizer, predictor, bytes(range(32)), Path("tiny"), precision=precision)


def photograph(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth left, busy right: something for every granularity."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 255, width)[None, :, None] * np.ones((height, 1, 3))
    noise = rng.normal(0, 60, (height, width, 3)) * (np.arange(width) > width // 2)[None, :, None]
    return (ramp + noise).clip(0, 255).astype(np.uint8)
