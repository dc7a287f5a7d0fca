"""Entropy coding: short, exact, and the facts about constriction it rests on."""

import constriction
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.entropy import (
    TABLED,
    TOTAL_BITS,
    SymbolReader,
    SymbolWriter,
    categorical,
    quantize,
    size_bytes,
    spans,
    uniform,
)
from codec.errors import BitstreamError, CheckpointError
from codec.tables import Tables
from tests.codec.made import TABLES, skewed_tables

queue, model = constriction.stream.queue, constriction.stream.model


@given(st.lists(st.integers(1, 2**31 - 1), min_size=2, max_size=300))
def test_weights_sum_to_a_power_of_two_and_none_is_zero(counts: list[int]) -> None:
    weights = quantize(np.array(counts))
    assert weights.sum() == 1 << TOTAL_BITS and weights.min() >= 1
    order = np.argsort(counts, kind="stable")
    assert (np.diff(weights[order]) >= -1).all()  # a larger count has no smaller weight, but for the rounding


def test_weights_follow_one_worked_case() -> None:
    total = 1 << TOTAL_BITS
    assert quantize(np.array([1, 1])).tolist() == [total // 2, total // 2]
    # 1 each, then the rest 2^20 - 3 in thirds: 349524 each and 1 left, to the first.
    assert quantize(np.array([5, 5, 5])).tolist() == [349526, 349525, 349525]


@given(st.lists(st.tuples(st.sampled_from(TABLED), st.integers(0, 2), st.integers(0, 40)), max_size=8), st.integers(0))
def test_symbols_come_back_whatever_models_follow_each_other(runs: list[tuple[str, int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    pieces = [rng.integers(TABLES.codes, size=n).astype(np.int32) for _, _, n in runs]
    writer = SymbolWriter()
    for (entropy_model, level, _), symbols in zip(runs, pieces, strict=True):
        writer.write(symbols, TABLES.model(entropy_model, level))
    reader = SymbolReader(writer.getvalue())
    for (entropy_model, level, n), symbols in zip(runs, pieces, strict=True):
        assert np.array_equal(reader.read(n, TABLES.model(entropy_model, level)), symbols)


@pytest.mark.parametrize("entropy_model", TABLED)
@pytest.mark.parametrize("count", [1, 10, 100, 1000, 10000])
def test_sizes_stay_within_two_bytes_and_one_thousandth_of_the_cross_entropy(entropy_model: str, count: int) -> None:
    tables = skewed_tables(1024)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        symbols = rng.choice(1024, count, p=tables.weights[0] / tables.weights[0].sum()).astype(np.int32)
        writer = SymbolWriter()
        writer.write(symbols, tables.model(entropy_model, 0))
        ideal_bytes = tables.cost_bits(entropy_model, 0, symbols) / 8
        assert ideal_bytes - 4 <= len(writer.getvalue()) <= ideal_bytes * 1.001 + 2


@pytest.mark.parametrize("count", [1, 7, 100, 3000])
def test_what_symbols_cost_is_enough_for_the_coder_and_hardly_more(count: int) -> None:
    tables = skewed_tables(1024)
    gaps = []
    for seed in range(300 if count < 1000 else 60):
        rng = np.random.default_rng(seed)
        writer, cost, level = SymbolWriter(), 0, seed % 3
        symbols = rng.choice(1024, count, p=tables.weights[level] / 2**TOTAL_BITS).astype(np.int32)
        writer.write(symbols, tables.model("static", level))
        cost = tables.cost("static", level)[symbols].sum()
        gaps.append(int(size_bytes(np.array(cost), np.array(count))) - len(writer.getvalue()))
    assert min(gaps) >= 0 and np.mean(gaps) < 0.3 + count / 8000


@given(st.integers(2, 5000), st.integers(1, 4999), st.integers(0, 300), st.booleans())
def test_extreme_probabilities_and_runs_come_back(total: int, ones: int, n: int, symbol: bool) -> None:
    flags = np.full(n, symbol, np.int32)  # runs at either end of the interval: where carries pend
    biased = categorical(np.array([total - min(ones, total - 1), min(ones, total - 1)]))
    writer = SymbolWriter()
    writer.write(flags, biased)
    writer.write(7, uniform(1000))
    reader = SymbolReader(writer.getvalue())
    assert np.array_equal(reader.read(n, biased), flags)
    assert reader.read(1, uniform(1000))[0] == 7


def test_nothing_written_is_no_byte() -> None:
    assert SymbolWriter().getvalue() == b""


def test_a_cost_is_minus_the_sum_of_log_probabilities() -> None:
    tables = Tables.from_counts(np.array([[1, 1, 1, 5]] * 3))
    p = tables.weights[1] / 2**TOTAL_BITS
    expected = -np.log2(p[[3, 3, 0]]).sum()
    assert tables.cost_bits("static", 1, np.array([3, 3, 0], np.int32)) == pytest.approx(expected, abs=3 * 2**-16)
    assert tables.cost_bits("uniform", 1, np.array([3, 3, 0], np.int32)) == 6
    assert tables.least_bits("uniform") == 2
    assert tables.least_bits("static") == pytest.approx(-np.log2(p[3]), abs=2**-16)


@pytest.mark.parametrize("counts", [np.ones((3, 3), int), np.ones((2, 4), int), np.ones((3, 1), int)])
def test_tables_of_another_shape_are_refused(counts: np.ndarray) -> None:
    with pytest.raises(CheckpointError, match="power of two"):
        Tables.from_counts(counts)


def test_coarse_counts_of_no_row_of_codebooks_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"K/2 \+ K/4"):
        Tables.from_counts(np.ones((3, 16), int), np.ones(11, int))


def test_a_count_of_zero_is_refused() -> None:
    with pytest.raises(CheckpointError, match="from 1 to"):
        Tables.from_counts(np.array([[1, 0]] * 3))


def test_no_bytes_make_the_reader_fail_in_another_way() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        try:
            symbols = SymbolReader(rng.bytes(int(rng.integers(0, 40)))).read(60, TABLES.model("static", 0))
        except BitstreamError:
            continue
        assert 0 <= symbols.min() and symbols.max() < TABLES.codes


def test_constriction_writes_words_of_four_bytes() -> None:
    coder = queue.RangeEncoder()
    coder.encode(1, model.Uniform(2))
    words = coder.get_compressed()
    assert words.dtype == np.uint32 and len(words) == 1


def test_constriction_wants_symbols_of_32_bits() -> None:
    with pytest.raises((TypeError, ValueError)):
        queue.RangeEncoder().encode(np.zeros(3, np.int64), model.Uniform(2))


def test_constriction_refuses_symbols_outside_the_model() -> None:
    with pytest.raises(KeyError):
        queue.RangeEncoder().encode(np.array([4], np.int32), TABLES_OF_FOUR.model("static", 0))


def test_constriction_decodes_past_the_end_without_an_error() -> None:
    decoder = queue.RangeDecoder(np.zeros(0, np.uint32))
    assert len(decoder.decode(model.Uniform(4), 1000)) == 1000


TABLES_OF_FOUR = Tables.from_counts(np.ones((3, 4), int))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 10), st.integers(0, 2**20), st.sampled_from([1.0, 30.0]))
def test_symbols_of_many_models_in_one_call_give_the_bytes_of_one_by_one(bits: int, seed: int, skew: float) -> None:
    rng = np.random.default_rng(seed)
    rows = [quantize((rng.random(1 << bits) ** skew * 10**6).astype(np.int64) + 1) for _ in range(7)]
    rows += [np.concatenate([row[: len(row) // 2], [9]]) for row in rows]  # other numbers of symbols, smaller sums
    which = rng.integers(0, len(rows), 200)
    symbols = np.array([rng.choice([0, len(rows[row]) - 1, rng.integers(len(rows[row]))]) for row in which], np.int32)
    one_by_one, together = SymbolWriter(), SymbolWriter()
    for symbol, row in zip(symbols, which, strict=True):
        one_by_one.write(int(symbol), categorical(rows[row]))
    below = [np.concatenate([[0], row.cumsum()]).astype(np.int32) for row in rows]
    sums = [
        (len(rows[row]), below[row][symbol], below[row][symbol + 1], below[row][-1])
        for symbol, row in zip(symbols, which, strict=True)
    ]
    together.write_spans(*spans(symbols, *np.array(sums, np.int32).T))
    assert together.getvalue() == one_by_one.getvalue()
