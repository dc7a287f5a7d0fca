"""Tables by neighbours, fitted: they learn what there is to learn, and survive the way through a file."""

from pathlib import Path

import numpy as np
import pytest

from codec import checkpoint
from codec.config import LEVELS
from codec.entropy import SymbolWriter
from codec.errors import CheckpointError
from codec.model import Codec
from codec.neighbour_tables import NAMES, NeighbourTables, NeighbourWeights
from codec.parts import known_of
from codec.tokens import from_dense
from codec.training import neighbour_tables as training
from codec.training.neighbour_tables import fit_neighbours, samples_of
from codec.training.token_maps import TokenMaps
from tests.codec.tiny import TINY, photograph, tiny_tensors

CODES, SIDE, BLOCKS = 16, 16, 256


def pictures_of_tiles(count: int) -> list[TokenMaps]:
    """Every token like its neighbours, but where tiles of 4x4 tokens meet."""
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(count):
        tiles = [rng.integers(CODES, size=(SIDE << level >> 2,) * 2) for level in range(LEVELS)]
        maps = [np.kron(tile, np.ones((4, 4), int)).astype(np.int16) for tile in tiles]
        pictures.append(TokenMaps(maps, rng.random((SIDE, SIDE)), rng.random((2 * SIDE, 2 * SIDE))))
    return pictures


def test_tables_learn_that_tokens_are_like_their_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "STEPS", 150)
    rng = np.random.default_rng(0)
    codewords = [rng.normal(size=(CODES + 8 * (level == 0), 4)).astype(np.float32) for level in range(LEVELS)]
    codewords = [words / np.linalg.norm(words, axis=1, keepdims=True) for words in codewords]
    picture, *others = pictures_of_tiles(12)
    samples = [samples_of(maps, [maps.indices[0] >> 1], codewords, seed) for seed, maps in enumerate(others)]
    tensors = fit_neighbours(samples, codewords)
    tables = NeighbourTables(NeighbourWeights(*(tensors[name].numpy() for name in NAMES)), CODES, [8])
    for level in range(LEVELS):
        tokens = from_dense(picture.indices, np.full((2 * SIDE, 2 * SIDE), level, np.uint8))
        known = known_of(tokens.level, tokens.grid, np.arange(BLOCKS), np.zeros(BLOCKS, np.uint8))
        (cost,) = tables.write([SymbolWriter()], [known], [tokens.index])
        assert cost / 2**16 / len(tokens) < 3  # of 4 bits


def test_weights_on_disk_may_hold_tables_by_neighbours_or_not(tmp_path: Path) -> None:
    tokenizer, predictor = tiny_tensors()
    rng = np.random.default_rng(0)
    pictures = [TokenMaps([m % TINY.codes for m in maps.indices], *maps[1:]) for maps in pictures_of_tiles(2)]
    codewords = [rng.normal(size=(TINY.codes + 8 * (level == 0), 4)).astype(np.float32) for level in range(LEVELS)]
    samples = [samples_of(maps, [maps.indices[0] >> 1], codewords, 0) for maps in pictures]
    checkpoint.save(tmp_path / "predictor.safetensors", "predictor", TINY, predictor, {})
    path, whole = tmp_path / "tokenizer.safetensors", tokenizer | fit_neighbours(samples, codewords)
    models = []
    for tensors in (tokenizer, whole):
        checkpoint.save(path, "tokenizer", TINY, tensors, {})
        codec = Codec.load(tmp_path)
        tokens = codec.encode(photograph(64, 96), (0.1, 0.4, 0.5))
        slices = codec.to_slices(tokens, 3)
        assert codec.from_slices(tokens.grid, slices) == (tokens, 0)
        models.append(slices[0].data[0] & 3)
    assert models == [1, 3]
    checkpoint.save(path, "tokenizer", TINY, {n: t for n, t in whole.items() if n != NAMES[1]}, {})
    with pytest.raises(CheckpointError, match="neighbour_hidden: tables by neighbours come together"):
        Codec.load(tmp_path)
