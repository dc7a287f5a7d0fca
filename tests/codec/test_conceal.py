"""Concealment: received tokens stay, every hole gets a guess."""

import numpy as np
import pytest
import torch

from codec.books import book_of
from codec.conceal import LOOKS_BACK, METHODS, ROUNDS, surest
from codec.errors import RequestError
from codec.latents import Concealed, latent_maps
from codec.packing import pack
from codec.rate_request import Packing
from codec.tokens import Tokens, block_of, with_lost_blocks
from tests.codec.tiny import TINY, photograph, tiny_codec

CODEC = tiny_codec()


def holes(ratios: tuple[float, float, float] = (0.0, 0.0, 1.0), rate: float = 0.4, seed: int = 1) -> Tokens:
    tokens = CODEC.encode(photograph(80, 96, seed), ratios=ratios)
    return with_lost_blocks(tokens, np.random.default_rng(seed).random(30) < rate)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ratios", [(0.0, 0.0, 1.0), (0.2, 0.3, 0.5)])
def test_a_received_token_is_never_changed(method: str, ratios: tuple[float, float, float]) -> None:
    tokens = holes(ratios)
    filled = CODEC.conceal([tokens], method)[0]
    known = tokens.known
    np.testing.assert_array_equal(filled.tokens.index[known], tokens.index[known])
    np.testing.assert_array_equal(filled.tokens.known, known)
    codebook = CODEC.quantizer.codebook.numpy()
    np.testing.assert_array_equal(filled.code[known], codebook[tokens.level[known], tokens.index[known]])
    assert (filled.confidence[known] == 1).all()


@pytest.mark.parametrize("method", METHODS)
def test_confidence_is_a_share_and_guesses_are_codewords_of_the_codebook(method: str) -> None:
    filled = CODEC.conceal([holes()], method)[0]
    assert ((filled.confidence >= 0) & (filled.confidence <= 1)).all()
    assert ((filled.tokens.index >= 0) & (filled.tokens.index < TINY.codes)).all()


@pytest.mark.parametrize("method", METHODS)
def test_everything_lost_and_nothing_lost_both_give_a_picture(method: str) -> None:
    for rate in (0.0, 1.1):
        filled = CODEC.conceal([holes(rate=rate)], method)
        assert CODEC.decode(filled, (80, 96)).shape == (1, 80, 96, 3)


def test_without_holes_every_method_gives_the_same_picture() -> None:
    pictures = [CODEC.decode(CODEC.conceal([holes(rate=0.0)], m), (80, 96)) for m in METHODS]
    assert all(np.array_equal(pictures[0], picture) for picture in pictures)


def test_neighbour_mean_of_one_hole_is_the_weighted_mean_of_the_eight_around() -> None:
    tokens = CODEC.encode(photograph(48, 48))
    filled = CODEC.conceal([with_lost_blocks(tokens, np.arange(9) == 4)], "neighbour_mean")[0]
    codes = CODEC.quantizer.codebook[0].numpy()[tokens.index]
    weight = np.array([0.5, 1, 0.5, 1, 0, 1, 0.5, 1, 0.5])
    np.testing.assert_allclose(filled.code[4], weight @ codes / weight.sum(), atol=1e-5)


def test_neighbour_mean_fills_holes_wider_than_one_block_from_their_rim() -> None:
    tokens = CODEC.encode(photograph(80, 80))
    lost = np.zeros((5, 5), bool)
    lost[1:4, 1:4] = True
    filled = CODEC.conceal([with_lost_blocks(tokens, lost.ravel())], "neighbour_mean")[0]
    assert (np.linalg.norm(filled.code, axis=1) > 0).all()


def test_expected_is_shorter_than_a_codeword_and_its_length_is_the_confidence() -> None:
    filled = CODEC.conceal([holes()], "expected")[0]
    lost = ~filled.tokens.known
    length = np.linalg.norm(filled.code[lost], axis=1)
    assert (length < 1).all()
    np.testing.assert_allclose(filled.confidence[lost], length, atol=1e-3)  # codewords have unit length to 1e-3


def test_shrunk_is_the_expected_codeword_with_more_doubt() -> None:
    tokens = holes()
    shrunk, expected = (CODEC.conceal([tokens], method)[0] for method in ("shrunk", "expected"))
    np.testing.assert_allclose(shrunk.code[~tokens.known], 0.6 * expected.code[~tokens.known], atol=1e-6)
    np.testing.assert_allclose(shrunk.confidence[~tokens.known], 0.6 * expected.confidence[~tokens.known], atol=1e-6)


def test_none_shows_grey_blocks_where_zero_lets_the_decoder_paint() -> None:
    tokens = CODEC.encode(photograph(48, 48))
    holed = with_lost_blocks(tokens, np.arange(9) == 4)
    grey = CODEC.decode(CODEC.conceal([holed], "none"), (48, 48))[0]
    painted = CODEC.decode(CODEC.conceal([holed], "zero"), (48, 48))[0]
    assert (grey[16:32, 16:32] == 128).all()
    assert not (painted[16:32, 16:32] == 128).all()
    np.testing.assert_array_equal(grey[:16], painted[:16])


def test_an_unknown_method_is_refused_with_the_names_of_the_others() -> None:
    with pytest.raises(RequestError, match=r"unknown method, got 'magic'. Available: none, zero"):
        CODEC.conceal([holes()], "magic")


def test_batch_and_single_give_the_same_guesses() -> None:
    batch = [holes(seed=1), holes(seed=2), holes((0.2, 0.3, 0.5), seed=3)]
    together = CODEC.conceal(batch, "expected")
    for tokens, filled in zip(batch, together, strict=True):
        alone = CODEC.conceal([tokens], "expected")[0]
        np.testing.assert_allclose(alone.code, filled.code, atol=1e-4)


def test_latent_maps_put_every_token_on_its_cell() -> None:
    tokens = CODEC.encode(photograph(64, 48), ratios=(0.3, 0.4, 0.3))
    filled: Concealed = CODEC.conceal([tokens], "zero")[0]
    maps = latent_maps([filled], TINY.code_dim)
    assert sum(int(p.sum()) for p in maps.present) == len(tokens.level)
    area = sum(float(p.sum()) / 4**level for level, p in enumerate(maps.present))
    assert area == 12  # 4 x 3 blocks, each covered exactly once


@pytest.mark.parametrize("method", METHODS)
def test_holes_of_a_smaller_codebook_are_filled_from_it(method: str) -> None:
    tokens = CODEC.encode(photograph(80, 96), bpp=0.019, packing=Packing(1, "raster", "uniform", file=False))
    assert tokens.books.book == 1 and tokens.books.cut > 0
    holed = with_lost_blocks(tokens, np.random.default_rng(1).random(30) < 0.5)
    filled = CODEC.conceal([holed], method)[0]
    book, known = book_of(holed), holed.known
    assert (filled.tokens.index < TINY.codes >> book.astype(int)).all() and {*book[~known]} == {0, 1}
    words = [CODEC.quantizer.codebook[0], CODEC.coarse_books[0].codewords]
    sent = np.stack([words[b][i].numpy() for b, i in zip(book, filled.tokens.index, strict=True)])
    np.testing.assert_array_equal(filled.code[known], sent[known])
    if method == "argmax":
        np.testing.assert_array_equal(filled.code[~known], sent[~known])
    assert CODEC.decode([filled], (80, 96)).shape == (1, 80, 96, 3)


def test_a_sub_codeword_is_as_probable_as_its_members_together() -> None:
    tokens = CODEC.encode(photograph(48, 48), codes=8)
    holed = with_lost_blocks(tokens, np.arange(9) == 4)
    packed = pack([holed], CODEC.quantizer.codebook, CODEC.coarse_books)
    hidden = CODEC.predictor(packed.code, packed.known, packed.level, packed.position, None)
    keys = CODEC.predictor.keys(CODEC.quantizer.codebook[0])
    p = CODEC.predictor.logits(hidden[~packed.known], keys, 0)[0].softmax(-1).numpy()
    words, member = (part.numpy() for part in CODEC.coarse_books[0])
    summed = np.array([p[member == i].sum() for i in range(8)])
    best, expected = (CODEC.conceal([holed], m)[0] for m in ("argmax", "expected"))
    assert best.tokens.index[4] == summed.argmax()
    np.testing.assert_allclose(expected.code[4], summed @ words, atol=1e-5)


def film(count: int = 3, rate: float = 0.4, ratios: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> list[Tokens]:
    return [holes(ratios, rate, seed) for seed in range(count)]


def test_a_copied_block_is_that_of_the_frame_before_split_or_not() -> None:
    first, second = CODEC.encode(photograph(80, 96, 1), ratios=(0.2, 0.3, 0.5)), CODEC.encode(photograph(80, 96, 2))
    lost = np.random.default_rng(4).random(30) < 0.5
    before, after = CODEC.conceal([first, with_lost_blocks(second, lost)], "copy_previous", temporal=True)
    at, was = lost[block_of(after.tokens)], lost[block_of(before.tokens)]
    np.testing.assert_array_equal(after.tokens.level[at], before.tokens.level[was])
    np.testing.assert_array_equal(after.code[at], before.code[was])
    np.testing.assert_array_equal(after.tokens.known, ~at)
    np.testing.assert_array_equal(after.code[~at], CODEC.conceal([second])[0].code[~lost])


def test_the_first_frame_has_nothing_to_copy() -> None:
    copied = CODEC.conceal(film(1), "copy_previous", temporal=True)[0]
    assert not copied.code[~copied.tokens.known].any()
    assert not copied.confidence[~copied.tokens.known].any()


@pytest.mark.parametrize("method", LOOKS_BACK)
def test_films_side_by_side_are_filled_as_each_alone(method: str) -> None:
    films = [film(3, 0.3), film(3, 0.6)]
    for alone, beside in zip(films, CODEC.conceal_films(films, method), strict=True):
        for a, b in zip(CODEC.conceal(alone, method, temporal=True), beside, strict=True):
            np.testing.assert_allclose(a.code, b.code, atol=1e-4)


def test_the_past_changes_guesses_once_the_predictor_listens() -> None:
    codec = tiny_codec()
    torch.nn.init.normal_(codec.predictor.before.look_on.weight, generator=torch.Generator().manual_seed(1))
    still = CODEC.encode(photograph(80, 96, 1))
    frames = [still, with_lost_blocks(still, np.random.default_rng(2).random(30) < 0.4)]
    alone, seeing = codec.conceal(frames)[1], codec.conceal(frames, temporal=True)[1]
    assert np.abs(alone.code - seeing.code).max() > 1e-3
    np.testing.assert_array_equal(alone.code[alone.tokens.known], seeing.code[seeing.tokens.known])


@pytest.mark.parametrize("method", ROUNDS)
def test_rounds_fill_every_hole_with_codewords(method: str) -> None:
    filled = CODEC.conceal([holes(rate=0.7)], method)[0]
    np.testing.assert_array_equal(filled.code, CODEC.quantizer.codebook[0].numpy()[filled.tokens.index])


def test_the_surest_go_first_and_the_last_round_takes_all() -> None:
    holes_ = torch.tensor([[True, True, True, False], [True, False, False, False]])
    top = torch.tensor([[0.2, 0.9, 0.5, 0.0], [0.1, 0.0, 0.0, 0.0]])
    first = surest(holes_, holes_, top, 0.3)
    assert first.tolist() == [[False, True, False, False], [True, False, False, False]]
    rest = surest(holes_, holes_ & ~first, top, 1.0)
    assert rest.tolist() == [[True, False, True, False], [False] * 4]


def test_one_pass_of_the_network_serves_all_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []
    forward = CODEC.predictor.forward
    monkeypatch.setattr(CODEC.predictor, "forward", lambda *a: passes.append(1) or forward(*a))
    CODEC.conceal([holes((0.2, 0.3, 0.5))], "expected")
    assert len(passes) == 1
