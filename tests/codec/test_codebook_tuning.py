"""Smaller codebooks follow what is seen: better on held-out photographs, or left as they were."""

import numpy as np
import pytest
import torch

from codec.codebook import cluster
from codec.errors import RequestError
from codec.training import codebook_tuning
from codec.training.codebook_tuning import TuningRecipe, View, all_coarse, better, tuned
from tests.codec.tiny import photograph, tiny_codec

PHOTOGRAPHS = [photograph(64, 64, seed) for seed in range(4)]
RECIPE = TuningRecipe(steps=30, size=32, batch=2, rate=0.05, judged=4)
CODEC = tiny_codec()
VIEW = View(CODEC.encoder, CODEC.decoder, None, 1.0)
WORDS = [cluster(CODEC.quantizer.codebook[0], torch.ones(16), size).codewords for size in (8, 4)]


def held_out_loss(codewords: torch.Tensor) -> float:
    crops, _ = codebook_tuning.batch(PHOTOGRAPHS[::8], RECIPE.size, RECIPE.judged, RECIPE.seed, RECIPE.steps)
    return float(VIEW.loss(crops, codewords).detach())


def test_tuned_codewords_are_better_on_photographs_no_step_has_seen() -> None:
    found = tuned(WORDS, PHOTOGRAPHS, VIEW, RECIPE)
    assert [len(codewords) for codewords in found] == [8, 4]
    for before, after in zip(WORDS, found, strict=True):
        assert held_out_loss(after) < held_out_loss(before)
        assert (after.norm(dim=1) <= 1 + 1e-6).all() and not after.requires_grad


def test_networks_rest() -> None:
    parameters = [*CODEC.encoder.parameters(), *CODEC.decoder.parameters()]
    before = [p.clone() for p in parameters]
    tuned(WORDS, PHOTOGRAPHS, VIEW, RECIPE)
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(before, parameters, strict=True))


def test_a_worse_codebook_is_not_kept(capsys: pytest.CaptureFixture[str]) -> None:
    worse = [torch.zeros_like(WORDS[0]), WORDS[1]]
    order = sorted([WORDS[0], worse[0]], key=held_out_loss)
    kept = better([order[0], WORDS[1]], [order[1], worse[1]], PHOTOGRAPHS[:1], VIEW, RECIPE)
    assert kept[0] is order[0] and kept[1] is WORDS[1]
    assert capsys.readouterr().out.startswith("8 codewords: loss")


def test_all_coarse_maps_are_those_of_tokens() -> None:
    tokens = CODEC.encode(PHOTOGRAPHS[0])
    filled = CODEC.conceal([tokens], "zero")
    code = torch.from_numpy(filled[0].code.reshape(1, 4, 4, -1)).permute(0, 3, 1, 2)
    made = ((CODEC.decoder(all_coarse(code)).clamp(-1, 1) + 1) * 127.5).round().byte()[0].permute(1, 2, 0)
    assert np.array_equal(made.numpy(), CODEC.decode(filled, (64, 64))[0])


def test_one_photograph_is_too_few() -> None:
    with pytest.raises(RequestError, match="two photographs at least"):
        tuned(WORDS, PHOTOGRAPHS[:1], VIEW, RECIPE)
