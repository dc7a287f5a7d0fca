"""Training of the masked transformer on the token maps of a finished tokenizer.

Its tilt towards the frame before stays out of it: that is fitted afterwards (codec/training/copying.py).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from codec import checkpoint
from codec.conceal import Concealer, frames_before
from codec.config import BLOCK
from codec.device import choose_device
from codec.granularity import rank
from codec.packing import pack
from codec.predictor import Predictor
from codec.tokens import Tokens, block_of, from_dense, with_lost_blocks
from codec.training.masks import coded_tokens, lost_blocks
from codec.training.motion import motion_pool
from codec.training.networks import frozen_tokenizer
from codec.training.run import Run, autocast, average_weights, check_recipe, learning_rate
from codec.training.token_maps import TokenMaps, token_pool
from codec.training.tokenizer_samples import sample_ratios


@dataclass(frozen=True)
class PredictorRecipe:
    """Numbers of a training run.

    Attributes:
        steps, batch: Optimizer steps, pictures a step.
        window: Side of an all-coarse picture in blocks.
        mixed_window: Side of a picture of mixed granularity in blocks.
        mixed_share: Share of steps on mixed granularity.
        temporal_share: Share of steps with the frame before in sight.
        guessed_share: Share of those pictures whose frame before had losses of its own.
        unseen_share: Share of those pictures that see no frame before after all.
        coding_share: Share of pictures that miss single tokens of all levels, as the entropy model `context`
            asks (codec/context_model.py), instead of lost blocks.
        peak_rate: Peak learning rate.
        vector_weight: Weight of the squared error of the expected codeword, beside cross-entropy.
        variants: Scaled or flipped copies of each photograph in the token pool.
        seed: Of windows, ratios and losses.
    """

    steps: int = 1400
    batch: int = 16
    window: int = 16
    mixed_window: int = 7
    mixed_share: float = 0.3
    temporal_share: float = 0.35
    guessed_share: float = 0.5
    unseen_share: float = 0.2
    coding_share: float = 0.4
    peak_rate: float = 1e-3
    vector_weight: float = 0.5
    variants: int = 1
    log_every: int = 25
    seed: int = 1

    def __post_init__(self) -> None:
        check_recipe(self)


@dataclass(frozen=True)
class Window:
    """What one picture of a step is made of.

    Attributes:
        tokens: A window of blocks; a lost block is one coarse token, and every hole holds its true index.
        received: bool [N], which of them are known.
        asked: bool [N], which are to be guessed; a token that is neither is absent.
        before: The same window a frame earlier, perhaps with losses of its own; or None.
    """

    tokens: Tokens
    received: NDArray[np.bool_]
    asked: NDArray[np.bool_]
    before: Tokens | None = None


def window_tokens(
    maps: TokenMaps, place: tuple[int, int], side: int, ratios: tuple[float, float, float], lost: NDArray[np.bool_]
) -> Tokens:
    """The blocks of a window [side, side] at `place`; lost blocks, bool [side^2], are coarse."""
    y, x = place
    index = [m[y << i : (y + side) << i, x << i : (x + side) << i] for i, m in enumerate(maps.indices)]
    quarters = rank(
        maps.block_density[y : y + side, x : x + side],
        maps.quarter_density[2 * y : 2 * (y + side), 2 * x : 2 * (x + side)],
        ratios,
    )
    quarters[np.kron(lost.reshape(side, side), np.ones((2, 2), bool))] = 0
    return from_dense(index, quarters)


def draw_window(
    now: TokenMaps,
    before: TokenMaps | None,
    side: int,
    mixed: bool,
    recipe: PredictorRecipe,
    rng: np.random.Generator,
) -> Window:
    """A window at a random place with losses, or tokens not coded yet, and what came before it."""
    height, width = now.indices[0].shape
    place = (int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1)))
    ratios = sample_ratios(rng, 0.0 if mixed else 1.0)
    coding, nothing = rng.random() < recipe.coding_share, np.zeros(side * side, bool)
    lost = nothing if coding else lost_blocks((side, side), rng)
    tokens = window_tokens(now, place, side, ratios, lost)
    holes = lost[block_of(tokens)]
    received, asked = coded_tokens(len(tokens), rng) if coding else (~holes, holes)
    if before is None or rng.random() < recipe.unseen_share:
        return Window(tokens, received, asked)
    earlier = window_tokens(before, place, side, ratios, nothing)
    if rng.random() < recipe.guessed_share:
        earlier = with_lost_blocks(earlier, lost_blocks((side, side), rng))
    return Window(tokens, received, asked, earlier)


def step_loss(
    predictor: Predictor, codebook: Tensor, batch: list[Window], vector_weight: float
) -> tuple[Tensor, Tensor, float]:
    """Loss of one step on the holes, of all levels together.

    Returns:
        Loss; cross-entropy in bits a token; share of holes guessed exactly.
    """
    packed = pack([window.tokens for window in batch], codebook)
    truth, present = torch.zeros_like(packed.level), torch.zeros_like(packed.known)
    for row, window in enumerate(batch):
        count = len(window.received)
        truth[row, :count] = torch.from_numpy(window.tokens.index.astype(np.int64))
        packed.known[row, :count] = torch.from_numpy(window.received)
        present[row, :count] = torch.from_numpy(window.received | window.asked)
    earlier = [window.before for window in batch]
    filled = iter(Concealer(predictor, codebook).fill([tokens for tokens in earlier if tokens], "expected"))
    before = frames_before([next(filled) if tokens else None for tokens in earlier], codebook)
    where, real = ~packed.known & present, None if present.all() else present
    hidden = predictor(packed.code, packed.known, packed.level, packed.position, real, before)
    entropy, gap, right, holes = hidden.new_zeros(()), hidden.new_zeros(()), 0.0, int(where.sum())
    for level in packed.level[where].unique().tolist():
        at = where & (packed.level == level)
        keys, target = predictor.keys(codebook[level]), truth[at]
        logits = predictor.logits(hidden[at], keys, level).float()
        mean = logits.softmax(-1) @ codebook[level]
        entropy = entropy + F.cross_entropy(logits, target, reduction="sum") / holes
        gap = gap + (mean - codebook[level][target]).square().sum() / holes
        right += float((logits.argmax(-1) == target).sum()) / holes
    return entropy + vector_weight * gap, entropy.detach() / np.log(2), right


def draw_batch(
    still: list[TokenMaps], moving: list[tuple[TokenMaps, TokenMaps]], recipe: PredictorRecipe, step: int
) -> tuple[list[Window], dict[str, float]]:
    """The windows of a step, a pure function of (seed, step); and their kind, for the log."""
    rng = np.random.default_rng((recipe.seed, step))
    mixed = bool(rng.random() < recipe.mixed_share)
    temporal = bool(moving) and bool(rng.random() < recipe.temporal_share)
    side = recipe.mixed_window if mixed else recipe.window
    chosen = rng.integers(len(moving if temporal else still), size=recipe.batch)
    pairs = [moving[i] for i in chosen] if temporal else [(None, still[i]) for i in chosen]
    windows = [draw_window(now, before, side, mixed, recipe, rng) for before, now in pairs]
    return windows, {"mixed": float(mixed), "temporal": float(temporal)}


def train_predictor(
    photographs_folder: Path,
    run_folder: Path,
    tokenizer_weights: Path,
    recipe: PredictorRecipe,
    resume: bool = False,
    stop_after: int | None = None,
    clips_folder: Path | None = None,
    start: Path | None = None,
    device: str = "cpu",
) -> Path:
    """Train, and export the averaged weights into the run folder.

    Args:
        photographs_folder: PNG, JPEG or WebP files, searched recursively.
        run_folder: Receives checkpoint.pt, log.csv, predictor.safetensors.
        tokenizer_weights: An exported tokenizer; its encoder and codebooks make the tokens.
        recipe: Numbers of the run.
        resume: Continue the run in `run_folder`.
        stop_after: Pause after this step, with a checkpoint; the schedule stays that of the recipe.
        clips_folder: Clips, for the frame before (beside a virtual camera over the photographs).
        start: An exported predictor to begin from instead of random weights.
        device: "cpu", "cuda", or "auto": CUDA where there is one. A run may be resumed on another.

    Returns:
        Path of the exported predictor.

    Raises:
        ImageError: If there are no photographs or clips.
        CheckpointError: If the run folder is taken, or weights cannot be read.
        RequestError: If the device is not to be had.
    """
    where = choose_device(device)
    torch.manual_seed(recipe.seed)
    config, tensors, sha = checkpoint.load(tokenizer_weights, "tokenizer")
    tokenizer = frozen_tokenizer(config, tensors, where)
    front, codebook = (tokenizer.encoder, tokenizer.quantizer), tokenizer.quantizer.codebook
    predictor, average = Predictor(config).to(where), Predictor(config).to(where)
    if start is not None:
        checkpoint.fill(predictor, checkpoint.load(start, "predictor")[1], start)
    average.load_state_dict(predictor.state_dict())
    average.requires_grad_(False)
    learning = [weight for name, weight in predictor.named_parameters() if not name.startswith("copying.")]
    optimizer = torch.optim.AdamW(learning, lr=1e-4, betas=(0.9, 0.98), weight_decay=0.1, fused=True)
    run = Run(run_folder, {"model": predictor, "average": average, "optimizer": optimizer}, resume)
    name, side = sha.hex()[:12], recipe.window * BLOCK
    still = token_pool(
        run_folder / f"tokens-{name}.pt", *front, photographs_folder, recipe.window, recipe.variants, recipe.seed
    )
    moving = motion_pool(run_folder / f"motion-{name}.pt", *front, photographs_folder, clips_folder, side, recipe.seed)
    print(f"{len(still)} token maps, {len(moving)} pairs", flush=True)
    while run.step < min(recipe.steps, stop_after or recipe.steps):
        windows, kind = draw_batch(still, moving, recipe, run.step)
        rate = learning_rate(run.step, recipe.steps, recipe.peak_rate, warmup=200)
        optimizer.param_groups[0]["lr"] = rate
        with autocast(where):
            loss, bits, right = step_loss(predictor, codebook, windows, recipe.vector_weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(predictor.parameters(), 1.0)
        optimizer.step()
        average_weights(average, predictor, min(0.998, (run.step + 1) / (run.step + 10)))
        run.step += 1
        if run.step % recipe.log_every == 0:
            values = {"rate": rate, "loss": loss.item(), "bits": bits.item(), "right": right, "grad": norm.item()}
            run.log(values | kind, recipe.steps)
        run.save_if_due()
    run.save()
    path = run_folder / "predictor.safetensors"
    checkpoint.save(path, "predictor", config, average.cpu().state_dict(), {"steps": str(run.step)})
    return path
