"""Tables by neighbours: every slice comes back, sizes are foretold, and integers decide alone."""

import dataclasses
import hashlib
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec import neighbour_classes, neighbour_sizes, neighbour_tables, neighbours
from codec.bitstream import assemble, assemble_pictures, encode_pictures, encode_slices
from codec.books import book_of_block
from codec.entropy import LEAST_BITS, SymbolReader
from codec.errors import BitstreamError, CheckpointError
from codec.interleave import METHODS, partition
from codec.neighbour_classes import classes_of
from codec.neighbour_rows import POWERS, weights_of
from codec.neighbour_sizes import NeighbourSizes
from codec.neighbour_tables import NeighbourTables
from codec.neighbours import EARLIER, NEARNESS, OFFSETS, Canvases, Stage, passes, stages
from codec.parts import known_of, select
from codec.slices import Flags, Place, decode_slice, flags_size
from codec.tokens import FULL, Books, Tokens, quarters_of, to_dense
from codec.vqs import read_vqs, write_vqs
from tests.codec.made import (
    CODES,
    HASH,
    NEAR,
    TABLES,
    any_tokens,
    grids,
    neighbour_weights,
    random_tokens,
    shares,
    skewed_tables,
    with_neighbours,
)


def sizes_of(tokens: Tokens, count: int, method: str) -> NeighbourSizes:
    """Sizes of what may be sent of a picture: these tokens, and index 0 elsewhere."""
    dense, slice_of = to_dense(tokens), np.zeros(tokens.grid[0] * tokens.grid[1], np.int64)
    for number, blocks in enumerate(partition(tokens.grid, count, method)):
        slice_of[blocks] = number
    near = NEAR.by_neighbours()
    return NeighbourSizes(near, [dense[0].index] * 4, lambda level: dense[level].index, slice_of, count)


@settings(deadline=None, max_examples=40)
@given(any_tokens, st.integers(1, 9), st.sampled_from(METHODS), st.data())
def test_any_slices_come_back_at_the_size_foretold(
    tokens: Tokens, count: int, method: str, data: st.DataObject
) -> None:
    count = min(count, tokens.grid[0] * tokens.grid[1])
    slices = encode_slices(tokens, count, method, "static", NEAR, HASH)
    head = flags_size(slices[0].data)
    assert Flags.parse(slices[0].data[:head], "").entropy_model == "neighbours"
    assert assemble(tokens.grid, slices, NEAR, HASH) == (tokens, 0)
    foretold = sizes_of(tokens, count, method).payloads(quarters_of(tokens), tokens.books)
    assert foretold is not None
    assert [len(piece.data) - head - 2 for piece in slices] == foretold.tolist()
    arrived = data.draw(st.sampled_from(slices))
    got, corrupt = assemble(tokens.grid, [arrived], NEAR, HASH)
    assert corrupt == 0 and got.known.sum() == arrived.tokens


def test_slices_weighed_one_after_another_weigh_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = random_tokens((9, 11), books=Books(1, 99))
    together = sizes_of(tokens, 5, "low_discrepancy").payloads(quarters_of(tokens), tokens.books)
    monkeypatch.setattr(neighbour_sizes, "MOST_PLACES", 300)
    apart = sizes_of(tokens, 5, "low_discrepancy").payloads(quarters_of(tokens), tokens.books)
    assert together is not None and apart is not None and together.tolist() == apart.tolist()


@pytest.mark.parametrize("few", [0, 1024])
def test_tokens_coded_some_at_a_time_give_the_same_bytes(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = random_tokens((9, 11), books=Books(1, 99))
    together = encode_slices(tokens, 2, "low_discrepancy", "static", NEAR, HASH)
    for module in (neighbours, neighbour_classes, neighbour_tables):
        monkeypatch.setattr(module, "MANY", 7)
    monkeypatch.setattr(neighbours, "FEW", few)
    assert encode_slices(tokens, 2, "low_discrepancy", "static", NEAR, HASH) == together
    assert assemble((9, 11), together, NEAR, HASH) == (tokens, 0)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 4),
    grids,
    st.sampled_from([FULL, Books(2, 99)]),
    st.integers(1, 9),
    st.sampled_from(METHODS),
    st.data(),
)
def test_pictures_coded_side_by_side_are_as_if_coded_alone(
    pictures: int, grid: tuple[int, int], books: Books, count: int, method: str, data: st.DataObject
) -> None:
    count = min(count, grid[0] * grid[1])
    split, fine = data.draw(st.lists(shares, min_size=pictures, max_size=pictures)), data.draw(shares)
    sent = [random_tokens(grid, share, fine, seed, books=books) for seed, share in enumerate(split)]
    slices = encode_pictures(sent, count, method, "static", NEAR, HASH)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "MOST_PLACES", data.draw(st.sampled_from([0, 3000])))  # one, some at a time
        assert [encode_slices(tokens, count, method, "static", NEAR, HASH) for tokens in sent] == slices
        assert assemble_pictures(grid, slices, NEAR, HASH) == [(tokens, 0) for tokens in sent]
    assert assemble_pictures(grid, slices, NEAR, HASH) == [(tokens, 0) for tokens in sent]


def test_pictures_of_several_sizes_are_not_coded_side_by_side() -> None:
    assert encode_pictures([], 2, "raster", "static", NEAR, HASH) == []
    with pytest.raises(ValueError, match=r"must be of one size, got \[\(2, 3\), \(3, 2\)\] blocks"):
        encode_pictures([random_tokens((2, 3)), random_tokens((3, 2))], 2, "raster", "static", NEAR, HASH)


@pytest.mark.parametrize("runs", [0, 256])
def test_a_slice_that_no_symbols_have_leaves_those_beside_it_alone(runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour_tables, "RUNS", runs)
    tokens = random_tokens((9, 11), 0, books=Books(1, 99))
    slices = encode_slices(tokens, 3, "low_discrepancy", "static", NEAR, HASH)
    body = slices[1].data[:2] + b"\xff" * 400
    data = body + Place(1, 3, (9, 11), HASH).checksum(body).to_bytes(2)
    with pytest.raises(BitstreamError, match="slice 1 of 3, offset 2, payload: bytes that no symbols have"):
        decode_slice(data, Place(1, 3, (9, 11), HASH), NEAR)
    got, corrupt = assemble((9, 11), [slices[0], dataclasses.replace(slices[1], data=data), slices[2]], NEAR, HASH)
    assert corrupt == 1 and (got, 0) == assemble((9, 11), [slices[0], slices[2]], NEAR, HASH)


def test_what_weighs_more_than_a_limit_is_not_weighed_to_the_end() -> None:
    tokens = random_tokens((9, 11), 1, 1)
    sizes = sizes_of(tokens, 2, "raster")
    whole = sizes.payloads(quarters_of(tokens), tokens.books)
    assert whole is not None
    same = sizes.payloads(quarters_of(tokens), tokens.books, float(whole.sum()))
    assert same is not None and same.tolist() == whole.tolist()
    assert sizes.payloads(quarters_of(tokens), tokens.books, float(whole.sum()) / 2) is None


@settings(deadline=None, max_examples=40)
@given(any_tokens, st.data())
def test_one_damaged_bit_is_always_noticed(tokens: Tokens, data: st.DataObject) -> None:
    piece = encode_slices(tokens, 1, "raster", "static", NEAR, HASH)[0]
    bit = data.draw(st.integers(0, 8 * len(piece.data) - 1))
    damaged = bytearray(piece.data)
    damaged[bit // 8] ^= 1 << bit % 8
    got, corrupt = assemble(tokens.grid, [dataclasses.replace(piece, data=bytes(damaged))], NEAR, HASH)
    assert corrupt == 1 and not got.known.any()


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=60))
def test_any_bytes_are_indices_within_their_codebooks_or_an_error(payload: bytes) -> None:
    tokens = random_tokens((4, 5), books=Books(1, 99))
    known = known_of(tokens.level, tokens.grid, np.arange(20), book_of_block((4, 5), tokens.books))
    (index,) = NEAR.by_neighbours().read([SymbolReader(payload)], [known])
    assert isinstance(index, BitstreamError) or (index.min() >= 0 and (index < CODES >> known.book).all())


def test_streams_of_one_model_are_not_read_with_weights_that_lack_it() -> None:
    tokens = random_tokens((4, 5))
    slices = encode_slices(tokens, 2, "raster", "static", NEAR, HASH)
    assert assemble((4, 5), slices, TABLES, HASH)[1] == 2
    older = encode_slices(tokens, 2, "raster", "static", TABLES, HASH)
    assert assemble((4, 5), older, NEAR, HASH) == (tokens, 0)


def test_what_was_coded_before_has_no_influence() -> None:
    used, fresh = with_neighbours(TABLES), with_neighbours(TABLES)
    for seed in range(5):
        encode_slices(random_tokens((6, 7), seed=seed), 2, "raster", "static", used, HASH)
    tokens = random_tokens((6, 7), seed=9)
    slices = encode_slices(tokens, 2, "raster", "static", used, HASH)
    assert assemble((6, 7), slices, fresh, HASH) == (tokens, 0)


def test_threads_that_code_side_by_side_share_fresh_tables() -> None:
    pictures = [random_tokens((9, 11), seed=seed) for seed in range(24)]
    expected = [encode_slices(tokens, 2, "raster", "static", NEAR, HASH) for tokens in pictures]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(5):
            fresh = with_neighbours(TABLES)
            with ThreadPoolExecutor(8) as pool:
                code = partial(
                    encode_slices,
                    count=2,
                    interleave_method="raster",
                    entropy_model="static",
                    tables=fresh,
                    model_hash=HASH,
                )
                made = pool.map(code, pictures)
                assert list(made) == expected
    finally:
        sys.setswitchinterval(interval)


def test_what_a_file_declares_is_checked_against_its_length() -> None:
    tokens = random_tokens((4, 5))
    data = bytearray(write_vqs((64, 80), encode_slices(tokens, 1, "raster", "static", NEAR, HASH), HASH))
    data[4:8] = b"\x40\x00\x40\x00"
    with pytest.raises(BitstreamError, match="too short for 1048576 blocks"):
        read_vqs(bytes(data), "x.vqs", HASH, NEAR)


def test_passes_fill_the_gaps_of_those_before() -> None:
    row, col = np.mgrid[:4, :4]
    assert passes(row.ravel(), col.ravel()).reshape(4, 4).tolist() == [
        [0, 4, 2, 4],
        [4, 3, 4, 3],
        [2, 4, 1, 4],
        [4, 3, 4, 3],
    ]


def test_all_places_of_a_pass_see_the_same_of_the_passes_before() -> None:
    rows, cols = (side.ravel() for side in np.mgrid[2:10, 2:10])
    for (dy, dx), earlier in zip(OFFSETS, EARLIER, strict=True):
        assert np.array_equal(passes(rows + dy, cols + dx) < passes(rows, cols), earlier[passes(rows, cols)])


@settings(deadline=None, max_examples=40)
@given(any_tokens, st.integers(1, 5))
def test_sums_around_tokens_equal_those_found_one_by_one(tokens: Tokens, count: int) -> None:
    count = min(count, tokens.grid[0] * tokens.grid[1])
    part = select(tokens, partition(tokens.grid, count, "low_discrepancy")[0])
    canvases = Canvases(tokens.grid, np.unique(part.level).tolist(), (), np.int64)
    maps = [np.zeros((tokens.grid[0] << level, tokens.grid[1] << level), np.int64) for level in range(3)]
    turns: list[Stage] = list(stages(tokens.grid, part.blocks, part.level))
    assert sorted(np.concatenate([stage.at for stage in turns]).tolist()) == list(range(len(part.level)))
    assert all((a.level, a.number) < (b.level, b.number) for a, b in pairwise(turns))
    for stage in turns:
        for place, (row, col) in zip(canvases.around(stage), zip(stage.row, stage.col, strict=True), strict=True):
            height, width = maps[stage.level].shape
            near = [(row + dy, col + dx, NEARNESS[dy**2 + dx**2]) for dy, dx in OFFSETS]
            seen = [w * maps[stage.level][y, x] for y, x, w in near if 0 <= y < height and 0 <= x < width]
            assert place == sum(seen)
        values = 1 + part.index[stage.at].astype(np.int64)
        canvases.put(stage, lambda level, values=values: values)
        for level in range(stage.level, 3):
            scale = level - stage.level
            for row, col, value in zip(stage.row << scale, stage.col << scale, values, strict=True):
                maps[level][row : row + (1 << scale), col : col + (1 << scale)] = value


def test_powers_are_the_integers_below_the_true_ones() -> None:
    true = 2.0 ** (32 - np.arange(len(POWERS)) / 256)
    assert (np.abs(POWERS - true) <= 1 + true * 1e-15).all() and POWERS[0] == 2**32 and POWERS[256] == 2**31


def test_weights_follow_one_worked_case() -> None:
    # Shares 1, 1/2, 1/4, 1/4 of 2^20 - 4, rounded down, plus 1.
    assert weights_of(np.array([[512, 256, 0, 0]])).tolist() == [[524287, 262144, 131072, 131072]]


@settings(deadline=None, max_examples=40)
@given(st.integers(-9000, 9000), st.integers(-9000, 9000), st.integers(1, 9))
def test_no_table_has_an_index_that_costs_less_than_the_least(first: int, last: int, bits: int) -> None:
    logs = np.linspace(first, last, 1 << bits).astype(np.int64)[None]
    weights = weights_of(logs)[0]
    assert weights.min() >= 1 and weights.sum() <= 2**20 + 2 * len(weights)
    assert -np.log2(weights.max() / weights.sum()) > LEAST_BITS


def test_tables_are_the_same_on_every_machine() -> None:
    tables = NeighbourTables(neighbour_weights(16), 16, [8])
    sha = hashlib.sha256()
    for level, book in ((0, 0), (0, 1), (1, 0), (2, 0)):
        sha.update(tables._tables(level, book, np.arange(0, 1 + 3 * 4**4, 7)).astype(">i4").tobytes())
    assert sha.hexdigest() == "9e58aa6025bdacd378bd536c22c1bd1b07487b45adab374d5cc0c70f88e3aeca"


def test_weights_of_other_shapes_and_ranges_are_refused() -> None:
    good = neighbour_weights()
    for change in ({"embedding": good.embedding[1:]}, {"hidden": good.hidden[:2]}, {"output": good.output[:, 1:]}):
        with pytest.raises(CheckpointError, match="neighbour_"):
            NeighbourTables(good._replace(**change), CODES, [32, 16, 8])
    with pytest.raises(CheckpointError, match="from -50 to 50"):
        NeighbourTables(good._replace(embedding=good.embedding - 40), CODES, [32, 16, 8])


@pytest.mark.parametrize("count", [1, 4])
def test_payloads_stay_within_one_percent_and_two_bytes_of_the_cross_entropy(count: int) -> None:
    tables = NEAR.by_neighbours()
    assert isinstance(tables, NeighbourTables)
    for seed in range(10):
        tokens = random_tokens((9, 11), 0, 0, seed)
        slices = encode_slices(tokens, count, "low_discrepancy", "static", NEAR, HASH)
        for piece, blocks in zip(slices, partition((9, 11), count, "low_discrepancy"), strict=True):
            part = select(tokens, blocks)
            known = known_of(part.level, (9, 11), blocks, np.zeros(99, np.uint8)[blocks])
            bits = 0.0
            for stage, sums in tables.turns(known, part.index):
                classes = classes_of(stage.level, stage.number, sums)
                weights = tables._tables(stage.level, 0, classes)
                sent = weights[np.arange(len(classes)), part.index[stage.at]]
                bits -= np.log2(sent / weights.sum(axis=1)).sum()
            assert bits / 8 - 4 <= len(piece.data) - 3 <= 1.01 * bits / 8 + 2


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


@pytest.mark.slow
@pytest.mark.parametrize("fine", [0, 1])
def test_speeds_are_printed_and_are_millions_of_tokens_a_second(fine: int) -> None:
    tables = with_neighbours(skewed_tables(1024))
    grid = (128, 192) if fine else (512, 768)
    tokens = random_tokens(grid, fine, fine, tables=tables)  # 393,216 tokens
    for name in ("uniform", "static"):
        slices = encode_slices(tokens, 4, "low_discrepancy", name, tables, HASH)  # sets the tables up
        encode = lambda name=name: encode_slices(tokens, 4, "low_discrepancy", name, tables, HASH)  # noqa: E731
        encode_s = min(seconds(encode) for _ in range(3))
        decode_s = min(seconds(lambda slices=slices: assemble(grid, slices, tables, HASH)) for _ in range(3))
        print(
            f"{name}: {len(tokens) / encode_s / 1e6:.1f} M tokens/s encoded, {len(tokens) / decode_s / 1e6:.1f} decoded"
        )
        assert min(len(tokens) / encode_s, len(tokens) / decode_s) >= 1e6
