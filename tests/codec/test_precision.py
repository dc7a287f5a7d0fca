"""bf16 where it only paints: tokens and bits never depend on it, pictures hardly do."""

import numpy as np
import pytest
import torch
from torch import nn

from codec.errors import RequestError
from codec.evaluate_loss import drop_blocks
from codec.precision import choose_precision, lower, multiplies_bf16
from codec.tokens import Tokens
from tests.codec.tiny import photograph, tiny_codec

CPU = torch.device("cpu")
FRAME = photograph(64, 80)
RATIOS = (0.2, 0.3, 0.5)


def holed() -> Tokens:
    return drop_blocks(tiny_codec().encode(FRAME, RATIOS), 0.4, 1)


@pytest.mark.parametrize(("multiplies", "chosen"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_bf16_where_the_machine_multiplies_it(
    multiplies: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codec.precision.multiplies_bf16", lambda device: multiplies)
    assert choose_precision("auto", CPU) == chosen
    assert (choose_precision("fp32", CPU), choose_precision("bf16", CPU)) == ("fp32", "bf16")


def test_a_cpu_is_asked_for_its_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
    for has in (True, False):
        monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda has=has: has, raising=False)
        assert multiplies_bf16(CPU) is has
    monkeypatch.delattr("torch.cpu._is_avx512_bf16_supported")  # torch 2.5
    assert not multiplies_bf16(CPU)
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AMX")
    assert multiplies_bf16(CPU)


def test_another_precision_is_refused() -> None:
    with pytest.raises(RequestError, match="precision: must be auto, fp32 or bf16, got 'fp16'"):
        tiny_codec(precision="fp16")


def test_lowering_rounds_products_alone() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 3), nn.RMSNorm(3), nn.Linear(3, 3))
    lower(network, "bf16")
    assert [p.dtype for p in network.parameters()] == [torch.bfloat16] * 2 + [torch.float32] + [torch.bfloat16] * 2


def test_tokens_bytes_and_probability_models_do_not_depend_on_it() -> None:
    exact, close = tiny_codec(), tiny_codec(precision="bf16")
    tokens = exact.encode(FRAME, bpp=0.2)
    assert close.encode(FRAME, bpp=0.2) == tokens
    assert close.to_slices(tokens, 3) == exact.to_slices(tokens, 3)
    assert {p.dtype for p in (*close.encoder.parameters(), *close.predictor.parameters())} == {torch.float32}


@pytest.mark.parametrize("method", ["zero", "neighbour_mean", "expected"])
def test_pictures_hardly_depend_on_it(method: str) -> None:
    tokens = holed()
    shown = [c.decode(c.conceal([tokens], method), (64, 80)) for c in (tiny_codec(), tiny_codec(precision="bf16"))]
    difference = shown[0].astype(int) - shown[1]
    assert 0 < np.abs(difference).max() <= 4 and np.square(difference).mean() < 0.5


def test_what_is_received_reaches_the_decoder_unrounded() -> None:
    filled = tiny_codec(precision="bf16").conceal([holed()], "expected")[0]
    known = filled.tokens.known
    level, index = filled.tokens.level[known], filled.tokens.index[known]
    assert np.array_equal(filled.code[known], tiny_codec().quantizer.codebook.numpy()[level, index])
    assert filled.code.dtype == filled.confidence.dtype == np.float32


def test_it_is_on_record() -> None:
    assert [tiny_codec(precision=p).describe()["precision"] for p in ("fp32", "bf16")] == ["fp32", "bf16"]
