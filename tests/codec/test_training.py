"""Training, on tiny networks: it learns, it resumes exactly, its masks are what channels do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from codec import checkpoint
from codec.distortion import distortion
from codec.errors import CheckpointError, ImageError, RequestError
from codec.layers import Conv3
from codec.neighbour_tables import NAMES, NeighbourTables, NeighbourWeights
from codec.predictor import Predictor
from codec.rate_path import ratios_at
from codec.training.codebook_ema import CodebookEma
from codec.training.data import batch, load_photographs, painted
from codec.training.export import export_tokenizer
from codec.training.joint_samples import JointRecipe
from codec.training.losses import PatchDiscriminator, discriminator_hinge, screen
from codec.training.masks import coded_tokens, lost_blocks
from codec.training.predictor import PredictorRecipe, draw_window, step_loss, train_predictor
from codec.training.run import by_fan_in, learning_rate, set_rate
from codec.training.token_maps import TokenMaps
from codec.training.tokenizer import train_tokenizer
from codec.training.tokenizer_samples import TokenizerRecipe, sample_presence, sample_ratios
from tests.codec.tiny import TINY, photograph, tiny_tensors

RECIPE = TokenizerRecipe(
    steps=4, size=32, batch=2, quantize_from=1, adversarial_from=2, freeze_encoder_from=3, log_every=1, picture_every=4
)
SHORT = PredictorRecipe(steps=4, batch=2, window=4, mixed_window=3, mixed_share=0.5, log_every=1)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for seed in range(3):
        Image.fromarray(photograph(80, 96, seed)).save(folder / f"{seed}.png")
    return folder


def states_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_a_resumed_tokenizer_run_equals_one_without_a_pause(photographs: Path, tmp_path: Path) -> None:
    whole = train_tokenizer(photographs, tmp_path / "whole", None, RECIPE, TINY)
    half = tmp_path / "half"
    train_tokenizer(photographs, half, None, RECIPE, TINY, stop_after=2)
    resumed = train_tokenizer(photographs, half, None, RECIPE, TINY, resume=True)
    assert states_equal(whole.state_dict(), resumed.state_dict())
    steps = [line.split(",")[0] for line in (half / "log.csv").read_text().splitlines()[1:]]
    assert steps == ["1", "2", "3", "4"]


def test_a_resumed_predictor_run_equals_one_without_a_pause(photographs: Path, tmp_path: Path) -> None:
    weights = tmp_path / "tokenizer.safetensors"
    checkpoint.save(weights, "tokenizer", TINY, tiny_tensors()[0], {})
    whole = train_predictor(photographs, tmp_path / "whole", weights, SHORT)
    train_predictor(photographs, tmp_path / "half", weights, SHORT, stop_after=2)
    resumed = train_predictor(photographs, tmp_path / "half", weights, SHORT, resume=True)
    assert checkpoint.load(whole, "predictor")[2] == checkpoint.load(resumed, "predictor")[2]  # hashes


def test_a_run_from_exported_weights_begins_with_them(photographs: Path, tmp_path: Path) -> None:
    train_tokenizer(photographs, tmp_path / "first", None, RECIPE, TINY)
    exported = tmp_path / "first" / "tokenizer.safetensors"
    frozen = replace(RECIPE, steps=1, peak_rate=0.0, tune_from=9)
    again = train_tokenizer(photographs, tmp_path / "again", None, frozen, TINY, start=exported).state_dict()
    kept = checkpoint.load(exported, "tokenizer")[1]
    assert all(torch.equal(again[name], kept[name]) for name in again if name.startswith(("encoder.", "decoder.")))
    moved = (again["quantizer.codebook"] - kept["quantizer.codebook"]).abs().max()
    assert moved < 0.1, "codewords go on from where they were: no k-means from one batch"


def test_a_run_is_never_started_over_another(photographs: Path, tmp_path: Path) -> None:
    train_tokenizer(photographs, tmp_path / "run", None, replace(RECIPE, steps=1), TINY)
    with pytest.raises(CheckpointError, match="this folder holds a run.*--resume"):
        train_tokenizer(photographs, tmp_path / "run", None, RECIPE, TINY)


def test_a_run_of_other_networks_is_named(photographs: Path, tmp_path: Path) -> None:
    train_tokenizer(photographs, tmp_path / "run", None, replace(RECIPE, steps=1), TINY)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt.*other networks.*Resume it with the version"):
        train_tokenizer(photographs, tmp_path / "run", None, RECIPE, replace(TINY, coarse_hidden=4), resume=True)


def test_the_terminal_says_how_long_it_will_take(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_tokenizer(photographs, tmp_path / "run", None, RECIPE, TINY)
    assert capsys.readouterr().out.count("of 4 steps, about 0 min left") == 4


@pytest.mark.parametrize("kind", [TokenizerRecipe, PredictorRecipe, JointRecipe])
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_shares_and_weights_of_a_recipe_are_checked(kind: type, value: float) -> None:
    share = "temporal_share" if kind is not TokenizerRecipe else "painted_share"
    with pytest.raises(RequestError, match=f"{share} is a share, from 0 to 1, got {value}"):
        kind(**{share: value})
    weight = "vector_weight" if kind is PredictorRecipe else "screen_weight"
    if value != 1.5:
        with pytest.raises(RequestError, match=f"{weight} is at least 0"):
            kind(**{weight: value})


def test_the_encoder_rests_once_frozen(photographs: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, freeze_encoder_from=2)
    train_tokenizer(photographs, tmp_path / "run", None, recipe, TINY, stop_after=3)
    third = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["model"]
    train_tokenizer(photographs, tmp_path / "run", None, recipe, TINY, resume=True)
    fourth = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["model"]
    fixed = [n for n in third if n.startswith(("encoder.", "quantizer."))]
    assert all(torch.equal(third[n], fourth[n]) for n in fixed)
    assert not all(torch.equal(third[n], fourth[n]) for n in third if n.startswith("decoder."))


def test_exported_weights_hold_histograms_in_which_no_codeword_is_impossible(photographs: Path, tmp_path: Path) -> None:
    tensors = {n: t for n, t in tiny_tensors()[0].items() if n != "histogram"}
    path = tmp_path / "tokenizer.safetensors"
    export_tokenizer(path, tensors, TINY, load_photographs(photographs, 32), steps=7)
    _, loaded, _ = checkpoint.load(path, "tokenizer")
    assert loaded["histogram"].shape == (3, 16) and int(loaded["histogram"].min()) >= 1
    blocks = 3 * (80 // 16) * (96 // 16)
    assert loaded["coarse_codewords"].shape == (8, 4) and int(loaded["coarse_histogram"].sum()) == 8 + blocks
    assert int(loaded["histogram"][0].sum()) == 16 + blocks  # coarse tokens are counted over whole pictures
    weights = NeighbourWeights(*(loaded[name].numpy() for name in NAMES))
    NeighbourTables(weights, 16, [8])  # or it raises


def test_a_batch_is_a_pure_function_of_seed_and_step(photographs: Path) -> None:
    pictures = load_photographs(photographs, 32)
    a, b, c = (batch(pictures, 32, 4, 1, step)[0] for step in (5, 5, 6))
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_a_painted_crop_differs_in_one_box_of_one_colour() -> None:
    crop = photograph(64, 64)
    for seed in range(20):
        shown = painted(crop, np.random.default_rng(seed))
        rows, cols = np.nonzero((shown != crop).any(-1))
        if len(rows):
            box = shown[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
            assert len(np.unique(box.reshape(-1, 3), axis=0)) == 1
    assert len({painted(crop, np.random.default_rng(seed)).tobytes() for seed in range(20)}) > 15


def test_a_share_of_the_crops_is_painted(photographs: Path) -> None:
    pictures = load_photographs(photographs, 32)
    none, some, all_ = (batch(pictures, 32, 64, 1, 5, share)[0] for share in (0.0, 0.3, 1.0))
    differ = [(a != b).any((1, 2, 3)).mean() for a, b in ((none, some), (none, all_))]
    assert 0.1 < differ[0] < 0.5 < 0.8 < differ[1]


def test_coarse_and_mixed_crops_have_shares_of_losses_of_their_own() -> None:
    crops = np.stack([photograph(64, 64, seed) for seed in range(40)])
    recipe = replace(RECIPE, coarse_share=0.5, drop_share=0.0, coarse_drop_share=1.0)
    present, lost = sample_presence(crops, np.random.default_rng(0), recipe)
    coarse = present[0].flatten(1).all(1)
    assert 0.2 < coarse.float().mean() < 0.8
    assert not lost[~coarse].any() and lost[coarse].flatten(1).any(1).float().mean() > 0.8


def test_mixtures_are_mostly_those_of_a_rate() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([sample_ratios(rng, 0.25) for _ in range(800)])
    assert 0.2 < (drawn[:, 2] == 1).mean() < 0.3 and np.allclose(drawn.sum(1), 1)
    ways = np.array([ratios_at(way) for way in np.linspace(0, 1, 1001)])
    near = [np.abs(ways - one).sum(1).min() < 0.01 for one in drawn]
    assert 0.75 < np.mean(near) < 0.95


def test_wide_layers_learn_more_slowly() -> None:
    network = torch.nn.ModuleList([Conv3(96, 8), Conv3(320, 8), torch.nn.Linear(320, 8)])
    optimizer = torch.optim.AdamW(by_fan_in(network))
    set_rate(optimizer, 0.5)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert [rates[id(layer.weight)] for layer in network] == pytest.approx([0.5, 0.5 * 96 / 320, 0.5])
    assert all(rates[id(layer.bias)] == 0.5 for layer in network) and len(rates) == 6
    plain = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))])
    set_rate(plain, 0.25)
    assert plain.param_groups[0]["lr"] == 0.25


def test_a_folder_without_photographs_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no PNG, JPEG or WebP"):
        load_photographs(tmp_path, 32)


def test_losses_cover_five_to_hundred_percent() -> None:
    rng = np.random.default_rng(0)
    shares = np.array([lost_blocks((16, 16), rng).mean() for _ in range(500)])
    assert shares.min() < 0.1 and (shares == 1).any() and 0.3 < shares.mean() < 0.6


def test_a_coder_knows_from_nothing_to_nearly_all_and_always_asks() -> None:
    rng = np.random.default_rng(0)
    drawn = [coded_tokens(200, rng) for _ in range(400)]
    shares = [coded.mean() for coded, _ in drawn]
    assert min(shares) < 0.01 and 0.9 < max(shares) < 1
    assert all(asked.any() and not (coded & asked).any() for coded, asked in drawn)
    assert any((coded | asked).mean() < 0.3 for coded, asked in drawn)  # other slices are absent


def test_tokens_that_a_coder_lacks_keep_their_level_and_every_level_learns() -> None:
    rng = np.random.default_rng(0)
    index = [rng.integers(0, TINY.codes, (6 << level, 6 << level)) for level in range(3)]
    maps = TokenMaps([m.astype(np.int16) for m in index], *(rng.random((n, n)).astype(np.float32) for n in (6, 12)))
    recipe = replace(SHORT, coding_share=1.0)
    windows = [draw_window(maps, None, 4, True, recipe, rng) for _ in range(8)]
    missing = np.concatenate([window.tokens.level[window.asked] for window in windows])
    assert set(missing.tolist()) == {0, 1, 2}
    predictor = Predictor(TINY)
    loss, _, _ = step_loss(predictor, torch.randn(3, TINY.codes, TINY.code_dim), windows, 0.5)
    loss.backward()
    assert predictor.bias.grad is not None and (predictor.bias.grad.abs().sum(1) > 0).all()


def test_kmeans_puts_codewords_on_the_clusters_and_restart_revives_dead_ones() -> None:
    torch.manual_seed(0)
    centres = torch.nn.functional.normalize(torch.randn(16, 4), dim=-1)
    z = torch.nn.functional.normalize(centres.repeat(50, 1) + 0.01 * torch.randn(800, 4), dim=-1)
    ema, codebook = CodebookEma(TINY.codes, TINY.code_dim), torch.zeros(16, 4)
    ema.kmeans(0, z, codebook)
    assert float((z @ codebook.T).amax(1).mean()) > 0.97
    codebook[3] = -centres.mean(0)
    ema.count[0, 3] = 0
    ema.update(0, z, (z @ codebook.T).argmax(-1), codebook, step=50)
    assert float((codebook[3] @ z.T).max()) > 0.999


def test_even_use_of_all_codes_is_full_perplexity() -> None:
    ema = CodebookEma(TINY.codes, TINY.code_dim)
    ema.usage.fill_(0.1)
    assert ema.perplexity() == pytest.approx([16, 16, 16])


def test_distortion_is_zero_for_equal_pictures_and_hinge_for_a_sure_critic() -> None:
    x = torch.randn(1, 3, 32, 32)
    assert float(distortion(x, x)) == 0
    assert float(distortion(x, x + 1)) == pytest.approx(1)  # a constant offset has no gradients
    assert float(discriminator_hinge(torch.tensor([2.0]), torch.tensor([-2.0]))) == 0
    assert PatchDiscriminator(8)(torch.randn(1, 3, 64, 64)).shape == (1, 1, 4, 4)


def test_a_screen_is_what_repeats_with_the_grid_and_nothing_else() -> None:
    dots = torch.zeros(1, 3, 128, 128)
    dots[..., ::4, ::4] = 1
    energy = float((dots - dots.mean()).square().mean())
    assert float(screen(dots)) == pytest.approx(3 * energy)  # it repeats every 4 pixels, and so every 8 and 16
    assert float(screen(dots.roll((1, 2), (2, 3)))) == pytest.approx(3 * energy)
    noise = torch.randn(4, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    assert float(screen(noise)) < 0.06 * float(noise.square().mean())
    steps = torch.arange(4.0).repeat_interleave(32)[:, None].expand(1, 3, 128, 128)
    assert float(screen(steps)) == 0  # nothing repeats within a window of 32
    assert float(screen(dots[..., :32, :32])) == pytest.approx(energy)


def test_the_learning_rate_warms_up_and_ends_at_a_twentieth() -> None:
    assert learning_rate(0, 1000, 1.0) == pytest.approx(0.01)
    assert learning_rate(100, 1000, 1.0) == pytest.approx(1.0)
    assert learning_rate(1000, 1000, 1.0) == pytest.approx(0.05)
