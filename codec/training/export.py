"""From a training run to weights that ship: half precision, with smaller codebooks and integer histograms."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec import checkpoint
from codec.config import BLOCK, CodecConfig
from codec.decoder import Decoder
from codec.encoder import Encoder
from codec.layers import channels_last
from codec.perceptual import Squeeze
from codec.quantizer import Quantizer
from codec.training.codebook_tuning import TuningRecipe, View, tuned
from codec.training.codebooks import coarse_books, coarse_features
from codec.training.data import load_photographs
from codec.training.token_maps import histograms, token_maps

COUNTED = 500  # photographs in the histograms: at 700 blocks each, some 350 coarse tokens a codeword


def frozen_front(config: CodecConfig, tensors: dict[str, Tensor]) -> tuple[Encoder, Quantizer]:
    """Encoder and codebooks of a tokenizer's tensors, as they are once stored in half precision."""
    halves = {name: t.half().float() for name, t in tensors.items() if name.startswith(("encoder.", "quantizer."))}
    encoder, quantizer = Encoder(config), Quantizer(config)
    encoder.load_state_dict({n[8:]: t for n, t in halves.items() if n.startswith("encoder.")})
    quantizer.load_state_dict({n[10:]: t for n, t in halves.items() if n.startswith("quantizer.")})
    return channels_last(encoder.requires_grad_(False)), quantizer


def frozen_decoder(config: CodecConfig, tensors: dict[str, Tensor]) -> Decoder:
    """The decoder of a tokenizer's tensors."""
    decoder = Decoder(config)
    decoder.load_state_dict({n[8:]: t for n, t in tensors.items() if n.startswith("decoder.")})
    return channels_last(decoder.requires_grad_(False))


def export_tokenizer(
    path: Path,
    tensors: dict[str, Tensor],
    config: CodecConfig,
    photographs: list[NDArray[np.uint8]],
    steps: int,
) -> str:
    """Write encoder, codebooks, the smaller ones too, decoder and histograms; returns the hash (hex).

    Args:
        path: The safetensors file.
        tensors: State dict of `codec.training.tokenizer.Tokenizer`.
        config: Sizes of the networks.
        photographs: Training photographs; at most 500 of them, evenly chosen, are counted in the histograms.
        steps: Training steps, noted in the file.
    """
    front = frozen_front(config, tensors)
    some = _counted(photographs)
    counts = histograms((token_maps(*front, photograph) for photograph in some), config.codes)
    tables = {"histogram": torch.from_numpy(counts)} | _books(front, some)
    return checkpoint.save(path, "tokenizer", config, {**tensors, **tables}, {"steps": str(steps)})


def train_codebooks(
    tokenizer_weights: Path,
    photographs_folder: Path,
    out: Path,
    perceptual_weights: Path | None = None,
    recipe: TuningRecipe | None = None,
) -> str:
    """Write a copy of an exported tokenizer with smaller coarse codebooks made anew; returns the hash (hex).

    Args:
        tokenizer_weights: The safetensors file to copy; encoder, codebooks and decoder stay as they are.
        photographs_folder: PNG, JPEG or WebP files, searched recursively; at most 500, evenly chosen, are counted.
        out: The safetensors file to write.
        perceptual_weights: The .npz of `squeeze`; without it, distortion alone tunes.
        recipe: Of the tuning; None leaves the codebooks as k-means makes them.

    Raises:
        ImageError: If there are no photographs.
        CheckpointError: If the weights cannot be read.
        RequestError: If there are too few photographs to tune on.
    """
    perceptual = None if perceptual_weights is None else Squeeze(perceptual_weights)
    config, tensors, _ = checkpoint.load(tokenizer_weights, "tokenizer")
    photographs = _counted(load_photographs(photographs_folder, BLOCK))
    front = frozen_front(config, tensors)
    if recipe is None:
        books, notes = _books(front, photographs), f"{len(photographs)} photographs"
    else:
        view = View(front[0], frozen_decoder(config, tensors), perceptual, recipe.perceptual_weight)
        books = _books(front, photographs, lambda words: tuned(words, photographs, view, recipe))
        notes = f"{len(photographs)} photographs, tuned for {recipe.steps} steps"
    return checkpoint.save(out, "tokenizer", config, tensors | books, {"codebooks": notes})


def _counted(photographs: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    return photographs[:: -(-len(photographs) // COUNTED)]


def _books(
    front: tuple[Encoder, Quantizer],
    photographs: list[NDArray[np.uint8]],
    tune: Callable[[list[Tensor]], list[Tensor]] = list,
) -> dict[str, Tensor]:
    encoder, quantizer = front
    features = (coarse_features(encoder, photograph) for photograph in photographs)
    return coarse_books(quantizer.codebook[0], features, tune)
