"""Shapes and promises of the networks, on tiny sizes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from codec.decoder import Decoder
from codec.encoder import Encoder
from codec.latents import LatentMaps
from codec.layers import Conv3, channel_norm, channels_last, freeze
from codec.packing import alike, pack
from codec.precision import multiplies_bf16
from codec.predictor import Predictor
from codec.quantizer import Quantizer
from codec.tokens import Tokens
from tests.codec.made import any_tokens
from tests.codec.tiny import TINY, photograph, tiny_codec


def test_encoder_gives_unit_vectors_on_three_grids() -> None:
    features = Encoder(TINY)(torch.randn(2, 3, 48, 32))
    assert [tuple(z.shape) for z in features] == [(2, 4, 3, 2), (2, 4, 6, 4), (2, 4, 12, 8)]
    for z in features:
        assert torch.allclose(z.norm(dim=1), torch.ones(()), atol=1e-5)


def test_a_channel_norm_gives_every_place_the_same_strength() -> None:
    x = torch.randn(2, 8, 3, 5) * torch.rand(2, 1, 3, 5) * 100
    assert torch.allclose(channel_norm(x).square().mean(1), torch.ones(2, 3, 5), atol=1e-4)


def test_features_do_not_see_how_strong_the_stage_before_is() -> None:
    """What has no influence on the loss cannot be relied on to stay small."""
    torch.manual_seed(0)
    encoder, x = Encoder(TINY), torch.randn(1, 3, 32, 32)
    before = encoder(x)
    with torch.no_grad():
        for down in (encoder.down_medium, encoder.down_coarse):
            down.weight *= 30
            down.bias *= 30
    after = encoder(x)
    assert all(torch.allclose(a, b, atol=1e-3) for a, b in zip(before, after, strict=True))


def test_the_nearest_codeword_of_a_codeword_is_itself() -> None:
    quantizer = Quantizer(TINY)
    index = torch.arange(16).view(1, 4, 4)
    for level in range(3):
        assert torch.equal(quantizer.nearest(level, quantizer.lookup(level, index)), index)


def test_nearest_equals_a_slow_search() -> None:
    quantizer = Quantizer(TINY)
    z = torch.nn.functional.normalize(torch.randn(1, 4, 3, 5), dim=1)
    slow = [
        [int((z[0, :, y, x] - quantizer.codebook[1]).square().sum(-1).argmin()) for x in range(5)] for y in range(3)
    ]
    assert quantizer.nearest(1, z)[0].tolist() == slow


def test_decoder_doubles_back_to_the_picture_size() -> None:
    grids = [(2, 3, 2), (2, 6, 4), (2, 12, 8)]
    ones = [torch.ones(b, 1, h, w) for b, h, w in grids]
    maps = LatentMaps([torch.randn(b, 4, h, w) for b, h, w in grids], ones, ones)
    assert Decoder(TINY)(maps).shape == (2, 3, 48, 32)


def test_decoder_at_birth_already_hears_confidence_through_its_condition() -> None:
    grids = [(1, 2, 2), (1, 4, 4), (1, 8, 8)]
    code = [torch.randn(b, 4, h, w) for b, h, w in grids]
    ones, zeros = ([torch.full((b, 1, h, w), v) for b, h, w in grids] for v in (1.0, 0.0))
    decoder = Decoder(TINY)
    sure, unsure = (decoder(LatentMaps(code, ones, c)) for c in (ones, zeros))
    assert (sure - unsure).abs().max() > 0


def test_padding_of_a_batch_does_not_change_the_prediction() -> None:
    codec = tiny_codec()
    small = codec.encode(photograph(48, 48), ratios=(0.2, 0.3, 0.5))
    large = codec.encode(photograph(64, 64), ratios=(0.5, 0.3, 0.2))
    codebook = codec.quantizer.codebook
    alone, together = pack([small], codebook), pack([small, large], codebook)
    predictor = codec.predictor
    with torch.no_grad():
        a = predictor(alone.code, alone.known, alone.level, alone.position, alone.real)
        b = predictor(together.code, together.known, together.level, together.position, together.real)
    np.testing.assert_allclose(a[0].numpy(), b[0, : len(small.level)].numpy(), atol=1e-4)


@given(st.lists(any_tokens, min_size=1, max_size=8))
def test_rows_that_are_alike_are_at_most_twice_as_long_as_each_other(batch: list[Tokens]) -> None:
    groups = alike(batch)
    assert sorted(row for rows in groups for row in rows) == list(range(len(batch)))
    for rows in groups:
        lengths = [len(batch[row]) for row in rows]
        assert max(lengths) < 2 * min(lengths)
        assert rows == sorted(rows)


def test_rotary_positions_are_relative() -> None:
    """Moving the whole picture by some blocks changes nothing."""
    torch.manual_seed(3)
    predictor = Predictor(TINY)
    for layer in predictor.layers:  # zero at birth; wake them up
        torch.nn.init.normal_(layer.out.weight, std=0.2)
    code, known = torch.randn(1, 6, 4), torch.tensor([[True, True, False, True, False, True]])
    level, position = torch.zeros(1, 6, dtype=torch.int64), torch.rand(1, 6, 2) * 8
    with torch.no_grad():
        here = predictor(code, known, level, position, None)
        there = predictor(code, known, level, position + torch.tensor([5.0, -3.0]), None)
        mixed = predictor(code, known, level, position.flip(1), None)
    assert torch.allclose(here, there, atol=1e-4)
    assert (here - mixed).abs().max() > 1e-3


def test_a_hole_hides_its_codeword_from_the_predictor() -> None:
    predictor = Predictor(TINY)
    code, known = torch.randn(1, 4, 4), torch.tensor([[True, False, True, True]])
    other = code.clone()
    other[0, 1] += 1
    level, position = torch.zeros(1, 4, dtype=torch.int64), torch.rand(1, 4, 2)
    assert torch.equal(*(predictor(c, known, level, position, None) for c in (code, other)))


@pytest.mark.parametrize("count", [1, 5])
def test_logits_span_the_codebook_whatever_its_size(count: int) -> None:
    predictor = Predictor(TINY)
    assert predictor.logits(torch.randn(count, 32), predictor.keys(torch.randn(16, 4)), 0).shape == (count, 16)


def test_a_layer_that_answers_for_some_tokens_says_what_it_says_for_all() -> None:
    torch.manual_seed(4)
    predictor = Predictor(TINY)
    for layer in predictor.layers:  # zero at birth; wake them up
        torch.nn.init.normal_(layer.out.weight, std=0.2)
        torch.nn.init.normal_(layer.down.weight, std=0.2)
    code, level = torch.randn(2, 6, 4), torch.zeros(2, 6, dtype=torch.int64)
    known = torch.tensor([[True, False, False, True, True, False], [True, True, True, False, True, True]])
    real, position = torch.ones(2, 6, dtype=torch.bool), torch.rand(2, 6, 2) * 8
    real[1, 4:] = False
    with torch.no_grad():
        every = predictor(code, known, level, position, real)
        some = predictor(code, known, level, position, real, None, ~known)
    torch.testing.assert_close(some[~known], every[~known], atol=1e-5, rtol=1e-5)
    assert every[~known].abs().max() > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("stride", [1, 2])
def test_frozen_convolutions_sum_up_alike_whatever_shape_comes_next(dtype: torch.dtype, stride: int) -> None:
    if dtype == torch.bfloat16 and not multiplies_bf16(torch.device("cpu")):
        pytest.skip("this CPU does not multiply bf16")
    layer = channels_last(Conv3(32, 64, stride).to(dtype).requires_grad_(False))
    shapes = [(1, 64, 64), (1, 30, 40), (3, 30, 40)]
    pictures = [torch.randn(batch, h, w, 32).to(dtype).permute(0, 3, 1, 2) for batch, h, w in shapes]
    before = [layer(x) for x in pictures]
    freeze(layer)
    with torch.no_grad():
        for x, expected in zip([*pictures, *pictures], [*before, *before], strict=True):
            assert torch.equal(layer(x), expected)


def test_a_gradient_still_passes_through_frozen_convolutions() -> None:
    layer, x = Conv3(3, 4).requires_grad_(False), torch.randn(1, 3, 8, 8, requires_grad=True)
    freeze(layer)
    layer(x).sum().backward()
    assert x.grad is not None and x.grad.abs().max() > 0


def test_convolutions_learn_until_they_are_frozen() -> None:
    layer = Conv3(3, 4)
    layer(torch.randn(1, 3, 8, 8)).sum().backward()
    assert layer.weight.grad is not None and set(layer.state_dict()) == {"weight", "bias"}
