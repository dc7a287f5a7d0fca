"""From a training run to weights that ship: half precision, with integer histograms of the indices."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec import checkpoint
from codec.config import BLOCK, LEVELS, CodecConfig
from codec.encoder import Encoder
from codec.granularity import density, grey, rank
from codec.quantizer import Quantizer

# Ratios (fine, medium, coarse) whose indices make the histograms: the regimes the codec is used in.
HISTOGRAM_RATIOS = ((0.0, 0.0, 1.0), (0.0, 0.5, 0.5), (0.1, 0.4, 0.5), (0.3, 0.5, 0.2))


@torch.no_grad()
def index_maps(encoder: Encoder, quantizer: Quantizer, frames: NDArray[np.uint8]) -> list[NDArray[np.int16]]:
    """Indices of all levels for frames [B, H, W, 3]: int16 [B, h_l, w_l] each."""
    x = torch.tensor(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
    features = encoder(x.contiguous(memory_format=torch.channels_last))
    return [quantizer.nearest(level, z).numpy().astype(np.int16) for level, z in enumerate(features)]


def crop_to_blocks(photograph: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest top-left part whose sides are multiples of 16."""
    height, width = (side // BLOCK * BLOCK for side in photograph.shape[:2])
    return np.ascontiguousarray(photograph[:height, :width])


def histograms(
    encoder: Encoder, quantizer: Quantizer, photographs: list[NDArray[np.uint8]], codes: int
) -> NDArray[np.int32]:
    """How often each codeword is chosen at each level, int32 [L, K], plus one so that none is impossible."""
    counts = np.ones((LEVELS, codes), dtype=np.int64)
    for photograph in photographs:
        frame = crop_to_blocks(photograph)
        maps = [m[0] for m in index_maps(encoder, quantizer, frame[None])]
        luma = grey(frame)
        block_density, quarter_density = density(luma, BLOCK), density(luma, BLOCK // 2)
        for ratios in HISTOGRAM_RATIOS:
            quarters = rank(block_density, quarter_density, ratios)
            present = (quarters[::2, ::2] == 0, quarters == 1, np.kron(quarters == 2, np.ones((2, 2))) > 0)
            for level in range(LEVELS):
                counts[level] += np.bincount(maps[level][present[level]], minlength=codes)
    return counts.astype(np.int32)


def export_tokenizer(
    path: Path,
    tensors: dict[str, Tensor],
    config: CodecConfig,
    photographs: list[NDArray[np.uint8]],
    steps: int,
) -> str:
    """Write encoder, codebooks, decoder and histograms; returns the hash (hex).

    Args:
        path: The safetensors file.
        tensors: State dict of `codec.training.tokenizer.Tokenizer`.
        config: Sizes of the networks.
        photographs: Training photographs; every one is counted in the histograms.
        steps: Training steps, noted in the file.
    """
    encoder, quantizer = Encoder(config), Quantizer(config)
    halves = {name: tensor.half().float() for name, tensor in tensors.items()}
    encoder.load_state_dict({n[8:]: t for n, t in halves.items() if n.startswith("encoder.")})
    quantizer.load_state_dict({n[10:]: t for n, t in halves.items() if n.startswith("quantizer.")})
    counts = histograms(encoder, quantizer, photographs, config.codes)
    tables = {"histogram": torch.from_numpy(counts)}
    return checkpoint.save(path, "tokenizer", config, {**tensors, **tables}, {"steps": str(steps)})
