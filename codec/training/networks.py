"""The networks of a training: those that learn under one name, those that are done from their files."""

from pathlib import Path

import torch
from torch import Tensor, nn

from codec import checkpoint
from codec.config import CodecConfig
from codec.decoder import Decoder
from codec.device import CPU
from codec.encoder import Encoder
from codec.layers import channels_last
from codec.predictor import Predictor
from codec.quantizer import Quantizer


class Tokenizer(nn.Module):
    """The three networks under one name, as they are saved."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.encoder, self.quantizer, self.decoder = Encoder(config), Quantizer(config), Decoder(config)


def frozen_tokenizer(config: CodecConfig, tensors: dict[str, Tensor], device: torch.device = CPU) -> Tokenizer:
    """The networks of a tokenizer's tensors; encoder and codebooks as they are once stored in half precision."""
    front = ("encoder.", "quantizer.")
    state = {name: t for name, t in tensors.items() if name.startswith((*front, "decoder."))}
    tokenizer = Tokenizer(config)
    tokenizer.load_state_dict({n: t.half().float() if n.startswith(front) else t for n, t in state.items()})
    return channels_last(tokenizer.requires_grad_(False)).to(device)


def load_predictor(path: Path, device: torch.device = CPU) -> Predictor:
    """An exported predictor, for inference."""
    config, tensors, _ = checkpoint.load(path, "predictor")
    predictor = Predictor(config)
    checkpoint.fill(predictor, tensors, path)
    return predictor.requires_grad_(False).to(device)
