"""Training of the masked transformer on the token maps of a finished tokenizer."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from codec import checkpoint
from codec.conceal import distribution, expected_code, pack
from codec.granularity import rank
from codec.predictor import Predictor
from codec.tokens import Tokens, block_of, from_dense
from codec.training.export import frozen_front
from codec.training.masks import lost_blocks
from codec.training.run import Run, autocast, average_weights, learning_rate
from codec.training.token_maps import TokenMaps, token_pool


@dataclass(frozen=True)
class PredictorRecipe:
    """Numbers of a training run.

    Attributes:
        steps, batch: Optimizer steps, pictures a step.
        window: Side of an all-coarse picture in blocks.
        mixed_window: Side of a picture of mixed granularity in blocks.
        mixed_share: Share of steps on mixed granularity.
        peak_rate: Peak learning rate.
        vector_weight: Weight of the squared error of the expected codeword, beside cross-entropy.
        variants: Scaled or flipped copies of each photograph in the token pool.
        seed: Of windows, ratios and losses.
    """

    steps: int = 1400
    batch: int = 16
    window: int = 16
    mixed_window: int = 7
    mixed_share: float = 0.2
    peak_rate: float = 1e-3
    vector_weight: float = 0.5
    variants: int = 1
    log_every: int = 25
    seed: int = 1


def window_tokens(
    maps: TokenMaps, side: int, mixed: bool, rng: np.random.Generator
) -> tuple[Tokens, NDArray[np.bool_]]:
    """A window of blocks with a loss pattern.

    Returns:
        The tokens, in which a lost block is one coarse token that holds its true index, and which
        of them are known: bool [N].
    """
    height, width = maps.indices[0].shape
    y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    index = [m[y << i : (y + side) << i, x << i : (x + side) << i] for i, m in enumerate(maps.indices)]
    fine, medium, coarse = rng.dirichlet((0.5, 1.0, 1.5)) if mixed else (0.0, 0.0, 1.0)
    quarters = rank(
        maps.block_density[y : y + side, x : x + side],
        maps.quarter_density[2 * y : 2 * (y + side), 2 * x : 2 * (x + side)],
        (fine, medium, coarse),
    )
    lost = lost_blocks((side, side), rng)
    quarters[np.kron(lost.reshape(side, side), np.ones((2, 2), bool))] = 0
    tokens = from_dense(index, quarters)
    return tokens, ~lost[block_of(tokens)]


def step_loss(
    predictor: Predictor,
    codebook: Tensor,
    batch: list[Tokens],
    known: list[NDArray[np.bool_]],
    vector_weight: float,
) -> tuple[Tensor, Tensor, float]:
    """Loss of one step on the holes (all coarse).

    Returns:
        Loss; cross-entropy in bits a token; share of holes guessed exactly.
    """
    packed = pack(batch, codebook)
    truth = torch.zeros_like(packed.level)
    for row, (tokens, received) in enumerate(zip(batch, known, strict=True)):
        truth[row, : len(received)] = torch.from_numpy(tokens.index.astype(np.int64))
        packed.known[row, : len(received)] = torch.from_numpy(received)
    where, logits = distribution(predictor, packed, codebook, 0)
    logits, target = logits.float(), truth[where]
    entropy = F.cross_entropy(logits, target)
    gap = (expected_code(logits, codebook[0]) - codebook[0][target]).square().sum(-1).mean()
    right = float((logits.argmax(-1) == target).float().mean())
    return entropy + vector_weight * gap, entropy.detach() / np.log(2), right


def train_predictor(
    photographs_folder: Path,
    run_folder: Path,
    tokenizer_weights: Path,
    recipe: PredictorRecipe,
    resume: bool = False,
    stop_after: int | None = None,
) -> Path:
    """Train, and export the averaged weights into the run folder.

    Args:
        photographs_folder: PNG, JPEG or WebP files, searched recursively.
        run_folder: Receives checkpoint.pt, log.csv, predictor.safetensors.
        tokenizer_weights: An exported tokenizer; its encoder and codebooks make the tokens.
        recipe: Numbers of the run.
        resume: Continue the run in `run_folder`.
        stop_after: Pause after this step, with a checkpoint; the schedule stays that of the recipe.

    Returns:
        Path of the exported predictor.

    Raises:
        ImageError: If there are no photographs.
        CheckpointError: If the run folder is taken, or weights cannot be read.
    """
    torch.manual_seed(recipe.seed)
    config, tensors, sha = checkpoint.load(tokenizer_weights, "tokenizer")
    encoder, quantizer = frozen_front(config, tensors)
    predictor, average = Predictor(config), Predictor(config)
    average.load_state_dict(predictor.state_dict())
    average.requires_grad_(False)
    optimizer = torch.optim.AdamW(predictor.parameters(), lr=1e-4, betas=(0.9, 0.98), weight_decay=0.03, fused=True)
    run = Run(run_folder, {"model": predictor, "average": average, "optimizer": optimizer}, resume)
    pool = token_pool(
        run_folder / f"tokens-{sha.hex()[:12]}.pt",
        encoder,
        quantizer,
        photographs_folder,
        recipe.window,
        recipe.variants,
        recipe.seed,
    )
    print(f"{len(pool)} token maps", flush=True)
    device = torch.device("cpu")
    while run.step < min(recipe.steps, stop_after or recipe.steps):
        draw = np.random.default_rng((recipe.seed, run.step))
        mixed = bool(draw.random() < recipe.mixed_share)
        side = recipe.mixed_window if mixed else recipe.window
        chosen = draw.integers(len(pool), size=recipe.batch)
        windows = [window_tokens(pool[i], side, mixed, draw) for i in chosen]
        rate = learning_rate(run.step, recipe.steps, recipe.peak_rate, warmup=200)
        optimizer.param_groups[0]["lr"] = rate
        with autocast(device):
            loss, bits, right = step_loss(
                predictor,
                quantizer.codebook,
                [t for t, _ in windows],
                [k for _, k in windows],
                recipe.vector_weight,
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(predictor.parameters(), 1.0)
        optimizer.step()
        average_weights(average, predictor, min(0.998, (run.step + 1) / (run.step + 10)))
        run.step += 1
        if run.step % recipe.log_every == 0:
            run.log(
                {
                    "rate": rate,
                    "loss": loss.item(),
                    "bits": bits.item(),
                    "right": right,
                    "mixed": float(mixed),
                    "grad": norm.item(),
                }
            )
        run.save_if_due()
    run.save()
    path = run_folder / "predictor.safetensors"
    checkpoint.save(path, "predictor", config, dict(average.state_dict()), {"steps": str(run.step)})
    return path
