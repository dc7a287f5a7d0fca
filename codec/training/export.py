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
from codec.device import CPU, choose_device
from codec.encoder import Encoder
from codec.neighbour_tables import NAMES
from codec.perceptual import Squeeze
from codec.quantizer import Quantizer
from codec.training.codebook_tuning import TuningRecipe, View, tuned
from codec.training.codebooks import coarse_books
from codec.training.data import load_photographs
from codec.training.neighbour_tables import fit_neighbours, samples_of
from codec.training.networks import frozen_tokenizer
from codec.training.token_maps import TokenMaps, crop_to_blocks, features_of, histograms, maps_of

ANEW = (CODEWORDS, HISTOGRAM, *NAMES)  # what `train codebooks` makes
COUNTED = 500  # photographs in the histograms: at 700 blocks each, some 350 coarse tokens a codeword


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
        tensors: State dict of `codec.training.networks.Tokenizer`.
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
    device: torch.device = CPU,
) -> dict[str, Tensor]:
    """All that is counted on photographs: histograms, smaller codebooks and theirs, tables by neighbours.

    Each photograph is encoded once; `tune` may better the smaller codebooks before they are counted.
    """
    tokenizer = frozen_tokenizer(config, tensors, device)
    encoder, quantizer = tokenizer.encoder, tokenizer.quantizer.cpu()
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
    features = [z.cpu() for z in features_of(encoder, frame[None])]
    return features[0][0].flatten(1).T, maps_of(quantizer, features, frame)


def train_codebooks(
    tokenizer_weights: Path,
    photographs_folder: Path,
    out: Path,
    perceptual_weights: Path | None = None,
    recipe: TuningRecipe | None = None,
    device: str = "cpu",
) -> str:
    """Write a copy of an exported tokenizer with smaller coarse codebooks and tables by neighbours made anew.

    Args:
        tokenizer_weights: The safetensors file to copy; encoder, codebooks and decoder stay as they are.
        photographs_folder: PNG, JPEG or WebP files, searched recursively; at most 500, evenly chosen, are counted.
        out: The safetensors file to write.
        perceptual_weights: The .npz of `squeeze`; without it, distortion alone tunes.
        recipe: Of the tuning; None leaves the codebooks as k-means makes them.
        device: "cpu", "cuda", or "auto": CUDA where there is one. Encodes and tunes there.

    Returns:
        The hash (hex).

    Raises:
        ImageError: If there are no photographs.
        CheckpointError: If the weights cannot be read.
        RequestError: If there are too few photographs to tune on, or the device is not to be had.
    """
    where = choose_device(device)
    perceptual = None if perceptual_weights is None else Squeeze(perceptual_weights)
    config, tensors, _ = checkpoint.load(tokenizer_weights, "tokenizer")
    photographs = _counted(load_photographs(photographs_folder, BLOCK))
    tune: Callable[[list[Tensor]], list[Tensor]] = list
    note = f"{len(photographs)} photographs"
    if recipe is not None:
        tokenizer, perceptual = (
            frozen_tokenizer(config, tensors, where),
            None if perceptual is None else perceptual.to(where),
        )
        view = View(tokenizer.encoder, tokenizer.decoder, perceptual, recipe.perceptual_weight)
        tune = partial(tuned, photographs=photographs, view=view, recipe=recipe)
        note += f", tuned for {recipe.steps} steps"
    tables = tables_of(config, tensors, photographs, tune, where)
    return checkpoint.save(out, "tokenizer", config, tensors | {n: tables[n] for n in ANEW}, {"codebooks": note})


def _counted(photographs: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    return photographs[:: -(-len(photographs) // COUNTED)]
