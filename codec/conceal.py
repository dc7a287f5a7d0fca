"""Concealment: tokens with holes -> a guess and a confidence for every hole.

A received token is never changed. A guess is a *codeword vector*, which need not be in the
codebook: `expected` hands the decoder the mean of the predicted distribution, whose length says how
sure it is. Confidence is the expected cosine between guess and truth, 1 for received tokens.

    none              nothing is guessed; the lost blocks stay grey
    zero              nothing is guessed; the decoder paints over the hole
    copy_previous     what stood there a frame before
    neighbour_mean    mean of the codewords around the hole, no transformer
    argmax            the most probable codeword of the masked transformer
    expected          the mean of its distribution over the codewords
    shrunk            0.6 times that mean, and its confidence
    copy_or_expected  the codeword a frame before where that mean points nearly the same way, else `shrunk`
    iterative_N       argmax in N rounds, the surest tokens first (MaskGIT, arXiv 2202.04200, section 3.2)

Methods of the transformer look at the frame before where there is one.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from codec.codebook import SubCodebook
from codec.copying import hints_of
from codec.errors import RequestError
from codec.fill import as_received, copy_previous, finish, neighbour_mean
from codec.latents import Concealed, condition, latent_maps
from codec.packing import TokenBatch, pack
from codec.predictor import Predictor
from codec.tokens import Tokens

ROUNDS = {"iterative_2": 2, "iterative_4": 4, "iterative_8": 8}
SHRUNK = ("shrunk", "copy_or_expected")
MEANS = ("expected", *SHRUNK)
ASKS = ("argmax", *MEANS, *ROUNDS)
SHRINK = 0.6  # on training photographs 0.5 and 0.75 beat 1 at 5, 20 and 50 % loss with the decoder of compact-2
METHODS = ("none", "zero", "copy_previous", "neighbour_mean", *ASKS)
LOOKS_BACK = ("copy_previous", *ASKS)


@dataclass(frozen=True)
class Concealer:
    """What guesses: the masked transformer and the codebooks.

    Attributes:
        predictor: The masked transformer.
        codebook: float32 [L, K, D].
        coarse: Coarse codebooks of K/2, K/4, ... codewords.
        keys: `Predictor.keys` of each level, if predictor and codebook change no more; else they are made anew.
    """

    predictor: Predictor
    codebook: Tensor
    coarse: Sequence[SubCodebook] = ()
    keys: Sequence[Tensor] | None = None

    def fill(self, batch: Sequence[Tokens], method: str, before: Sequence[Concealed | None] = ()) -> list[Concealed]:
        """Fill the holes of pictures.

        Args:
            batch: Tokens of one or more pictures, any grids.
            method: One of `METHODS`.
            before: The frame before each picture, concealed; None (or none at all) where there is none.

        Raises:
            RequestError: If the method is unknown.
        """
        if method not in METHODS:
            raise RequestError("conceal", "unknown method", method, f"Available: {', '.join(METHODS)}")
        before = before or [None] * len(batch)
        if method not in ASKS:
            return [self._simply(tokens, method, last) for tokens, last in zip(batch, before, strict=True)]
        if len({tokens.grid for tokens in batch}) > 1:
            return [self.fill([tokens], method, [last])[0] for tokens, last in zip(batch, before, strict=True)]
        # Whole pictures need no transformer, and would only lengthen its padding.
        holed = [row for row, tokens in enumerate(batch) if not tokens.known.all()]
        guessed = iter(self._guessed([batch[i] for i in holed], method, [before[i] for i in holed]) if holed else ())
        whole = partial(self._simply, method="zero", last=None)
        return [next(guessed) if not tokens.known.all() else whole(tokens) for tokens in batch]

    def _simply(self, tokens: Tokens, method: str, last: Concealed | None) -> Concealed:
        table, books = self.codebook.cpu(), [SubCodebook(*(part.cpu() for part in book)) for book in self.coarse]
        if method == "copy_previous":
            return copy_previous(tokens, last, table, books)
        make = neighbour_mean if method == "neighbour_mean" else as_received
        return finish(tokens, make(tokens, table, books), table, books, method == "none")

    @torch.no_grad()
    def _guessed(self, batch: Sequence[Tokens], method: str, before: Sequence[Concealed | None]) -> list[Concealed]:
        """One round for all holes, or several in which the surest of them become context for the others."""
        packed, seen = pack(batch, self.codebook, self.coarse), frames_before(before, self.codebook)
        holes, rounds = ~packed.known & packed.counted, ROUNDS.get(method, 1)
        code, confidence = packed.code * packed.known[..., None], packed.known.float()
        index = torch.zeros_like(packed.level)
        for number in range(rounds):
            guess = self._guess(packed, seen, method)
            share = 1 - math.cos(math.pi / 2 * (number + 1) / rounds)
            at = surest(holes, ~packed.known & packed.counted, guess.top, share)
            code[at], confidence[at], index[at] = guess.code[at], guess.confidence[at], guess.index[at]
            known = packed.known | at  # new tensors: the old ones may be remembered as a question with its answer
            packed = replace(packed, code=torch.where(at[..., None], code, packed.code), known=known)
        return _unpack(batch, code, confidence, index)

    def _guess(self, packed: TokenBatch, seen: Tensor | None, method: str) -> "Guess":
        """What the transformer makes of the holes: the mean of the distribution, or its most probable codeword."""
        guess, settles = Guess.empty(packed.code), method == "copy_or_expected"
        hints = hints_of(packed, seen) if settles and seen is not None else None
        for at, probability, codewords in self.distributions(packed, seen):
            code, confidence = estimate(probability, codewords, mean=method in MEANS)
            if method in SHRUNK:
                code, confidence = SHRINK * code, SHRINK * confidence
            if hints is not None:
                code, confidence = hints.settle(code, confidence, at)
            guess.code[at], guess.confidence[at] = code, confidence
            guess.top[at], guess.index[at] = probability.max(-1)
        return guess

    def distributions(self, packed: TokenBatch, seen: Tensor | None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Distributions of the holes, by level and codebook.

        Args:
            packed: Tokens with holes.
            seen: The frames before, see `frames_before`.

        Yields:
            at: bool [B, N], the holes of one level and codebook; probability: [M, K'] of them in
            raster order; codewords: [K', D].
        """
        holes, hints = ~packed.known & packed.counted, None if seen is None else hints_of(packed, seen)
        hidden = self.predictor(packed.code, packed.known, packed.level, packed.position, packed.real, seen, holes)
        for level in packed.level[holes].unique().tolist():
            for number in packed.book[holes & (packed.level == level)].unique().tolist():
                at, codewords = holes & (packed.level == level) & (packed.book == number), self.codebook[level]
                keys = self.predictor.keys(codewords) if self.keys is None else self.keys[level]
                probability = self.predictor.logits(hidden[at], keys, level).float().softmax(-1)
                if number:  # a sub-codeword is as probable as its members together
                    codewords, member = self.coarse[number - 1]
                    probability = probability.new_zeros(len(probability), len(codewords)).index_add_(
                        1, member, probability
                    )
                if hints is not None:
                    logits = probability.clamp_min(1e-12).log()
                    probability = self.predictor.copying(logits, codewords, hints, at).softmax(-1)
                yield at, probability, codewords


def estimate(probability: Tensor, codewords: Tensor, mean: bool = True) -> tuple[Tensor, Tensor]:
    """Codeword [M, D] and confidence [M] of distributions [M, K'] over codewords [K', D]; gradients flow through.

    The codeword is the mean, or the most probable one; confidence its expected cosine to the true one.
    """
    with torch.autocast(probability.device.type, enabled=False):  # in training: a mean of many needs all its digits
        code = probability @ codewords if mean else codewords[probability.argmax(-1)]
        cosine = (F.normalize(code, dim=-1) * (probability @ F.normalize(codewords, dim=-1))).sum(-1)
    return code, cosine.clamp(0, 1)


@dataclass(frozen=True)
class Guess:
    """Guesses for the holes of a batch: code [B, N, D]; confidence, index and top probability [B, N]."""

    code: Tensor
    confidence: Tensor
    index: Tensor
    top: Tensor

    @classmethod
    def empty(cls, like: Tensor) -> "Guess":
        """Room for a batch of codewords [B, N, D]."""
        flat = like.new_zeros(like.shape[:2])
        return cls(torch.zeros_like(like), flat, flat.long(), flat.clone())


def surest(holes: Tensor, left: Tensor, top: Tensor, share: float) -> Tensor:
    """The surest of what is left, so that in each row `share` of all holes is filled; bool [B, N] all of them."""
    wanted = (holes.sum(1) * share).ceil().long() - (holes & ~left).sum(1)
    order = torch.where(left, top, -1.0).argsort(dim=1, descending=True, stable=True)
    place = torch.empty_like(order).scatter_(
        1, order, torch.arange(order.shape[1], device=order.device).expand_as(order)
    )
    return left & (place < wanted[:, None])


def frame_after_frame(
    films: Sequence[Sequence[Tokens]],
    fill: Callable[[Sequence[Tokens], Sequence[Concealed | None]], list[Concealed]],
) -> list[list[Concealed]]:
    """Fill the holes of films of one length, each frame looking back at the one before it; the films side by side.

    Args:
        films: Frames in display order.
        fill: Of one frame of each film, and the frame before of each as it was filled, None where there is none.
    """
    done: list[list[Concealed]] = [[] for _ in films]
    for frames in zip(*films, strict=True):
        before = [film[-1] if film else None for film in done]
        for film, filled in zip(done, fill(frames, before), strict=True):
            film.append(filled)
    return done


def frames_before(before: Sequence[Concealed | None], codebook: Tensor) -> Tensor | None:
    """What the predictor sees of the frames before (of one grid): [B, C, h, w], or None if there are none."""
    rows = [row for row, last in enumerate(before) if last is not None]
    if not rows:
        return None
    maps = condition(latent_maps([last for last in before if last is not None], codebook.shape[-1]), 0)
    seen = maps.new_zeros(len(before), *maps.shape[1:])
    seen[rows] = maps
    return seen.to(codebook.device)


def _unpack(batch: Sequence[Tokens], code: Tensor, confidence: Tensor, index: Tensor) -> list[Concealed]:
    results, (indices, codes, sure) = [], (t.cpu().numpy() for t in (index, code, confidence))
    for row, tokens in enumerate(batch):
        n = len(tokens.level)
        guess = np.where(tokens.known, tokens.index, indices[row, :n]).astype(np.int32)
        results.append(Concealed(replace(tokens, index=guess), codes[row, :n], sure[row, :n]))
    return results
