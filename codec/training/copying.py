"""Fitting of the tilt towards the frame before (`codec.copying`) to clips, by maximum likelihood.

pairs of frames -> tokens -> losses in both, the earlier concealed -> log P of each lost token -> six weights
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec import checkpoint
from codec.conceal import Concealer, frames_before
from codec.copying import Copying, Hints, hints_of
from codec.device import choose_device
from codec.errors import ImageError
from codec.films import clip_files
from codec.packing import pack
from codec.tokens import Tokens, from_dense, with_lost_blocks
from codec.training.masks import lost_blocks
from codec.training.motion import clip_pairs
from codec.training.networks import frozen_tokenizer, load_predictor
from codec.training.token_maps import index_maps

SIDE = 256  # of the frames in pixels
EVERY, PAIRS_A_CLIP = 15, 8


class Evidence:
    """What was lost, and what was said of it: logits, hints and truth of each lost token, clip by clip."""

    def __init__(self) -> None:
        self.logits: list[Tensor] = []
        self.code: list[Tensor] = []
        self.evidence: list[Tensor] = []
        self.truth: list[Tensor] = []
        self.weight: list[Tensor] = []

    def bits(self, copying: Copying, codewords: Tensor) -> Tensor:
        """Cross-entropy of the lost tokens in bits, all clips alike."""
        count = sum(len(truth) for truth in self.truth)
        there = torch.ones(1, count, dtype=torch.bool)
        hints = Hints(torch.cat(self.code)[None], torch.cat(self.evidence)[None], there, torch.ones(1, count))
        tilted = copying(torch.cat(self.logits), codewords, hints, hints.there).log_softmax(-1)
        nats = -tilted.gather(1, torch.cat(self.truth)[:, None])[:, 0]
        weight = torch.cat(self.weight)
        bits: Tensor = (nats * weight).sum() / weight.sum() / np.log(2)
        return bits


def train_copying(
    tokenizer_weights: Path, predictor_weights: Path, clips: Path, out: Path, seed: int = 1, device: str = "cpu"
) -> str:
    """Write a copy of a predictor with its tilt fitted to clips; returns what it gained, in words.

    Args:
        tokenizer_weights: The tokenizer that makes the tokens.
        predictor_weights: The predictor to copy.
        clips: Folder of clips (needs PyAV); 8 pairs of frames of each, far apart, count as much as those of any other.
        out: The safetensors file to write.
        seed: Of places and losses.
        device: "cpu", "cuda", or "auto": CUDA where there is one. The networks run there; the fit is on the CPU.

    Raises:
        ImageError: If there are no clips, they are too short, or PyAV is missing.
        CheckpointError: If weights cannot be read.
        RequestError: If the device is not to be had.
    """
    where = choose_device(device)
    config, tensors, _ = checkpoint.load(tokenizer_weights, "tokenizer")
    _, state, _ = checkpoint.load(predictor_weights, "predictor")
    tokenizer, predictor = frozen_tokenizer(config, tensors, where), load_predictor(predictor_weights, where)
    codebook = tokenizer.quantizer.codebook
    concealer, rng, found = Concealer(predictor, codebook), np.random.default_rng(seed), Evidence()
    for path in clip_files(clips):
        pairs = list(clip_pairs(path, SIDE, rng, EVERY, PAIRS_A_CLIP))
        for pair in pairs:
            maps = index_maps(tokenizer.encoder, tokenizer.quantizer, np.stack(pair))
            earlier, now = (_coarse([level[row] for level in maps]) for row in range(2))
            _ask(concealer, earlier, now, rng, 1 / len(pairs), found)
    if not found.truth:
        raise ImageError(str(clips), "no clip has two frames", "", "Take longer ones")
    before, after = fit(predictor.copying.cpu(), codebook[0].cpu(), found)
    weight = predictor.copying.weight.detach()
    checkpoint.save(out, "predictor", config, state | {"copying.weight": weight}, {"copying": f"{clips.name}"})
    return f"{before:.3f} bits a lost token without, {after:.3f} with the tilt {weight.numpy().round(3).tolist()}"


def _coarse(index: list[NDArray[np.int16]]) -> Tokens:
    return from_dense(index, np.zeros((2 * index[0].shape[0], 2 * index[0].shape[1]), np.uint8))


@torch.no_grad()
def _ask(
    concealer: Concealer, earlier: Tokens, now: Tokens, rng: np.random.Generator, weight: float, found: Evidence
) -> None:
    """What the transformer, left alone, and the frame before say of the lost tokens of one frame."""
    lost = lost_blocks(now.grid, rng)
    if not lost.any():
        return
    before = concealer.fill([with_lost_blocks(earlier, lost_blocks(now.grid, rng))], "expected")
    packed, seen = pack([with_lost_blocks(now, lost)], concealer.codebook), frames_before(before, concealer.codebook)
    assert seen is not None
    hints, at = hints_of(packed, seen), ~packed.known
    hidden = concealer.predictor(packed.code, packed.known, packed.level, packed.position, packed.real, seen)
    keys = concealer.predictor.keys(concealer.codebook[0])
    found.logits.append(concealer.predictor.logits(hidden[at], keys, 0).log_softmax(-1).cpu())
    found.code.append(hints.code[at].cpu())
    found.evidence.append(hints.evidence[at].cpu())
    found.truth.append(torch.from_numpy(now.index[lost].astype(np.int64)))
    found.weight.append(torch.full((int(at.sum()),), weight / int(at.sum())))


def fit(copying: Copying, codewords: Tensor, found: Evidence) -> tuple[float, float]:
    """Set the weights to those of least cross-entropy (L-BFGS); bits a token without any tilt, and with this one."""
    with torch.no_grad():
        copying.weight.zero_()
    copying.weight.requires_grad_(True)
    before = float(found.bits(copying, codewords).detach())
    optimizer = torch.optim.LBFGS([copying.weight], max_iter=30, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = found.bits(copying, codewords) + 1e-4 * copying.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return before, float(found.bits(copying, codewords).detach())
