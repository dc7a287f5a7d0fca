"""Bitstream: what arrives is right or unknown, never wrong; files are read for ever.

The golden file was written once, by `write_golden`. It is not to be made again: a new version of the
format gets a golden of its own beside it.
"""

import dataclasses
import json
import re
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.bitstream import TokenSlice, assemble, encode_slices, grid_of
from codec.books import book_of_block, check_codes
from codec.entropy import TABLED
from codec.errors import BitstreamError, RequestError
from codec.interleave import METHODS, STEP_DOWN, STEP_RIGHT
from codec.neighbour_tables import NeighbourTables, NeighbourWeights
from codec.slices import Flags, Place, decode_slice
from codec.tables import Tables
from codec.tokens import FULL, Books, Tokens, block_of, from_dense
from codec.vqs import VqsFile, overhead_bytes, read_vqs, write_vqs
from tests.codec.made import CODES, HASH, OTHER_HASH, TABLES, any_tokens, random_tokens, skewed_tables

GOLDEN = Path(__file__).parent.parent / "golden"


def slices_of(
    tokens: Tokens, count: int = 4, method: str = "low_discrepancy", model: str = "static"
) -> list[TokenSlice]:
    count = min(count, tokens.grid[0] * tokens.grid[1])
    return encode_slices(tokens, count, method, model, TABLES, HASH)


def joined(tokens: Tokens, slices: list[TokenSlice]) -> tuple[Tokens, int]:
    return assemble(tokens.grid, slices, TABLES, HASH)


def holds_no_wrong_token(sent: Tokens, got: Tokens) -> bool:
    """Every known token of `got` is the token that was sent there; unknown ones are coarse."""
    lost = np.zeros(sent.grid[0] * sent.grid[1], bool)
    lost[block_of(got)[~got.known]] = True
    kept = ~lost[block_of(sent)]
    return (
        np.array_equal(got.level[got.known], sent.level[kept])
        and np.array_equal(got.index[got.known], sent.index[kept])
        and bool((got.level[~got.known] == 0).all())
    )


@given(any_tokens, st.integers(1, 9), st.sampled_from(METHODS), st.sampled_from(TABLED), st.data())
def test_any_slices_in_any_order_give_no_wrong_token(
    tokens: Tokens, count: int, method: str, model: str, data: st.DataObject
) -> None:
    slices = slices_of(tokens, count, method, model)
    assert sum(piece.tokens for piece in slices) == len(tokens)
    assert joined(tokens, slices) == (tokens, 0)
    arrived = data.draw(st.lists(st.sampled_from(slices)))
    got, corrupt = joined(tokens, arrived)
    assert corrupt == 0 and holds_no_wrong_token(tokens, got)
    assert got.known.sum() == sum(slices[i].tokens for i in {piece.index for piece in arrived})


@given(any_tokens, st.sampled_from(METHODS), st.data())
def test_one_damaged_bit_is_always_noticed(tokens: Tokens, method: str, data: st.DataObject) -> None:
    # A CRC finds every single bit, so this holds without exception.
    slices = slices_of(tokens, method=method)
    victim = data.draw(st.sampled_from(slices))
    bit = data.draw(st.integers(0, 8 * len(victim.data) - 1))
    damaged = bytearray(victim.data)
    damaged[bit // 8] ^= 1 << bit % 8
    slices[victim.index] = dataclasses.replace(victim, data=bytes(damaged))
    got, corrupt = joined(tokens, slices)
    assert corrupt == 1 and holds_no_wrong_token(tokens, got)
    assert got.known.sum() == len(tokens) - victim.tokens


def test_truncation_and_noise_are_noticed_at_every_length() -> None:
    # A CRC of 16 bits lets 1 in 65536 of these pass; these seeds are none of them.
    # Noise may say it is of the model context, whose checksum comes last: then the payload is found wrong first.
    tokens = random_tokens((5, 6), books=Books(2, 77))
    rng = np.random.default_rng(0)
    for piece in slices_of(tokens):
        for length in range(len(piece.data)):
            for data in (piece.data[:length], piece.data[:length] + rng.bytes(len(piece.data) - length + 1)):
                with pytest.raises(
                    BitstreamError, match=rf"slice {piece.index} of 4, offset \d+, (flags|cut|payload|checksum)"
                ):
                    decode_slice(data, Place(piece.index, 4, tokens.grid, HASH), TABLES)


@pytest.mark.parametrize(
    "change",
    [{"index": 1}, {"count": 5}, {"grid": (6, 5)}, {"grid": (5, 7)}, {"model_hash": OTHER_HASH}],
    ids=["other slice", "other count", "turned picture", "wider picture", "other model"],
)
def test_a_slice_at_the_wrong_place_is_noticed(change: dict[str, object]) -> None:
    tokens = random_tokens((5, 6))
    place = Place(0, 4, (5, 6), HASH)
    data = slices_of(tokens)[0].data
    assert len(decode_slice(data, place, TABLES).level)
    with pytest.raises(BitstreamError, match="checksum: does not match"):
        decode_slice(data, dataclasses.replace(place, **change), TABLES)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", [(4, 4), (-1, 4), (0, 0), (0, 31), (0, 256)])
def test_a_slice_that_cannot_be_is_refused(place: tuple[int, int]) -> None:
    with pytest.raises(BitstreamError, match="has no such slice"):
        decode_slice(bytes(10), Place(*place, (5, 6), HASH), TABLES)


def sealed(body: bytes, grid: tuple[int, int]) -> bytes:
    """A slice with a right checksum and any content: what an adversary sends."""
    return body + Place(0, 1, grid, HASH).checksum(body).to_bytes(2)


@pytest.mark.parametrize(
    ("body", "grid", "message"),
    [
        (b"\x03" + bytes(9), (5, 6), "offset 1, payload: coded with tables by neighbours"),
        (b"\x02" + bytes(9), (5, 6), "offset 1, payload: the entropy model context needs the masked transformer"),
        (b"\x40\x00", (5, 6), "offset 2, payload: of a book below 4, got 4"),
        (b"\x30\xff", (5, 6), "offset 1, cut: must be below 255, got 255"),
        (b"\x00" + bytes(16), (1024, 1024), "offset 1, payload: too short for 1048576 blocks"),
        (b"\x10\x80" + bytes(10), (1024, 1024), "offset 2, payload: too short for 1048576 blocks"),
        (b"\x00" + b"\xff" * 40, (5, 6), "offset 1, payload: bytes that no symbols have"),
    ],
)
def test_content_with_a_right_checksum_is_checked_again(body: bytes, grid: tuple[int, int], message: str) -> None:
    with pytest.raises(BitstreamError, match=message):
        decode_slice(sealed(body, grid), Place(0, 1, grid, HASH), TABLES)


def test_any_payload_with_a_right_checksum_gives_valid_tokens_or_an_error() -> None:
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(500):
        body = bytes([0x04 | int(rng.integers(2)) | int(rng.integers(4)) << 4]) + b"\x60" + rng.bytes(60)
        try:
            part = decode_slice(sealed(body, (3, 4)), Place(0, 1, (3, 4), HASH), TABLES)
        except BitstreamError:
            refused += 1
            continue
        check_codes(Tokens((3, 4), part.level, part.index, np.ones(len(part.level), bool), part.books), CODES)
    assert 0 < refused < 500  # counts that disagree with their flags are found


@pytest.mark.parametrize("count", [1, 4])
def test_all_coarse_kodak_at_1024_codewords_fits_into_0_042_bits_per_pixel(count: int) -> None:
    tables = skewed_tables(1024)
    tokens = random_tokens((32, 48), split=0, tables=tables)
    slices = encode_slices(tokens, count, "low_discrepancy", "uniform", tables, HASH)
    file = write_vqs((512, 768), slices, HASH)
    assert 8 * len(file) / (512 * 768) <= 0.042
    # Header, ten bits for each of 1536 tokens and what is set aside for the coder, length and checksum.
    assert len(file) == 11 + 1920 + count + 4 * count


@pytest.mark.parametrize("model", TABLED)
@pytest.mark.parametrize("count", [1, 4, 16])
def test_payloads_stay_within_one_percent_and_two_bytes_of_the_cross_entropy(model: str, count: int) -> None:
    tokens = random_tokens((32, 48), split=0)
    slices = encode_slices(tokens, count, "low_discrepancy", model, TABLES, HASH)
    ideal_bytes = TABLES.cost_bits(model, 0, tokens.index) / 8
    assert sum(len(piece.data) - 3 for piece in slices) <= 1.01 * ideal_bytes + 2 * count


@given(any_tokens, st.integers(1, 5), st.integers(1, 16), st.integers(1, 16), st.sampled_from(METHODS))
def test_files_come_back_whole(tokens: Tokens, count: int, rows: int, cols: int, method: str) -> None:
    size = (max(16, 16 * tokens.grid[0] - rows + 1), max(16, 16 * tokens.grid[1] - cols + 1))
    slices = slices_of(tokens, count, method)
    file = read_vqs(write_vqs(size, slices, HASH), model_hash=HASH)
    assert file.slices == tuple(slices)
    assert file.size == size and file.model == HASH[:2]
    assert file.flags == Flags("static", bool(tokens.level.any()), method, tokens.books)


FILE = write_vqs((80, 96), slices_of(random_tokens((5, 6), books=Books(2, 77))), HASH)


def patched(offset: int, new: bytes) -> bytes:
    return FILE[:offset] + new + FILE[offset + len(new) :]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x.vqs, offset 0, header: must have 11 bytes, got 0"),
        (patched(0, b"PK"), "offset 0, magic: a .vqs file starts with b'VQ', got b'PK'"),
        (patched(2, b"\x04"), "offset 2, version: this reader knows versions 2 and 3, got 4"),
        (patched(2, b"\x01"), "offset 2, version: this reader knows versions 2 and 3, got 1. Encode the picture again"),
        (patched(4, b"\x00\x0f"), "offset 4, height: must be from 16 to 16384, got 15"),
        (patched(6, b"\xff\xff"), "offset 6, width: must be from 16 to 16384, got 65535"),
        (patched(8, b"\xff"), "offset 8, model: the weights at hand are 0001, got 'ff01'"),
        (patched(10, b"\x00"), "offset 10, slices: must be from 1 to 30, got 0"),
        (patched(10, b"\x1f"), "offset 10, slices: must be from 1 to 30, got 31"),
        (patched(11, b"\xff"), "offset 11, cut: must be below 255, got 255"),
        (FILE[:11], "offset 11, cut: the file ends before it"),
        (patched(12, b"\x01"), "offset 12, length of slice 0: must be from 2"),
        (patched(12, b"\xff\xff\xff\xff"), "offset 12, length of slice 0: no end of it within 4 bytes"),
        (FILE[:-1], "length of slice 3: must be from 2 to"),
        (FILE[:12], "offset 12, length of slice 0: no end of it"),
        (FILE + b"!", f"offset {len(FILE)}: the file must end here"),
    ],
)
def test_a_broken_file_is_told_by_offset_and_field(data: bytes, message: str) -> None:
    with pytest.raises(BitstreamError) as caught:
        read_vqs(data, "x.vqs", HASH)
    assert message in str(caught.value)


def test_no_cut_or_single_bit_of_a_file_gives_a_wrong_token() -> None:
    sent = random_tokens((5, 6), books=Books(2, 77))
    for bit in range(8 * len(FILE)):
        data = bytearray(FILE)
        data[bit // 8] ^= 1 << bit % 8
        try:
            file: VqsFile = read_vqs(bytes(data), model_hash=HASH)
        except BitstreamError:
            continue
        got, corrupt = assemble((5, 6), file.slices, TABLES, HASH)
        # The height and width within the last block are the only bits no checksum covers.
        assert corrupt or file.size != (80, 96)
        assert holds_no_wrong_token(sent, got)
    for length in range(len(FILE)):
        with pytest.raises(BitstreamError):
            read_vqs(FILE[:length])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (b"\xf1\x20\x00", "offset 1, flags: must say checkerboard, and a book below 15, got 'f120'"),
        (b"\xf9\x02", "offset 1, flags: must say checkerboard"),
        (b"\xf1\xf2\x00", "offset 1, flags: must say checkerboard"),
        (b"\xf1\x22\xff", "offset 2, cut: must be below 255, got 255"),
        (b"\xf1", "offset 0, flags: flags and checksum have at least [45] bytes, got 3"),
    ],
)
def test_more_flags_that_cannot_be_are_refused(flags: bytes, message: str) -> None:
    with pytest.raises(BitstreamError, match=message):
        decode_slice(sealed(flags, (5, 6)), Place(0, 1, (5, 6), HASH), TABLES)


def test_the_second_byte_of_flags_stands_before_the_cut() -> None:
    tokens = random_tokens((5, 6), books=Books(2, 77))
    slices = slices_of(tokens, method="checkerboard")
    assert [piece.data[:3] for piece in slices] == [bytes((0xF5, 0x22, 77))] * 4  # static, mixed
    file = write_vqs((80, 96), slices, HASH)
    assert file[3] == 0xF5 and file[11:13] == bytes((0x22, 77))
    for length in (11, 12):
        with pytest.raises(BitstreamError, match=f"offset {length}, cut: the file ends before it"):
            read_vqs(file[:length])


def peak_bytes(work: Callable[[], object]) -> int:
    """Most memory that numpy and Python held at a time, beyond what they held before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_tiny_file_that_declares_a_huge_picture_is_refused_before_anything_is_set_up() -> None:
    data = patched(4, b"\x40\x00\x40\x00")  # 16384x16384: a map of its blocks alone would take 8 MB

    def refuse() -> None:
        with pytest.raises(BitstreamError, match=r"offset 13, payload of slice 0: too short for 262144 blocks"):
            read_vqs(data, "stream", HASH, TABLES)

    refuse()
    assert peak_bytes(refuse) < 100_000


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """Processor time of the fastest of some calls."""
    spent = []
    for _ in range(times):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def test_no_bytes_cost_more_than_a_valid_stream_of_the_size_they_declare() -> None:
    grid = (40, 48)
    finest = encode_slices(random_tokens(grid, 1, 1), 1, "raster", "static", TABLES, HASH)
    valid = [finest, encode_slices(random_tokens(grid, 0.5, 0.5), 1, "raster", "static", TABLES, HASH)]
    works = [partial(assemble, grid, slices, TABLES, HASH) for slices in valid]
    limit_s, limit_bytes = max(map(seconds, works)), max(map(peak_bytes, works))
    rng = np.random.default_rng(8)
    length = len(finest[0].data) - 3
    for flags in (b"\x00", b"\x04", b"\x05", b"\x35\x50", b"\xf5\x02"):
        for noise in (rng.bytes(length), bytes(length), b"\xff" * length, rng.bytes(length // 5)):
            work = partial(assemble, grid, [TokenSlice(0, 1, 0, sealed(flags + noise, grid))], TABLES, HASH)
            assert seconds(work) < 2 * limit_s
            assert peak_bytes(work) < 1.2 * limit_bytes


def test_slices_of_other_codebooks_than_the_first_are_damaged() -> None:
    grid = (5, 6)
    mine, other = (slices_of(random_tokens(grid, books=books)) for books in (FULL, Books(1)))
    got, corrupt = joined(random_tokens(grid), [mine[0], other[1], mine[2]])
    assert corrupt == 1 and got.books == FULL and got.known.sum() == mine[0].tokens + mine[2].tokens


@given(st.binary(max_size=60), st.sampled_from([b"", b"VQ\x02", FILE[:10], FILE[:12], FILE[:40]]))
def test_any_bytes_are_a_valid_picture_or_an_error_that_names_offset_and_field(tail: bytes, head: bytes) -> None:
    try:
        file = read_vqs(head + tail, "x.vqs", HASH, TABLES)
    except BitstreamError as error:
        assert re.match(r"x\.vqs, offset \d+(, [a-z ]+\d*)?: ", str(error))
        return
    grid = grid_of(file.size)
    tokens, corrupt = assemble(grid, file.slices, TABLES, HASH)
    check_codes(tokens, CODES)  # and Tokens checked themselves
    assert corrupt + bool(tokens.known.any()) >= 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [1, 4, 16])
@pytest.mark.parametrize(
    ("split", "fine", "books"), [(0, 0, FULL), (0, 0, Books(2, 9)), (0.5, 0.3, FULL), (1, 1, FULL)]
)
def test_a_container_adds_12_bytes_and_4_a_slice_at_most(
    count: int, split: float, fine: float, books: Books, method: str
) -> None:
    tables = skewed_tables(1024)
    tokens = random_tokens((32, 48), split, fine, tables=tables, books=books)
    slices = encode_slices(tokens, count, method, "static", tables, HASH)
    file = write_vqs((512, 768), slices, HASH)
    more = method == "checkerboard"  # has one byte more of flags
    head = 1 + more + (books.book > 0)
    payloads = sum(len(piece.data) - head - 2 for piece in slices)
    assert len(file) - payloads <= 12 + more + 4 * count
    assert sum(len(piece.data) for piece in slices) - payloads <= (4 + more) * count
    sizes = np.array([[len(piece.data) - head - 2 for piece in slices]])
    assert overhead_bytes(sizes, np.array([books.book > 0]), method, True)[0] == len(file) - payloads


@given(st.lists(st.integers(1, 40000), min_size=1, max_size=12), st.integers(0, 2**20))
@settings(deadline=None)
def test_files_of_long_slices_come_back_with_the_overhead_foretold(sizes: list[int], seed: int) -> None:
    rng, flags = np.random.default_rng(seed), Flags("uniform", False, "raster", FULL).pack()
    pieces = [TokenSlice(i, len(sizes), 0, flags + rng.bytes(size) + rng.bytes(2)) for i, size in enumerate(sizes)]
    data = write_vqs((512, 768), pieces, HASH)
    assert data[2] == (3 if max(sizes) + 2 >= 1 << 14 else 2)
    assert [piece.data for piece in read_vqs(data).slices] == [piece.data for piece in pieces]
    assert overhead_bytes(np.array([sizes]), np.array([False]), "raster", True)[0] == len(data) - sum(sizes)


def test_long_files_cut_short_are_refused_or_hold_no_whole_slice() -> None:
    tokens = random_tokens((96, 96), 1, 1)
    slices = slices_of(tokens, 3)
    data = write_vqs((1536, 1536), slices, HASH)
    assert data[2] == 3 and joined(tokens, list(read_vqs(data, "x", HASH, TABLES).slices)) == (tokens, 0)
    for other in (data[:-1], data[:-5000], data[: len(data) // 2], data + bytes(9)):
        try:
            found = read_vqs(other, "x", HASH, TABLES)
        except BitstreamError:
            continue
        assert joined(tokens, list(found.slices))[1] == 3


@pytest.mark.parametrize("size", [16_000, 17_000, 100_000, 3_000_000])
@pytest.mark.parametrize("count", [1, 2, 4, 32])
def test_long_slices_have_no_more_overhead_than_short_ones(count: int, size: int) -> None:
    sizes = size + np.random.default_rng(0).integers(-size // 100, size // 100, (50, count)).clip(-4000, 4000)
    assert overhead_bytes(sizes, np.zeros(50, bool), "raster", True).max() <= 12 + 4 * count


@pytest.mark.slow
def test_coding_reaches_five_and_three_million_tokens_a_second() -> None:
    tables = skewed_tables(1024)
    tokens = random_tokens((128, 192), 1, 1, tables=tables)  # 393,216 fine tokens: 3072x2048 pixels
    slices: list[TokenSlice] = []
    encode_s = seconds(lambda: slices.extend(encode_slices(tokens, 4, "low_discrepancy", "static", tables, HASH)))
    decode_s = seconds(lambda: assemble((128, 192), slices[:4], tables, HASH))
    assert len(tokens) / encode_s >= 5e6 and len(tokens) / decode_s >= 3e6


def test_requests_that_cannot_be_met_are_refused() -> None:
    tokens = random_tokens((2, 2))
    for count in (0, 5):
        with pytest.raises(RequestError, match="from 1 to 4"):
            encode_slices(tokens, count, "raster", "static", TABLES, HASH)
    with pytest.raises(RequestError, match="Available: uniform, static, context"):
        encode_slices(tokens, 1, "raster", "contextual", TABLES, HASH)
    with pytest.raises(ValueError, match="4 lost tokens"):
        encode_slices(assemble((2, 2), [], TABLES, HASH)[0], 1, "raster", "static", TABLES, HASH)
    with pytest.raises(RequestError, match="at most 16384 pixels"):
        encode_slices(random_tokens((1, 1025), split=0), 1, "raster", "static", TABLES, HASH)
    slices = slices_of(tokens)
    with pytest.raises(RequestError, match="every slice"):
        write_vqs((32, 32), slices[1:], HASH)
    with pytest.raises(RequestError, match="from 16 to 16384"):
        write_vqs((32, 15), slices, HASH)


# One golden for each of: mixed granularity, two coarse codebooks, both at once; another model, order and slices; the
# second byte of flags.
GOLDENS = {
    "mixed": (True, FULL, "static", "low_discrepancy", 3),
    "books": (False, Books(1, 100), "static", "low_discrepancy", 1),
    "all": (True, Books(1, 40), "uniform", "raster", 5),
    "checkerboard": (True, Books(1, 40), "static", "checkerboard", 3),
}


def write_goldens() -> None:
    """Made the golden files, once: 50x61 pixels, indices 7 n mod 16 or 8, from made-up tables."""
    counts = [[1 + (5 * level + code * code) % 40 for code in range(16)] for level in range(3)]
    coarse_counts = [3, 1, 4, 1, 5, 9, 2, 6]
    tables = Tables.from_counts(np.array(counts), np.array(coarse_counts))
    for name, (mixed, books, model, method, count) in GOLDENS.items():
        quarters = np.array([[0, 0, 1, 2, 0, 0, 2, 2], [0, 0, 1, 1, 0, 0, 2, 2]] * 4, np.uint8) * np.uint8(mixed)
        index = [(7 * np.arange(16 << 2 * level) % 16).reshape(4 << level, 4 << level) for level in range(3)]
        index[0] >>= book_of_block((4, 4), books).reshape(4, 4)
        tokens = from_dense(index, quarters, books)
        slices = encode_slices(tokens, count, method, model, tables, HASH)
        (GOLDEN / f"v2_{name}.vqs").write_bytes(write_vqs((50, 61), slices, HASH))
        facts = {"counts": counts, "coarse_counts": coarse_counts, "books": books}
        facts |= {"level": tokens.level.tolist(), "index": tokens.index.tolist()}
        (GOLDEN / f"v2_{name}.json").write_text(json.dumps(facts) + "\n")


def write_golden_neighbours() -> None:
    """Made the golden file of the tables by neighbours, once: both books and all levels in two slices."""
    rng, codes = np.random.default_rng(7), 16
    weights = {
        "embedding": rng.integers(-50, 51, (6 * codes + 3 * 8, 4)).tolist(),
        "hidden": rng.integers(-3000, 3000, (3, 3, 8, 5)).tolist(),
        "output": rng.integers(-1000, 1000, (9, 8 + 3 * codes)).tolist(),
    }
    facts = json.loads((GOLDEN / "v2_all.json").read_text()) | weights
    index = [(7 * np.arange(16 << 2 * level) % 16).reshape(4 << level, 4 << level) for level in range(3)]
    books = Books(*facts["books"])
    index[0] >>= book_of_block((4, 4), books).reshape(4, 4)
    quarters = np.array([[0, 0, 1, 2, 0, 0, 2, 2], [0, 0, 1, 1, 0, 0, 2, 2]] * 4, np.uint8)
    tokens = from_dense(index, quarters, books)
    slices = encode_slices(tokens, 2, "low_discrepancy", "static", golden_neighbours(facts), HASH)
    (GOLDEN / "v2_neighbours.vqs").write_bytes(write_vqs((50, 61), slices, HASH))
    (GOLDEN / "v2_neighbours.json").write_text(json.dumps(facts) + "\n")


def golden_neighbours(facts: dict[str, Any]) -> Tables:
    """The made-up tables of a golden file, those by neighbours too."""
    plain = Tables.from_counts(np.array(facts["counts"]), np.array(facts["coarse_counts"]))
    kinds = (("embedding", np.int8), ("hidden", np.int32), ("output", np.int16))
    weights = NeighbourWeights(*(np.array(facts[name], kind) for name, kind in kinds))
    return Tables(plain.weights, plain.coarse, NeighbourTables(weights, 16, [8]))


def test_the_golden_file_of_tables_by_neighbours_decodes_for_ever() -> None:
    facts = json.loads((GOLDEN / "v2_neighbours.json").read_text())
    data = (GOLDEN / "v2_neighbours.vqs").read_bytes()
    file, tables = read_vqs(data, model_hash=HASH), golden_neighbours(facts)
    assert Flags.parse(file.slices[0].data[:2], "").entropy_model == "neighbours"
    tokens, corrupt = assemble((4, 4), file.slices, tables, HASH)
    assert corrupt == 0 and tokens.known.all() and file.size == (50, 61)
    assert tokens.level.tolist() == facts["level"] and tokens.index.tolist() == facts["index"]
    again = encode_slices(tokens, 2, "low_discrepancy", "static", tables, HASH)
    assert write_vqs((50, 61), again, HASH) == data


def golden_long() -> tuple[Tokens, Tables]:
    """Fine blocks to 17,000 bytes of the first slice, fewer tokens in the second; indices spread by squares."""
    counts = 1 + (5 * np.arange(3)[:, None] + np.arange(256) ** 2) % 40
    level = np.zeros((88, 96), np.uint8)
    level[:44], level[44:60] = 2, np.tile([2, 1, 1, 1], 24)
    index = [(np.arange(44 * 48 << 2 * finer) ** 2 // 7 % 251).reshape(44 << finer, -1) for finer in range(3)]
    return from_dense(index, level), Tables.from_counts(counts)


def test_the_golden_file_of_long_slices_decodes_for_ever() -> None:
    """`write_vqs((697, 768), encode_slices(tokens, 2, "raster", "static", tables, HASH), HASH)` made it, once."""
    data, (tokens, tables) = (GOLDEN / "v3_long.vqs").read_bytes(), golden_long()
    file = read_vqs(data, model_hash=HASH)
    assert data[2] == 3 and file.size == (697, 768) and [len(piece.data) > 1 << 14 for piece in file.slices] == [1, 0]
    assert assemble((44, 48), file.slices, tables, HASH) == (tokens, 0)
    assert write_vqs((697, 768), encode_slices(tokens, 2, "raster", "static", tables, HASH), HASH) == data


def test_the_file_in_the_documentation_is_the_golden_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "bitstream.md").read_text()
    dump = re.findall(r"^    [0-9a-f]{2}  ((?:[0-9a-f]{2} ?)+)$", text, re.MULTILINE)
    assert str(STEP_RIGHT) in text and str(STEP_DOWN) in text
    assert bytes.fromhex("".join(dump)) == (GOLDEN / "v2_all.vqs").read_bytes()


@pytest.mark.parametrize("name", GOLDENS)
def test_the_golden_files_of_version_2_decode_for_ever(name: str) -> None:
    facts = json.loads((GOLDEN / f"v2_{name}.json").read_text())
    data = (GOLDEN / f"v2_{name}.vqs").read_bytes()
    tables = Tables.from_counts(np.array(facts["counts"]), np.array(facts["coarse_counts"]))
    file = read_vqs(data, model_hash=HASH)
    tokens, corrupt = assemble((4, 4), file.slices, tables, HASH)
    assert corrupt == 0 and tokens.known.all() and file.size == (50, 61)
    assert tokens.level.tolist() == facts["level"] and tokens.index.tolist() == facts["index"]
    assert tokens.books == Books(*facts["books"])
    _, _, model, method, count = GOLDENS[name]
    again = encode_slices(tokens, count, method, model, tables, HASH)
    assert write_vqs((50, 61), again, HASH) == data
