"""Training elsewhere than on the CPU: everything is where it belongs, and the numbers are those of the CPU."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from codec import checkpoint
from codec.conceal import METHODS
from codec.errors import RequestError
from codec.model import Codec
from codec.neighbour_tables import NAMES
from codec.refine import Refinement
from codec.tokens import with_lost_blocks
from codec.training.codebook_tuning import TuningRecipe
from codec.training.copying import train_copying
from codec.training.export import train_codebooks
from codec.training.joint import train_joint
from codec.training.joint_samples import JointRecipe
from codec.training.predictor import PredictorRecipe, train_predictor
from codec.training.tokenizer import TokenizerTraining, train_tokenizer
from codec.training.tokenizer_samples import TokenizerRecipe
from tests.codec.pretend_device import ELSEWHERE, Elsewhere, PretendedDevice
from tests.codec.test_evaluate_films import write_clip
from tests.codec.tiny import TINY, photograph, tiny_tensors

TRAINERS = ("tokenizer", "predictor", "joint", "export", "copying")
TOKENIZER = TokenizerRecipe(
    steps=8, size=32, batch=4, quantize_from=1, perceptual_from=2, adversarial_from=3, freeze_encoder_from=5,
    tune_from=6, guessed_share=1.0, log_every=1, picture_every=4,
)  # fmt: skip
PREDICTOR = PredictorRecipe(steps=6, batch=3, window=4, mixed_window=3, temporal_share=0.5, log_every=1)
JOINT = JointRecipe(steps=6, batch=3, size=48, encoder_rate=1e-3, other_share=0.3, log_every=1, picture_every=3)

pytestmark = pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """The pretended device, got by `cuda`.

    Fused optimizers, autocast and `torch.tensor` know devices by name, and not this one. Tables by neighbours are
    fitted on the CPU, whatever the device.
    """
    adamw, autocast, tensor = torch.optim.AdamW, torch.autocast, torch.tensor
    monkeypatch.setattr(torch, "tensor", lambda *args, device="cpu", **kwargs: tensor(*args, **kwargs).to(device))
    monkeypatch.setattr("codec.training.export.fit_neighbours", lambda *_: {name: tensor([0]) for name in NAMES})
    monkeypatch.setattr(torch.optim, "AdamW", lambda *args, fused=None, **kwargs: adamw(*args, **kwargs))
    monkeypatch.setattr(torch, "autocast", lambda kind, **kwargs: autocast("cpu" if kind == "meta" else kind, **kwargs))
    monkeypatch.setattr("codec.training.run.multiplies_bf16", lambda device: False)
    for name in TRAINERS:
        choose = f"codec.training.{name}.choose_device"
        monkeypatch.setattr(choose, lambda name: ELSEWHERE if name == "cuda" else torch.device(name))
    with PretendedDevice():
        yield ELSEWHERE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photographs, and weights to begin from."""
    checkpoint.save(tmp_path / "tokenizer.safetensors", "tokenizer", TINY, tiny_tensors()[0], {})
    checkpoint.save(tmp_path / "predictor.safetensors", "predictor", TINY, tiny_tensors()[1], {})
    (tmp_path / "photographs").mkdir()
    for seed in range(3):
        Image.fromarray(photograph(96, 112, seed)).save(tmp_path / "photographs" / f"{seed}.png")
    return tmp_path


def test_the_pretended_device_refuses_what_a_gpu_refuses(elsewhere: torch.device) -> None:
    far, near = torch.ones(2, 3).to(elsewhere), torch.ones(2, 3)
    assert isinstance(far, Elsewhere) and isinstance(far * 2 + 1, Elsewhere) and float((far * 2).sum()) == 12
    for wrong in (lambda: far + near, lambda: near[far > 0], far.numpy):
        with pytest.raises((RuntimeError, TypeError)):
            wrong()
    assert (far + near.to(elsewhere)).cpu().numpy().tolist() == [[2, 2, 2], [2, 2, 2]]


def by_tokenizer(folder: Path, out: str, device: str, **paused: object) -> Path:
    predictor = folder / "predictor.safetensors"
    rest = {"predictor_weights": predictor, "device": device} | paused
    train_tokenizer(folder / "photographs", folder / out, None, TOKENIZER, TINY, **rest)  # type: ignore[arg-type]
    return folder / out / "tokenizer.safetensors"


def by_predictor(folder: Path, out: str, device: str, **paused: object) -> Path:
    tokenizer = folder / "tokenizer.safetensors"
    return train_predictor(folder / "photographs", folder / out, tokenizer, PREDICTOR, device=device, **paused)  # type: ignore[arg-type]


def by_joint(folder: Path, out: str, device: str, **paused: object) -> Path:
    weights = (folder / "tokenizer.safetensors", folder / "predictor.safetensors")
    return train_joint(folder / "photographs", folder / out, *weights, JOINT, device=device, **paused)[0]  # type: ignore[arg-type]


def by_codebooks(folder: Path, out: str, device: str) -> Path:
    recipe, made = TuningRecipe(steps=6, size=32, batch=2, judged=4), folder / out / "tokenizer.safetensors"
    train_codebooks(folder / "tokenizer.safetensors", folder / "photographs", made, None, recipe, device)
    return made


def by_copying(folder: Path, out: str, device: str) -> Path:
    (folder / "clips").mkdir(exist_ok=True)
    write_clip(folder / "clips" / "still.mkv", [photograph(64, 64, 1)] * 3)
    made, weights = (
        folder / out / "predictor.safetensors",
        (folder / "tokenizer.safetensors", folder / "predictor.safetensors"),
    )
    train_copying(*weights, folder / "clips", made, device=device)
    return made


@pytest.mark.parametrize("train", [by_tokenizer, by_predictor, by_joint, by_codebooks, by_copying])
def test_what_is_trained_elsewhere_equals_what_the_cpu_trains(
    train: Callable[..., Path], folder: Path, elsewhere: torch.device
) -> None:
    here, there = train(folder, "here", "cpu"), train(folder, "there", "cuda")
    alike(here, there)


@pytest.mark.parametrize(
    "train", [by_predictor, *(pytest.param(train, marks=pytest.mark.slow) for train in (by_tokenizer, by_joint))]
)
def test_a_run_begun_elsewhere_is_resumed_on_the_cpu_and_the_other_way_round(
    train: Callable[..., Path], folder: Path, elsewhere: torch.device
) -> None:
    whole = train(folder, "whole", "cpu")
    for name, first, then in (("back", "cuda", "cpu"), ("forth", "cpu", "cuda")):
        train(folder, name, first, stop_after=4)
        alike(whole, train(folder, name, then, resume=True))


def alike(here: Path, there: Path) -> None:
    """The same weights, but for the order of sums."""
    network = here.stem
    ours, theirs = (checkpoint.load(path, network)[1] for path in (here, there))
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.allclose(ours[name].float(), theirs[name].float(), rtol=0.01, atol=2e-3), name


def test_all_parts_of_a_training_are_where_it_runs(elsewhere: torch.device) -> None:
    parts = TokenizerTraining(TOKENIZER, TINY, None, None, elsewhere).parts()
    for name in ("model", "average", "critic", "ema"):
        assert all(isinstance(t, Elsewhere) for t in parts[name].state_dict().values()), name


def test_a_codec_elsewhere_sends_the_same_tokens_and_fills_and_paints_alike(
    elsewhere: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codec.model.choose_device", lambda name: ELSEWHERE if name == "cuda" else torch.device(name))
    here, there = (Codec(TINY, *tiny_tensors(), bytes(32), Path("tiny"), name, "fp32") for name in ("cpu", "cuda"))
    crop = photograph(64, 80)
    ours, theirs = (codec.encode(crop, ratios=(0.2, 0.3, 0.5)) for codec in (here, there))
    assert (ours.index == theirs.index).all()
    refined = [codec.encode(crop, ratios=(0.2, 0.3, 0.5), refinement=Refinement(2)) for codec in (here, there)]
    assert (refined[0].index == refined[1].index).mean() > 0.9, "sums in another order, and steps of gradient descent"
    lost = with_lost_blocks(ours, np.arange(20) % 3 == 0)
    for method in METHODS:
        pictures = []
        for codec in (here, there):
            before = codec.conceal([lost], "zero")
            pictures.append(codec.decode(codec.conceal([lost], method, before), (64, 80))[0].astype(int))
        assert abs(pictures[0] - pictures[1]).max() <= 1, method


@pytest.mark.parametrize("train", [by_tokenizer, by_predictor, by_joint, by_codebooks, by_copying])
def test_asking_for_a_device_that_is_not_there_is_refused_before_anything_is_written(
    train: Callable[..., Path], folder: Path
) -> None:
    with pytest.raises(RequestError, match=r"device: must be auto, cpu or cuda, got 'tpu'"):
        train(folder, "out", "tpu")
    assert not (folder / "out").exists()
