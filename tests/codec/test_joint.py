"""Decoder and predictor trained together: the gradient reaches the guess, the maps are those of inference."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from codec import checkpoint
from codec.errors import RequestError
from codec.latents import latent_maps
from codec.model import Codec
from codec.predictor import Predictor
from codec.tokens import with_lost_blocks
from codec.training.joint import JointTraining, train_joint
from codec.training.joint_samples import JointRecipe, Sample, draw
from codec.training.networks import load_predictor
from tests.codec.tiny import TINY, photograph, tiny_tensors

RECIPE = JointRecipe(steps=4, batch=3, size=48, other_share=0.0, painted_share=0.0, log_every=1, picture_every=4)
PHOTOGRAPHS = [photograph(96, 112, seed) for seed in range(3)]


def training(recipe: JointRecipe = RECIPE) -> JointTraining:
    tokenizer, tensors = tiny_tensors()
    predictor = Predictor(TINY)
    predictor.load_state_dict(tensors)
    for layer in (predictor.before.look_on, *(part.out for part in predictor.layers)):
        torch.nn.init.normal_(layer.weight, std=0.1)  # zero at birth: nothing would flow through them yet
    return JointTraining(recipe, TINY, tokenizer, predictor, None)


def holed_step(recipe: JointRecipe, temporal: bool) -> int:
    """A step in which something is lost."""
    recipe = replace(recipe, temporal_share=float(temporal))
    return next(step for step in range(50) if draw(PHOTOGRAPHS, [], recipe, step).lost.any())


@pytest.mark.parametrize("ratios", [None, [(0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 1.0)]])
@pytest.mark.parametrize("temporal", [False, True])
def test_the_maps_are_those_of_inference(temporal: bool, ratios: list[tuple[float, float, float]] | None) -> None:
    made, recipe = training(), replace(RECIPE, batch=4, temporal_share=float(temporal), guessed_share=1.0)
    sample = draw(PHOTOGRAPHS, [], recipe, holed_step(recipe, temporal))
    if ratios is not None:  # rows of unlike length, and a whole one among them
        sample = replace(sample, ratios=ratios, lost=np.tile([[1], [1], [0], [1]], 9) * np.arange(9) % 2 == 1)
    maps, _ = made.filling.fill(sample)
    sent, _ = made.filling.tokens(made.filling.features(sample.crops), sample.crops, sample.ratios)
    received = [with_lost_blocks(tokens, lost) for tokens, lost in zip(sent, sample.lost, strict=True)]
    filled = made.filling.concealer.fill(received, "expected", made.filling._before(sample))
    wanted = latent_maps(filled, TINY.code_dim)
    for name in ("code", "present", "confidence"):
        for ours, theirs in zip(getattr(maps, name), getattr(wanted, name), strict=True):
            assert torch.allclose(ours, theirs, atol=1e-5), name


def test_the_gradient_of_the_picture_alone_reaches_the_predictor() -> None:
    made, recipe = training(), replace(RECIPE, temporal_share=1.0)
    maps, _ = made.filling.fill(draw(PHOTOGRAPHS, [], recipe, holed_step(recipe, True)))
    made.model["decoder"](maps).square().mean().backward()
    predictor = made.model["predictor"]
    for name in ("query.weight", "embed_hole", "before.look_on.weight"):
        assert predictor.get_parameter(name).grad.abs().max() > 0, name


def test_steps_teach_both_networks_and_leave_the_front_as_it_was() -> None:
    made, recipe = training(replace(RECIPE, steps=60, decoder_rate=3e-3, predictor_rate=3e-3)), RECIPE
    front = [t.clone() for t in (*made.tokenizer.encoder.parameters(), made.tokenizer.quantizer.codebook)]
    sample = draw(PHOTOGRAPHS, [], recipe, holed_step(recipe, False))
    losses = [made.step(step, sample)[0] for step in range(40)]
    assert losses[-1]["loss"] < 0.9 * losses[0]["loss"] and losses[-1]["entropy"] < losses[0]["entropy"]
    assert all(
        torch.equal(a, b)
        for a, b in zip(front, (*made.tokenizer.encoder.parameters(), made.tokenizer.quantizer.codebook), strict=True)
    )
    assert set(made.lossless_gains(sample.crops, sample.ratios)) == {"lossless_gain_db"}


def test_a_predictor_of_rate_0_rests() -> None:
    made = training(replace(RECIPE, predictor_rate=0.0))
    before = {name: t.clone() for name, t in made.model.state_dict().items()}
    values, _ = made.step(1, draw(PHOTOGRAPHS, [], RECIPE, holed_step(RECIPE, False)))
    changed = {n.split(".")[0] for n, t in made.model.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == {"decoder"} and values["grad_predictor"] == 0 and values["entropy"] > 0


def test_a_coarse_stage_that_learns_moves_no_finer_token_and_its_codebook_follows() -> None:
    made = training(replace(RECIPE, encoder_rate=3e-3, surprise_weight=0.1))
    before = {
        name: t.clone()
        for name, t in (made.tokenizer.encoder.state_dict() | made.tokenizer.quantizer.state_dict()).items()
    }
    sample = draw(PHOTOGRAPHS, [], RECIPE, holed_step(RECIPE, False))
    first = made.filling.features(sample.crops)
    for step in range(20):
        values, _ = made.step(step, sample)
    changed = {
        n
        for n, t in (made.tokenizer.encoder.state_dict() | made.tokenizer.quantizer.state_dict()).items()
        if not torch.equal(t, before[n])
    }
    assert {name.split(".")[0] for name in changed} == {"down_coarse", "stage_coarse", "heads", "codebook"}
    assert torch.equal(made.tokenizer.quantizer.codebook[1:], before["codebook"][1:])
    assert not torch.equal(made.tokenizer.quantizer.codebook[0], before["codebook"][0])
    now = made.filling.features(sample.crops)
    assert [torch.equal(a, b) for a, b in zip(first, now, strict=True)] == [False, True, True]
    assert values["commitment"] > 0 and values["surprise"] > 0 and values["grad_coarse_stage"] > 0


def test_the_picture_teaches_the_coarse_stage_through_what_came_and_through_the_guess() -> None:
    made = training(replace(RECIPE, encoder_rate=1e-3, coarse_share=1.0))
    sample = draw(PHOTOGRAPHS, [], made.recipe, holed_step(made.recipe, False))
    for everything_lost, reaches in ((False, True), (True, False)):
        lost = (
            np.ones_like(sample.lost)
            if everything_lost
            else np.arange(sample.lost.size).reshape(sample.lost.shape) % 2 == 0
        )
        maps, _ = made.filling.fill(replace(sample, lost=lost))
        made.tokenizer.encoder.zero_grad()
        maps.code[0].square().sum().backward()
        gradient = made.tokenizer.encoder.heads[0].weight.grad
        assert (gradient is not None and bool(gradient.abs().max() > 0)) == reaches
    holes = torch.from_numpy(np.arange(sample.lost.size).reshape(maps.code[0][:, 0].shape) % 2 == 0)
    maps, _ = made.filling.fill(replace(sample, lost=holes.flatten(1).numpy()))
    made.tokenizer.encoder.zero_grad()
    maps.code[0].permute(0, 2, 3, 1)[holes].square().sum().backward()
    assert made.tokenizer.encoder.heads[0].weight.grad.abs().max() > 0, "a guess depends on what came"


def test_a_coarse_stage_that_learns_is_exported_with_tables_of_its_own(tmp_path: Path) -> None:
    tokenizer, predictor = tmp_path / "tokenizer.safetensors", tmp_path / "predictor.safetensors"
    checkpoint.save(tokenizer, "tokenizer", TINY, tiny_tensors()[0], {})
    checkpoint.save(predictor, "predictor", TINY, tiny_tensors()[1], {})
    (tmp_path / "photographs").mkdir()
    for seed, photo in enumerate(PHOTOGRAPHS):
        Image.fromarray(photo).save(tmp_path / "photographs" / f"{seed}.png")
    out, _ = train_joint(
        tmp_path / "photographs", tmp_path / "run", tokenizer, predictor, replace(RECIPE, encoder_rate=3e-2)
    )
    before, after = (checkpoint.load(path, "tokenizer")[1] for path in (tokenizer, out))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.split(".")[0] for name in changed} >= {"decoder", "encoder", "quantizer", "histogram"}
    assert not [name for name in changed if name.startswith(("encoder.stem", "encoder.stage_fine", "encoder.heads.1"))]
    assert Codec.load(tmp_path / "run").encode(photograph(48, 48)).grid == (3, 3)


def test_squeeze_weighs_less_where_more_is_lost() -> None:
    recipe = replace(RECIPE, perceptual_weight=9.0, coarse_perceptual_weight=2.0, restraint=2.0)
    lost = np.arange(9) < np.array([[0], [9], [3]])
    ratios = [(0.0, 0.0, 1.0), (0.0, 0.0, 1.0), (0.2, 0.8, 0.0)]
    sample = Sample(np.zeros((3, 48, 48, 3), np.uint8), None, ratios, lost, lost, "expected")
    weights = training(recipe)._perceptual_weights(sample)
    assert weights.tolist() == pytest.approx([2.0, 0.0, 9.0 * (2 / 3) ** 2])


def test_squared_errors_may_weigh_more_where_blocks_are_lost() -> None:
    lost = np.arange(9) < np.array([[0], [9], [1]])
    sample = Sample(np.zeros((3, 48, 48, 3), np.uint8), None, [(0.0, 0.0, 1.0)] * 3, lost, lost, "expected")
    for recipe, wanted in (
        (replace(RECIPE, squared_weight=30.0), [30.0, 30.0, 30.0]),
        (replace(RECIPE, squared_weight=10.0, holed_squared_weight=20.0), [10.0, 30.0, 30.0]),
    ):
        assert training(recipe)._squared_weights(sample).tolist() == wanted


def test_without_losses_or_with_other_methods_there_is_no_entropy() -> None:
    made = training()
    sample = draw(PHOTOGRAPHS, [], replace(RECIPE, holed_share=0.0), 1)
    assert not any(made.filling.fill(sample)[1].values())
    sample = draw(PHOTOGRAPHS, [], replace(RECIPE, other_share=1.0), holed_step(RECIPE, False))
    assert sample.method in ("zero", "neighbour_mean", "argmax") and not any(made.filling.fill(sample)[1].values())
    made.step(1, sample)


def test_samples_are_a_pure_function_of_seed_and_step() -> None:
    recipe = replace(RECIPE, temporal_share=1.0, clip_share=1.0)
    film = (photograph(64, 64, 1), photograph(64, 64, 2))
    a, b, c = (draw(PHOTOGRAPHS, [film], recipe, step) for step in (5, 5, 6))
    assert np.array_equal(a.crops, b.crops) and np.array_equal(a.lost, b.lost) and not np.array_equal(a.crops, c.crops)
    assert a.before is not None and a.before.shape == a.crops.shape == (3, 48, 48, 3)


def test_a_resumed_run_equals_one_without_a_pause_and_exports_a_codec(tmp_path: Path) -> None:
    tokenizer, predictor = tmp_path / "tokenizer.safetensors", tmp_path / "predictor.safetensors"
    checkpoint.save(tokenizer, "tokenizer", TINY, tiny_tensors()[0], {})
    checkpoint.save(predictor, "predictor", TINY, tiny_tensors()[1], {})
    for seed, photo in enumerate(PHOTOGRAPHS):
        (tmp_path / "photographs").mkdir(exist_ok=True)
        Image.fromarray(photo).save(tmp_path / "photographs" / f"{seed}.png")
    paths = (tokenizer, predictor, replace(RECIPE, other_share=0.3))
    whole = train_joint(tmp_path / "photographs", tmp_path / "whole", *paths)
    train_joint(tmp_path / "photographs", tmp_path / "half", *paths, stop_after=2)
    resumed = train_joint(tmp_path / "photographs", tmp_path / "half", *paths, resume=True)
    for a, b, network in zip(whole, resumed, ("tokenizer", "predictor"), strict=True):
        assert checkpoint.load(a, network)[2] == checkpoint.load(b, network)[2]  # hashes
    before, after = checkpoint.load(tokenizer, "tokenizer")[1], checkpoint.load(whole[0], "tokenizer")[1]
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"decoder"}
    codec = Codec.load(tmp_path / "whole")
    assert codec.decode(codec.conceal([codec.encode(photograph(48, 48))]), (48, 48)).shape == (1, 48, 48, 3)
    assert load_predictor(whole[1]) is not None


def test_impossible_numbers_are_refused() -> None:
    for wrong in ({"steps": 0}, {"batch": 0}, {"size": 40}, {"size": 16}, {"surprise_weight": 0.1}):
        with pytest.raises(RequestError, match="recipe"):
            JointRecipe(**wrong)


def test_the_anchor_is_the_drift_of_lossless_pictures_alone() -> None:
    made = training()
    whole = draw(PHOTOGRAPHS, [], replace(RECIPE, holed_share=0.0), 1)
    maps, _ = made.filling.fill(whole)
    rows = torch.tensor([True, False, True])
    assert float(made._drift(maps, made.first.decoder(maps), rows)) == 0
    assert float(made._drift(maps, made.first.decoder(maps) + 0.5, rows)) == pytest.approx(
        0.5, rel=1e-4
    )  # no gradients differ
    assert float(made._drift(maps, made.first.decoder(maps) + 0.5, ~rows & False)) == 0
    assert made.lossless_gains(whole.crops, whole.ratios)["lossless_gain_db"] == 0, "no step taken yet"
