"""A user's own concealment: loaded by path, held to its shapes, never over what was received."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.confidence import confidence_map
from codec.errors import RequestError
from codec.evaluate_films import conceal
from codec.latents import Concealed
from codec.tokens import Tokens, with_lost_blocks
from tests.codec.tiny import photograph, tiny_codec

CODEC = tiny_codec()
WHOLE = CODEC.encode(photograph(64, 80), ratios=(0.1, 0.3, 0.6))
HOLED = with_lost_blocks(WHOLE, np.arange(20) % 3 == 0)

COARSE = [CODEC.encode(photograph(64, 80)), with_lost_blocks(CODEC.encode(photograph(64, 80)), np.arange(20) % 3 == 0)]

Codes = Sequence[NDArray[np.float32]]
Guesses = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


def first_codeword(batch: Sequence[Tokens], received: Codes, codebook: NDArray[np.float32]) -> Guesses:
    return [(np.tile(codebook[0, 5], (len(t), 1)), np.full(len(t), 0.25, np.float32)) for t in batch]


def too_few(batch: Sequence[Tokens], received: Codes, codebook: NDArray[np.float32]) -> Guesses:
    return []


def crooked(batch: Sequence[Tokens], received: Codes, codebook: NDArray[np.float32]) -> Guesses:
    return [(np.zeros((3, 4), np.float32), np.zeros(3, np.float32)) for _ in batch]


def endless(batch: Sequence[Tokens], received: Codes, codebook: NDArray[np.float32]) -> Guesses:
    return [(np.full((len(t), 4), np.nan, np.float32), np.zeros(len(t), np.float32)) for t in batch]


def fading(
    batch: Sequence[Tokens], received: Codes, codebook: NDArray[np.float32], before: Sequence[Concealed | None]
) -> Guesses:
    """Half of what stood there a frame earlier; for pictures cut up alike."""
    guesses = []
    for code, last in zip(received, before, strict=True):
        confidence = np.zeros(len(code), np.float32)
        if last is not None:
            code, confidence = last.code * np.float32(0.5), last.confidence * np.float32(0.5)
        guesses.append((code, confidence))
    return guesses


NUMBER = 3


def test_a_function_of_the_users_fills_holes_and_only_holes() -> None:
    (filled,) = CODEC.conceal([HOLED], f"{__name__}:first_codeword")
    holes = ~HOLED.known
    assert (filled.tokens.index[holes] == 5).all() and (filled.confidence[holes] == 0.25).all()
    assert (filled.tokens.index[~holes] == HOLED.index[~holes]).all() and (filled.confidence[~holes] == 1).all()
    received = CODEC.conceal([HOLED], "zero")[0].code[~holes]
    assert np.array_equal(filled.code[~holes], received)
    assert CODEC.decode([filled], (64, 80)).shape == (1, 64, 80, 3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("too_few", "1 guesses, one a picture, got 0"),
        ("crooked", r"must return code \("),
        ("endless", "finite"),
        ("NUMBER", "must be a function"),
        ("absent", "cannot be imported"),
    ],
)
def test_what_is_no_concealment_is_refused_with_the_reason(name: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        CODEC.conceal([HOLED], f"{__name__}:{name}")


def test_a_function_that_takes_before_sees_what_it_made_of_the_frame_before() -> None:
    method, holes = f"{__name__}:fading", ~COARSE[1].known
    whole, first, second = CODEC.conceal([*COARSE, COARSE[1]], method, temporal=True)
    assert np.array_equal(first.code[holes], whole.code[holes] / 2) and (first.confidence[holes] == 0.5).all()
    assert np.array_equal(second.code[holes], whole.code[holes] / 4) and (second.confidence[holes] == 0.25).all()
    assert np.array_equal(second.code[~holes], whole.code[~holes])
    alone = CODEC.conceal(COARSE, method)[1]
    assert not alone.code[holes].any() and not alone.confidence[holes].any()


def test_films_side_by_side_look_back_each_at_its_own() -> None:
    other = CODEC.encode(photograph(64, 80)[::-1])
    films = [COARSE, [other, with_lost_blocks(other, np.arange(20) % 4 == 1)]]
    filled = conceal(CODEC, films, f"{__name__}:fading+temporal")
    for film, shown in zip(films, filled, strict=True):
        (alone,) = CODEC.conceal_films([film], f"{__name__}:fading")
        assert all(np.array_equal(a.code, b.code) for a, b in zip(shown, alone, strict=True))
        holes = ~film[1].known
        assert np.array_equal(shown[1].code[holes], shown[0].code[holes] / 2)


def test_a_function_without_before_guesses_the_same_in_a_film() -> None:
    method = f"{__name__}:first_codeword"
    for alone, within in zip(
        CODEC.conceal([WHOLE, HOLED], method), CODEC.conceal([WHOLE, HOLED], method, temporal=True), strict=True
    ):
        assert np.array_equal(alone.code, within.code) and np.array_equal(alone.confidence, within.confidence)


def test_complete_guesses_unknown_tokens_and_leaves_the_others() -> None:
    tokens, confidence = CODEC.complete(HOLED)
    assert np.array_equal(tokens.known, HOLED.known) and np.array_equal(tokens.level, HOLED.level)
    assert np.array_equal(tokens.index[HOLED.known], HOLED.index[HOLED.known])
    assert confidence.dtype == np.float32 and (confidence[HOLED.known] == 1).all()
    assert ((confidence >= 0) & (confidence <= 1)).all()
    again, sure = CODEC.complete(WHOLE)
    assert again == WHOLE and (sure == 1).all()


def test_the_confidence_map_has_the_confidence_of_the_token_that_covers_each_pixel() -> None:
    confidence = np.linspace(0, 1, len(WHOLE), dtype=np.float32)
    shades = confidence_map(WHOLE, confidence, (61, 77))
    assert shades.shape == (61, 77) and shades.dtype == np.uint8
    areas = {0: 256, 1: 64, 2: 16}
    full = confidence_map(WHOLE, confidence, (64, 80))
    wanted = sum(areas[int(level)] * round(255 * float(c)) for level, c in zip(WHOLE.level, confidence, strict=True))
    assert int(full.astype(np.int64).sum()) == pytest.approx(wanted, rel=1e-3)
    assert np.array_equal(shades, full[:61, :77])
