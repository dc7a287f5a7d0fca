"""Rate: a request becomes a file that is no larger and hardly smaller."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from codec import rate
from codec.device import to_tensor
from codec.entropy import TABLED
from codec.errors import RequestError
from codec.index_maps import IndexMaps
from codec.quadtree import levels_of_quarters
from codec.rate_path import ratios_at
from codec.rate_request import FILE, Packing
from codec.tokens import Tokens, quarters_of
from codec.vqs import write_vqs
from tests.codec.made import with_neighbours
from tests.codec.tiny import TINY, photograph, tiny_codec

CODEC = tiny_codec(config=replace(TINY, codes=64))
FRAME = photograph(256, 256)
PIXELS = 256 * 256


def file_bytes(tokens: Tokens, packing: Packing = FILE, size: tuple[int, int] = (256, 256)) -> int:
    slices = CODEC.to_slices(tokens, packing.slices, packing.interleave, packing.entropy_model)
    return len(write_vqs(size, slices, CODEC.hash)) if packing.file else sum(len(piece.data) for piece in slices)


@pytest.mark.parametrize("entropy_model", TABLED)
@pytest.mark.parametrize("slices", [1, 8])
@pytest.mark.parametrize("file", [True, False])
def test_files_and_slices_fit_the_request_to_two_percent(entropy_model: str, slices: int, file: bool) -> None:
    packing = Packing(slices, "low_discrepancy", entropy_model, file)
    for bpp in (0.023, 0.04, 0.05, 0.1, 0.2):
        measured = 8 * file_bytes(CODEC.encode(FRAME, bpp=bpp, packing=packing), packing) / PIXELS
        assert (1 - 0.02 * max(1, slices / 4)) * bpp <= measured <= bpp


@pytest.mark.parametrize(("slices", "file"), [(1, True), (8, True), (1, False), (8, False)])
def test_tables_by_neighbours_meet_requests_too(slices: int, file: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CODEC, "tables", with_neighbours(CODEC.tables))
    packing, sizes = Packing(slices, "low_discrepancy", "static", file), []
    for bpp in (0.036, 0.05, 0.1, 0.2, 0.25):
        sizes.append(file_bytes(CODEC.encode(FRAME, bpp=bpp, packing=packing), packing))
        assert (1 - 0.02 * max(1, slices / 4)) * bpp <= 8 * sizes[-1] / PIXELS <= bpp
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("slices", "file", "method"),
    [(1, True, "low_discrepancy"), (4, False, "low_discrepancy"), (4, False, "checkerboard")],
)
@pytest.mark.parametrize("near", [True, False])
def test_every_step_weighs_what_it_has_once_coded(
    slices: int, file: bool, method: str, near: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CODEC, "tables", with_neighbours(CODEC.tables) if near else CODEC.tables)
    packing, frame = Packing(slices, method, "static", file), FRAME[:112, :144]
    features = [z.float()[0] for z in CODEC.encoder(to_tensor(frame[None]))]
    maps = IndexMaps(features, CODEC.quantizer, CODEC.coarse_books)
    given = maps.candidates(frame), packing, CODEC.tables
    sizes = rate._sizes(*given)
    for way in (rate._recoded(*given, sizes), rate._split(*given, sizes)):
        for step in np.linspace(0, way.last, 7).astype(int).tolist():
            coded = file_bytes(maps.tokens(way.allocation(step)), packing, (112, 144))
            assert way.size_of(step, coded) == way.size_of(step, 10**9) == coded
            assert way.size_of(step, coded / 3) > coded / 3


def test_sizes_of_requests_close_to_each_other_differ_and_never_fall() -> None:
    requests = np.arange(0.022, 0.2, 0.002)
    sizes = [file_bytes(CODEC.encode(FRAME, bpp=float(bpp))) for bpp in requests]
    assert (np.diff(sizes) > 0).all()


def test_a_slightly_larger_request_never_gives_a_smaller_file() -> None:
    small = FRAME[:64, :96]
    requests = np.arange(0.06, 0.2, 0.0013)
    sizes = [file_bytes(CODEC.encode(small, bpp=float(bpp)), size=(64, 96)) for bpp in requests]
    assert (np.diff(sizes) >= 0).all()


def test_a_larger_request_refines_what_a_smaller_one_sent() -> None:
    pictures = [CODEC.encode(FRAME, bpp=bpp) for bpp in (0.02, 0.024, 0.06, 0.1, 0.2, 0.25)]
    orders = [(-tokens.books.book, tokens.books.cut) for tokens in pictures]
    assert orders == sorted(orders) and orders[0] < orders[1] < orders[2] == (0, 0)
    quarters = [quarters_of(tokens) for tokens in pictures]
    assert all((a <= b).all() for a, b in pairwise(quarters))
    assert quarters[-1].max() == 2
    for map_ in quarters:
        levels_of_quarters(map_)  # a quad-tree, or it raises


def test_fixed_length_meets_the_highest_request() -> None:
    top, packing = 6 / 16, Packing(entropy_model="uniform")  # bits of an index of 64 over the pixels of a fine token
    tokens = CODEC.encode(FRAME, bpp=top, packing=packing)
    assert 0.98 * top <= 8 * file_bytes(tokens, packing) / PIXELS <= top and (tokens.level == 2).mean() > 0.9


def test_the_same_request_gives_the_same_tokens() -> None:
    assert CODEC.encode(FRAME, bpp=0.07) == CODEC.encode(FRAME, bpp=0.07)


def test_each_frame_may_have_its_own_rate() -> None:
    frames = np.stack([FRAME, FRAME, photograph(256, 256, 1)])
    together = CODEC.encode_batch(frames, bpp=[0.022, 0.2, 0.05])
    assert together == [CODEC.encode(f, bpp=b) for f, b in zip(frames, (0.022, 0.2, 0.05), strict=True)]
    with pytest.raises(RequestError, match="one for each of 3 frames, got 2"):
        CODEC.encode_batch(frames, bpp=[0.1, 0.2])


def test_a_flat_picture_costs_no_more_than_all_coarse_whatever_is_requested() -> None:
    flat = np.full((256, 256, 3), (40, 90, 160), np.uint8)
    tokens = [CODEC.encode(flat, bpp=bpp) for bpp in (0.022, 0.1, 0.37)]
    assert all(not t.level.any() for t in tokens)
    assert tokens[1] == tokens[2]
    assert file_bytes(tokens[2]) <= file_bytes(CODEC.encode(flat))


def test_blocks_of_one_colour_split_last_and_a_request_is_met_all_the_same() -> None:
    letterbox = FRAME.copy()
    letterbox[:64], letterbox[192:] = 0, 0
    quarters = quarters_of(CODEC.encode(letterbox, bpp=0.1))
    assert not quarters[:8].any() and not quarters[24:].any() and (quarters[8:24] > 0).mean() > 0.5
    tokens = CODEC.encode(letterbox, bpp=0.25)
    quarters = quarters_of(tokens)
    assert (quarters[8:24] == 2).all() and quarters[:8].any()
    assert 0.98 * 0.25 <= 8 * file_bytes(tokens) / PIXELS <= 0.25


def test_the_shares_on_the_way_are_shares_of_area_and_rise() -> None:
    shares = np.array([ratios_at(way) for way in np.linspace(0, 1, 21)])
    assert shares[0].tolist() == [0, 0, 1] and shares[-1].tolist() == [1, 0, 0]
    assert np.allclose(shares.sum(1), 1) and (shares >= 0).all()
    tokens_a_block = shares @ (16, 4, 1)
    assert (np.diff(tokens_a_block) > 0).all() and (np.diff(shares[:, 2]) <= 0).all()


def test_a_request_takes_the_shares_of_the_path() -> None:
    levels = quarters_of(CODEC.encode(FRAME, bpp=0.12))
    taken = [(levels == 2).mean(), (levels == 1).mean(), (levels == 0).mean()]
    ways = np.array([ratios_at(way) for way in np.linspace(0, 1, 501)])
    assert np.abs(ways - taken).sum(1).min() < 0.02


@pytest.mark.parametrize(("bpp", "word"), [(0.001, "least"), (1.5, "most")])
def test_a_file_out_of_reach_is_refused_with_the_nearest_that_can_be_had(bpp: float, word: str) -> None:
    with pytest.raises(RequestError, match=f"the {word} that this picture can be had for is") as caught:
        CODEC.encode(FRAME, bpp=bpp)
    nearest = float(str(caught.value).split()[-1])
    assert 8 * file_bytes(CODEC.encode(FRAME, bpp=nearest)) / PIXELS == pytest.approx(nearest, rel=0.02)


def test_slices_out_of_reach_take_the_nearest_that_can_be_had() -> None:
    stream = Packing(file=False)
    least, most = (CODEC.encode(FRAME, bpp=bpp, packing=stream) for bpp in (0.0001, 9.0))
    assert least == CODEC.encode(FRAME, codes=8)
    assert (most.level == 2).all()


@pytest.mark.parametrize("bpp", [0.0, -1.0, float("nan"), float("inf")])
def test_rates_that_are_none_are_refused(bpp: float) -> None:
    with pytest.raises(RequestError, match="must be a number above 0"):
        CODEC.encode(FRAME, bpp=bpp)


def test_codebooks_may_be_chosen_by_hand() -> None:
    tokens = CODEC.encode(FRAME, ratios=(0.1, 0.3, 0.6), codes=8)
    assert tokens.books == (3, 0) and tokens.index[tokens.level == 0].max() < 8
    with pytest.raises(RequestError, match="no such codebook, got 12. Available: 8, 16"):
        CODEC.encode(FRAME, codes=12)
