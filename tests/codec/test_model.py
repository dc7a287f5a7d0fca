"""Codec: the whole way, on any size, and its weights on disk."""

from pathlib import Path

import numpy as np
import pytest
import torch

from codec import checkpoint
from codec.errors import CheckpointError, RequestError
from codec.model import Codec
from tests.codec.tiny import TINY, photograph, tiny_codec, tiny_tensors


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (48, 31), (100, 75)])
@pytest.mark.parametrize("ratios", [(0.0, 0.0, 1.0), (0.2, 0.3, 0.5), (1.0, 0.0, 0.0)])
def test_no_pixel_is_lost_at_any_size(size: tuple[int, int], ratios: tuple[float, float, float]) -> None:
    codec = tiny_codec()
    tokens = codec.encode(photograph(*size), ratios=ratios)
    received, corrupt = codec.from_slices(tokens.grid, codec.to_slices(tokens, 1 if size == (16, 16) else 2))
    assert corrupt == 0
    assert np.array_equal(received.index, tokens.index) and np.array_equal(received.level, tokens.level)
    assert codec.decode(codec.conceal([received]), size).shape == (1, *size, 3)


def test_a_missing_slice_leaves_holes_and_no_wrong_token() -> None:
    codec = tiny_codec()
    tokens = codec.encode(photograph(96, 96), ratios=(0.2, 0.3, 0.5))
    slices = codec.to_slices(tokens, 4)
    received, _ = codec.from_slices(tokens.grid, [s for s in slices if s.index != 2])
    assert not received.known.all()
    again, _ = codec.from_slices(tokens.grid, slices)
    assert received.known.sum() == again.known.sum() - slices[2].tokens


def test_encoding_in_batches_equals_encoding_alone() -> None:
    codec = tiny_codec()
    frames = np.stack([photograph(64, 64, seed) for seed in range(5)])
    for tokens, frame in zip(codec.encode_batch(frames, bpp=None), frames, strict=True):
        assert np.array_equal(tokens.index, codec.encode(frame).index)


def test_ratios_that_are_no_shares_are_refused() -> None:
    with pytest.raises(RequestError, match="sum to 1"):
        tiny_codec().encode(photograph(32, 32), ratios=(0.5, 0.5, 0.5))


def write(folder: Path, **changes: object) -> None:
    tokenizer, predictor = tiny_tensors()
    checkpoint.save(folder / "tokenizer.safetensors", "tokenizer", TINY, tokenizer, {"steps": "0"})
    checkpoint.save(folder / "predictor.safetensors", "predictor", TINY, predictor, {"steps": "0"})


def test_saved_weights_load_and_decode_alike(tmp_path: Path) -> None:
    write(tmp_path)
    codec, fresh = Codec.load(tmp_path), tiny_codec()
    frame = photograph(48, 64)
    assert np.array_equal(codec.encode(frame).index, fresh.encode(frame).index)
    assert codec.hash != fresh.hash  # real hash against the made-up one


def test_weights_without_smaller_codebooks_derive_them_and_say_so_in_their_hash(tmp_path: Path) -> None:
    write(tmp_path)
    path, whole = tmp_path / "tokenizer.safetensors", Codec.load(tmp_path)
    stored = {n: t for n, t in checkpoint.load(path, "tokenizer")[1].items() if not n.startswith("coarse_")}
    checkpoint.save(path, "tokenizer", TINY, stored, {})
    derived = Codec.load(tmp_path)
    assert derived.hash == whole.hash != checkpoint.load(path, "tokenizer")[2]
    assert torch.equal(derived.coarse_books[0].codewords, whole.coarse_books[0].codewords)


def test_smaller_codebooks_of_another_count_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    tokenizer, _ = tiny_tensors()
    for name in ("coarse_codewords", "coarse_histogram"):
        broken = tokenizer | {name: tokenizer[name][:5]}
        checkpoint.save(tmp_path / "tokenizer.safetensors", "tokenizer", TINY, broken, {})
        with pytest.raises(CheckpointError, match="coarse"):
            Codec.load(tmp_path)


def test_the_hash_knows_the_tokenizer_and_not_the_predictor(tmp_path: Path) -> None:
    write(tmp_path)
    before = Codec.load(tmp_path).hash
    _, predictor = tiny_tensors(seed=9)
    checkpoint.save(tmp_path / "predictor.safetensors", "predictor", TINY, predictor, {})
    assert Codec.load(tmp_path).hash == before


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such weights file"):
        Codec.load(tmp_path)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "tokenizer.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 0x40
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="do not match the hash"):
        Codec.load(tmp_path)
    path.write_bytes(data[:100])
    with pytest.raises(CheckpointError, match="not a readable safetensors"):
        Codec.load(tmp_path)


def test_weights_of_another_format_say_which_is_needed(tmp_path: Path) -> None:
    write(tmp_path)
    from safetensors.torch import load_file, save_file

    path = tmp_path / "tokenizer.safetensors"
    save_file(load_file(path), path, {"format": "7", "network": "tokenizer"})
    with pytest.raises(CheckpointError, match="format 2 are needed, got '7'"):
        Codec.load(tmp_path)


def test_swapped_files_are_noticed(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "predictor.safetensors").write_bytes((tmp_path / "tokenizer.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="the predictor is needed"):
        Codec.load(tmp_path)


def test_weights_of_other_shapes_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    tokenizer, _ = tiny_tensors()
    tokenizer["encoder.stem.weight"] = torch.zeros(3, 3, 3, 3)
    checkpoint.save(tmp_path / "tokenizer.safetensors", "tokenizer", TINY, tokenizer, {})
    with pytest.raises(CheckpointError, match="another version"):
        Codec.load(tmp_path)
