"""From a training run to weights that ship: half precision, with smaller codebooks and integer histograms."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec import checkpoint
from codec.codebook import CODEWORDS, HISTOGRAM, nearest, split_books
from codec.config import BLOCK, CodecConfig
from codec.decoder import Decoder
from codec.encoder import Encoder
from codec.layers import channels_last
from codec.neighbour_tables import NAMES
from codec.perceptual import Squeeze
from codec.quantizer import Quantizer
from codec.training.codebook_tuning import TuningRecipe, View, tuned
from codec.training.codebooks import coarse_books
from codec.training.data import load_photographs
from codec.training.neighbour_tables import fit_neighbours, samples_of
from codec.training.token_maps import TokenMaps, crop_to_blocks, features_of, histograms, maps_of

ANEW = (CODEWORDS, HISTOGRAM, *NAMES)  # what `train codebooks` makes
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
    return checkpoint.save(
        path, "tokenizer", config, tensors | tables_of(config, tensors, photographs), {"steps": str(steps)}
    )


def tables_of(
    config: CodecConfig,
    tensors: dict[str, Tensor],
    photographs: list[NDArray[np.uint8]],
    tune: Callable[[list[Tensor]], list[Tensor]] = list,
) -> dict[str, Tensor]:
    """All that is counted on photographs: histograms, smaller codebooks and theirs, tables by neighbours.

    Each photograph is encoded once; `tune` may better the smaller codebooks before they are counted.
    """
    encoder, quantizer = frozen_front(config, tensors)
    seen = [_seen(encoder, quantizer, photograph) for photograph in _counted(photographs)]
    full = quantizer.codebook[0]
    books = coarse_books(full, (features for features, _ in seen), tune)
    smaller = [book.codewords for book in split_books(full, books[CODEWORDS])]
    codewords = [torch.cat([full, *smaller]).numpy(), *(words.numpy() for words in quantizer.codebook[1:])]
    samples = (
        samples_of(
            maps, [nearest(z, words).numpy().reshape(maps.block_density.shape) for words in smaller], codewords, seed
        )
        for seed, (z, maps) in enumerate(seen)
    )
    counts = histograms((maps for _, maps in seen), config.codes)
    return {"histogram": torch.from_numpy(counts)} | books | fit_neighbours(samples, codewords)


@torch.no_grad()
def _seen(encoder: Encoder, quantizer: Quantizer, photograph: NDArray[np.uint8]) -> tuple[Tensor, TokenMaps]:
    """Coarse features [h*w, D] and index maps of a photograph."""
    frame = crop_to_blocks(photograph)
    features = features_of(encoder, frame[None])
    return features[0][0].flatten(1).T, maps_of(quantizer, features, frame)


def train_codebooks(
    tokenizer_weights: Path,
    photographs_folder: Path,
    out: Path,
    perceptual_weights: Path | None = None,
    recipe: TuningRecipe | None = None,
) -> str:
    """Write a copy of an exported tokenizer with smaller coarse codebooks and tables by neighbours made anew.

    Args:
        tokenizer_weights: The safetensors file to copy; encoder, codebooks and decoder stay as they are.
        photographs_folder: PNG, JPEG or WebP files, searched recursively; at most 500, evenly chosen, are counted.
        out: The safetensors file to write.
        perceptual_weights: The .npz of `squeeze`; without it, distortion alone tunes.
        recipe: Of the tuning; None leaves the codebooks as k-means makes them.

    Returns:
        The hash (hex).

    Raises:
        ImageError: If there are no photographs.
        CheckpointError: If the weights cannot be read.
        RequestError: If there are too few photographs to tune on.
    """
    perceptual = None if perceptual_weights is None else Squeeze(perceptual_weights)
    config, tensors, _ = checkpoint.load(tokenizer_weights, "tokenizer")
    photographs = _counted(load_photographs(photographs_folder, BLOCK))
    tune: Callable[[list[Tensor]], list[Tensor]] = list
    note = f"{len(photographs)} photographs"
    if recipe is not None:
        encoder, decoder = frozen_front(config, tensors)[0], frozen_decoder(config, tensors)
        view = View(encoder, decoder, perceptual, recipe.perceptual_weight)
        tune = partial(tuned, photographs=photographs, view=view, recipe=recipe)
        note += f", tuned for {recipe.steps} steps"
    tables = tables_of(config, tensors, photographs, tune)
    return checkpoint.save(out, "tokenizer", config, tensors | {n: tables[n] for n in ANEW}, {"codebooks": note})


def _counted(photographs: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    return photographs[:: -(-len(photographs) // COUNTED)]
