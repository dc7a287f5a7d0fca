"""The entropy model context: it comes back, it looks at nothing that was not sent, and ends that disagree notice."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.bench import peak_bytes as process_peak_bytes
from codec.bitstream import TokenSlice, assemble, encode_slices
from codec.config import LEVELS
from codec.context_mixture import Mixture
from codec.context_model import ContextModel
from codec.context_order import TILE_TOKENS, borders, groups, tiles
from codec.entropy import CONTEXT, LEAST_BITS, MODELS, NEIGHBOURS, WIRE, quantize_rows
from codec.errors import BitstreamError
from codec.interleave import METHODS
from codec.model import Codec
from codec.parts import Known, select
from codec.rate_request import Packing
from codec.slices import Place, decode_slice
from codec.tokens import Books, Tokens, cell_of
from codec.vqs import read_vqs, write_vqs
from tests.codec.made import grids, random_tokens, shares, with_neighbours
from tests.codec.test_bitstream import holds_no_wrong_token, peak_bytes, seconds
from tests.codec.tiny import photograph, tiny_codec


def lively(seed: int = 0) -> Codec:
    """A tiny codec whose predictor minds its surroundings; a new one adds nothing to what it is fed."""
    codec = tiny_codec(seed)
    torch.manual_seed(seed)
    for layer in codec.predictor.layers:
        torch.nn.init.normal_(layer.out.weight, std=0.3)
        torch.nn.init.normal_(layer.down.weight, std=0.3)
    return codec


CODEC = lively()
MODEL = ContextModel(CODEC.predictor, CODEC.quantizer.codebook, CODEC.coarse_books, CODEC.tables)

books = st.builds(lambda book, cut: Books(book, cut if book else 0), st.integers(0, 1), st.integers(0, 254))
some_tokens = st.builds(
    random_tokens, grids, shares, shares, st.integers(0, 2**20), tables=st.just(CODEC.tables), books=books
)


def coded(tokens: Tokens, count: int, method: str = "low_discrepancy", model: ContextModel = MODEL) -> list[TokenSlice]:
    count = min(count, tokens.grid[0] * tokens.grid[1])
    return encode_slices(tokens, count, method, CONTEXT, CODEC.tables, CODEC.hash, model)


def joined(tokens: Tokens, slices: list[TokenSlice], model: ContextModel | None = MODEL) -> tuple[Tokens, int]:
    return assemble(tokens.grid, slices, CODEC.tables, CODEC.hash, model)


@settings(max_examples=15, deadline=None)
@given(some_tokens, st.integers(1, 5), st.sampled_from(METHODS), st.data())
def test_any_slices_in_any_order_give_no_wrong_token(
    tokens: Tokens, count: int, method: str, data: st.DataObject
) -> None:
    slices = coded(tokens, count, method)
    assert joined(tokens, slices) == (tokens, 0)
    arrived = data.draw(st.lists(st.sampled_from(slices)))
    got, corrupt = joined(tokens, arrived)
    assert corrupt == 0 and holds_no_wrong_token(tokens, got)
    assert got.known.sum() == sum(slices[i].tokens for i in {piece.index for piece in arrived})


@settings(max_examples=15, deadline=None)
@given(some_tokens, st.data())
def test_damage_is_noticed_and_gives_no_wrong_token(tokens: Tokens, data: st.DataObject) -> None:
    slices = coded(tokens, 3)
    victim = data.draw(st.sampled_from(slices))
    at = data.draw(st.integers(0, len(victim.data) - 1))
    damaged = bytearray(victim.data)
    damaged[at] ^= data.draw(st.integers(1, 255))
    slices[victim.index] = replace(victim, data=bytes(damaged))
    got, corrupt = joined(tokens, slices)
    assert corrupt == 1 and holds_no_wrong_token(tokens, got)


def test_a_slice_whose_coder_needs_no_byte_comes_back() -> None:
    for index in range(8):
        one = Tokens((1, 1), np.zeros(1, np.uint8), np.array([index], np.int32), np.ones(1, bool), Books(1))
        assert joined(one, coded(one, 1)) == (one, 0)


def test_truncation_and_noise_are_noticed_at_every_length() -> None:
    # A CRC of 16 bits lets 1 in 65536 of these pass; these seeds are none of them.
    tokens = random_tokens((4, 4), tables=CODEC.tables)
    rng = np.random.default_rng(0)
    piece = coded(tokens, 2)[1]
    for length in range(len(piece.data)):
        for data in (piece.data[:length], piece.data[:length] + rng.bytes(len(piece.data) - length + 1)):
            with pytest.raises(BitstreamError, match=r"slice 1 of 2, offset \d+, "):
                decode_slice(data, Place(1, 2, tokens.grid, CODEC.hash), CODEC.tables, MODEL)


def model_of(codec: Codec) -> ContextModel:
    return ContextModel(codec.predictor, CODEC.quantizer.codebook, CODEC.coarse_books, CODEC.tables)


def test_another_predictor_finds_every_slice_damaged_even_one_that_computes_the_same() -> None:
    tokens = random_tokens((6, 6), tables=CODEC.tables)
    slices = coded(tokens, 4)
    for other in (lively(1), lively()):
        with torch.no_grad():  # of the second, only a weight that nothing of these pictures asks for
            other.predictor.before.look.weight += 1
        got, corrupt = joined(tokens, slices, model_of(other))
        assert corrupt == 4 and not got.known.any()


def test_the_same_weights_that_compute_other_bits_are_noticed() -> None:
    tokens = random_tokens((12, 12), tables=CODEC.tables)
    slices = coded(tokens, 4)
    other = lively()
    with torch.no_grad():
        other.predictor.query.weight *= 1.01  # as another machine would, only more
    model = model_of(other)
    model.__dict__["hash"] = MODEL.hash  # it believes that it has the same
    got, corrupt = joined(tokens, slices, model)
    assert corrupt == 4 and holds_no_wrong_token(tokens, got)


def test_without_the_networks_nothing_is_coded_or_decoded() -> None:
    tokens = random_tokens((4, 4), tables=CODEC.tables)
    slices = coded(tokens, 2)
    assert joined(tokens, slices, None)[1] == 2
    with pytest.raises(BitstreamError, match="needs the masked transformer"):
        encode_slices(tokens, 1, "raster", CONTEXT, CODEC.tables, CODEC.hash)


def test_the_number_of_threads_changes_no_bit_and_is_left_as_it_was() -> None:
    tokens = random_tokens((10, 12), tables=CODEC.tables)
    before = torch.get_num_threads()
    try:
        made = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            made.append(coded(tokens, 2))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert made[0] == made[1]


def test_payloads_stay_within_one_percent_and_two_bytes_of_the_cross_entropy() -> None:
    for split, count in ((0.0, 1), (0.0, 4), (0.5, 4)):
        tokens = random_tokens((16, 24), split, tables=CODEC.tables)
        ideal_bits, map_bits = 0.0, 0.0
        slices = coded(tokens, count)
        for part in parts_of(tokens, count):
            shape = Known(tokens.grid, part.blocks, part.level, np.zeros_like(part.level))
            for at, weights in MODEL.distributions(shape, part.index):
                ideal_bits -= np.log2(weights[np.arange(len(at)), part.index[at]] / weights.sum(1)).sum()
        if split:
            file = read_vqs(write_vqs((16 * 16, 16 * 24), slices, CODEC.hash))
            map_bits = file.map_bits
        payloads = sum(len(piece.data) - 3 for piece in slices)
        assert payloads <= 1.01 * (ideal_bits + map_bits) / 8 + 2 * count


def parts_of(tokens: Tokens, count: int) -> list:  # type: ignore[type-arg]
    from codec.interleave import partition

    return [select(tokens, blocks) for blocks in partition(tokens.grid, count, "low_discrepancy")]


def test_a_codec_asked_for_context_sends_whichever_is_smaller() -> None:
    for count in (1, 16, 64):
        noise = random_tokens((8, 8), split=0, tables=CODEC.tables, seed=count)
        ways = [
            encode_slices(noise, count, "low_discrepancy", model, CODEC.tables, CODEC.hash, MODEL)
            for model in MODELS[1:]
        ]
        sent = CODEC.to_slices(noise, count, entropy_model=CONTEXT)
        assert [len(s.data) for s in sent] == min(([len(s.data) for s in way] for way in ways), key=sum)
    flat = Tokens((8, 8), np.zeros(64, np.uint8), np.full(64, 1, np.int32), np.ones(64, bool))
    small, large = (CODEC.to_slices(flat, 1, entropy_model=model) for model in (CONTEXT, "static"))
    assert len(small[0].data) < len(large[0].data)
    assert CODEC.from_slices((8, 8), small) == (flat, 0)


def test_beside_tables_by_neighbours_it_is_weighed_as_they_are_and_gives_way_to_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CODEC, "tables", with_neighbours(CODEC.tables))
    picture = photograph(96, 128)
    for bpp in (0.05, 0.5):
        tokens = CODEC.encode(picture, bpp=bpp, packing=Packing(2, entropy_model=CONTEXT))
        assert tokens == CODEC.encode(picture, bpp=bpp, packing=Packing(2))
    numbers = set()
    for count in (1, 64):  # slices of one token give a network nothing to go by
        tokens = random_tokens((8, 8), split=0, tables=CODEC.tables)
        flat = replace(tokens, index=np.ones_like(tokens.index))
        for some in (tokens, flat):
            small, static = (CODEC.to_slices(some, count, entropy_model=model) for model in (CONTEXT, "static"))
            assert sum(len(s.data) for s in small) <= sum(len(s.data) for s in static)
            assert CODEC.from_slices((8, 8), small) == (some, 0)
            numbers.add(small[0].data[0] & 3)
    assert numbers == {WIRE[CONTEXT], WIRE[NEIGHBOURS]}


def test_it_is_of_single_precision_whatever_fills_holes() -> None:
    flat = Tokens((8, 8), np.zeros(64, np.uint8), np.full(64, 1, np.int32), np.ones(64, bool))
    slices = tiny_codec().to_slices(flat, 1, entropy_model=CONTEXT)
    assert slices[0].data[0] & 3 == WIRE[CONTEXT]
    assert tiny_codec(precision="bf16").from_slices((8, 8), slices) == (flat, 0)


class Untouchable:
    """Fails the test if it is asked."""

    hash = bytes(32)

    def distributions(self, shape: Known, index: np.ndarray) -> None:
        raise AssertionError("asked")


def test_a_payload_too_short_for_its_tokens_is_refused_before_the_network_is_asked() -> None:
    place = Place(0, 1, (64, 64), CODEC.hash)
    with pytest.raises(BitstreamError, match="too short for 4096 blocks"):
        decode_slice(b"\x02" + bytes(22), place, CODEC.tables, Untouchable())  # type: ignore[arg-type]
    # A map in which all blocks are split, and all their quarters fine: 65536 tokens.
    finest = b"\x06" + bytes(8) + b"\x00\x00\x00\x00"
    with pytest.raises(BitstreamError, match="too short for"):
        decode_slice(finest + bytes(100), place, CODEC.tables, Untouchable())  # type: ignore[arg-type]


def resident_peak_bytes(work: Callable[[], object]) -> float:
    """Most memory that the process held at a time, what torch took with it; not a number but on Linux."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark falls to what is held now
    work()
    return process_peak_bytes()


def test_no_bytes_cost_more_than_a_valid_stream_of_the_size_they_declare() -> None:
    grid = (16, 16)
    finest = coded(random_tokens(grid, 1, 1, tables=CODEC.tables), 1)
    works = [partial(assemble, grid, finest, CODEC.tables, CODEC.hash, MODEL)]
    rng = np.random.default_rng(8)
    for flags in (b"\x02", b"\x06", b"\x12\x50"):
        for noise in (rng.bytes(len(finest[0].data)), bytes(len(finest[0].data))):
            pieces = [TokenSlice(0, 1, 0, flags + noise)]
            works.append(partial(assemble, grid, pieces, CODEC.tables, CODEC.hash, MODEL))
    for measure, times, spare in ((seconds, 2.0, 0.0), (peak_bytes, 1.2, 0.0), (resident_peak_bytes, 1.0, 4e6)):
        valid, *hostile = map(measure, works)
        assert not max(hostile) > times * valid + spare


@given(st.integers(0, 3000), shares, shares, st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_tiles_and_groups_deal_out_every_token_once(_: int, split: float, fine: float, seed: int) -> None:
    tokens = random_tokens((12, 20), split, fine, seed)
    row, col = cell_of(tokens)
    parts = tiles(row >> tokens.level, col >> tokens.level)
    assert max(map(len, parts)) <= TILE_TOKENS
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(tokens)))
    for part in parts:
        dealt = groups(tokens.level[part], row[part], col[part])
        assert sorted(np.concatenate(dealt).tolist()) == list(range(len(part)))
        sizes = [len(group) for group in dealt]
        assert min(sizes) > 0 and sizes == np.diff(borders(len(part))).tolist()
        for level in range(LEVELS):  # every group has the same share of each level, but for rounding
            whole = (tokens.level[part] == level).mean()
            for group in dealt:
                assert abs((tokens.level[part][group] == level).sum() - whole * len(group)) <= 2


def test_groups_of_a_coarse_picture_are_spread_evenly() -> None:
    row, col = np.divmod(np.arange(32 * 48), 48)
    for group in groups(np.zeros(len(row), np.uint8), row, col)[2:8]:
        quadrant = np.bincount(2 * (row[group] // 16) + col[group] // 24, minlength=4)
        assert quadrant.max() - quadrant.min() <= 0.1 * len(group) + 3
        gaps = np.abs(row[group][:, None] - row[group]) + np.abs(col[group][:, None] - col[group])
        assert gaps[~np.eye(len(group), dtype=bool)].min() >= 2  # no neighbours in one group


def test_a_mixture_finds_the_expert_that_knows_and_hardly_pays_for_the_others() -> None:
    rng = np.random.default_rng(0)
    right = np.array([0.7, 0.1, 0.1, 0.1])
    experts = np.stack([np.tile(p, (40, 1)) for p in (np.full(4, 0.25), right, right[::-1])])
    mixture, paid, ideal = Mixture(np.full(3, 1 / 3)), 0.0, 0.0
    for _ in range(10):
        symbols = rng.choice(4, 40, p=right)
        mixed = mixture.mix(experts)
        assert np.allclose(mixed.sum(1), 1)
        paid -= np.log2(mixed[np.arange(40), symbols]).sum()
        ideal -= np.log2(right[symbols]).sum()
        mixture.learn(experts[:, np.arange(40), symbols])
    assert mixture.weights[1] > 0.75 and mixture.weights.sum() == pytest.approx(1)
    assert paid < ideal + 40


@given(st.integers(1, 5), st.sampled_from([2, 8, 1024]), st.floats(0.01, 50), st.integers(0, 999))
def test_weights_of_a_distribution_are_positive_and_none_is_sure(
    rows: int, codes: int, sharp: float, seed: int
) -> None:
    logits = sharp * np.random.default_rng(seed).normal(size=(rows, codes))
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    weights = quantize_rows(p)
    assert weights.min() >= 1 and weights.sum(1).max() <= 1 << 20
    assert -np.log2(weights.max() / weights.sum(1).min()) > 0
    assert (-np.log2(weights.max(1) / weights.sum(1)) >= LEAST_BITS).all()
    soft = p.max(1) <= 15 / 16
    assert np.allclose(weights[soft] / weights[soft].sum(1, keepdims=True), p[soft], atol=2 * codes / 2**20)
