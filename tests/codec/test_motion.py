"""Pairs of pictures a frame apart, and what the predictor makes of them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from codec.errors import ImageError
from codec.films import clip_files
from codec.latents import condition, condition_channels, latent_maps
from codec.predictor import FrameBefore, Predictor, at_blocks
from codec.training.motion import camera_pair, clip_pairs
from tests.codec.tiny import TINY, photograph, tiny_codec


def test_the_virtual_camera_moves_a_little_or_not_at_all() -> None:
    rng = np.random.default_rng(1)
    photo = photograph(120, 160)
    pairs = [camera_pair(photo, 64, rng) for _ in range(40)]
    assert all(look.shape == (64, 64, 3) for pair in pairs for look in pair)
    still = sum(np.array_equal(*pair) for pair in pairs)
    assert 2 <= still <= 16
    change = np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairs if not np.array_equal(a, b)])
    strangers = np.mean([np.abs(pairs[i][0].astype(float) - pairs[i + 1][0]).mean() for i in range(39)])
    assert change < strangers


def test_a_photograph_without_room_is_taken_whole() -> None:
    before, now = camera_pair(photograph(64, 64), 64, np.random.default_rng(2))
    assert before.shape == now.shape == (64, 64, 3)


def test_a_clip_gives_consecutive_frames_cut_at_one_place(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "bgr0"
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((80, 96, 3), 20 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert clip_files(tmp_path) == [path]
    pairs = list(clip_pairs(path, 64, np.random.default_rng(3)))
    assert [(int(a.mean()), int(b.mean())) for a, b in pairs] == [(0, 20), (100, 120), (200, 220)]
    assert {a.shape for a, _ in pairs} == {(64, 64, 3)}


def test_a_folder_without_clips_and_a_broken_clip_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no clips"):
        clip_files(tmp_path)
    pytest.importorskip("av")
    (tmp_path / "torn.mp4").write_bytes(b"nothing of the kind")
    with pytest.raises(ImageError, match=r"torn\.mp4"):
        list(clip_pairs(tmp_path / "torn.mp4", 64, np.random.default_rng(0)))


def test_the_frame_before_changes_nothing_at_birth_and_where_there_is_none() -> None:
    network = FrameBefore(condition_channels(TINY.code_dim), 8)
    torch.nn.init.normal_(network.look.weight)
    maps = torch.randn(2, condition_channels(TINY.code_dim), 3, 4)
    assert not network(maps).any()
    torch.nn.init.normal_(network.look_on.weight)
    maps[1] = 0
    seen = network(maps)
    assert seen[0].any() and not seen[1].any()


def test_features_reach_the_tokens_of_their_block() -> None:
    features = torch.arange(12.0).view(1, 1, 3, 4)
    position = torch.tensor([[[0.5, 0.5], [2.75, 3.25], [1.5, 0.5]]])
    assert at_blocks(features, position).flatten().tolist() == [0, 11, 4]


def test_the_predictor_listens_to_the_frame_before_once_it_has_learnt_to() -> None:
    codec = tiny_codec()
    predictor = Predictor(TINY)
    torch.nn.init.normal_(predictor.before.look_on.weight)
    tokens = codec.encode(photograph(48, 64, 1))
    maps = condition(latent_maps(codec.conceal([codec.encode(photograph(48, 64, 2))]), TINY.code_dim), 0)
    known = torch.ones(1, len(tokens), dtype=torch.bool)
    code, level = torch.zeros(1, len(tokens), TINY.code_dim), torch.zeros(1, len(tokens), dtype=torch.long)
    position = torch.stack(torch.meshgrid(torch.arange(3) + 0.5, torch.arange(4) + 0.5, indexing="ij"), -1).view(
        1, 12, 2
    )
    alone, seeing = (predictor(code, known, level, position, None, b) for b in (None, maps))
    assert not torch.allclose(alone, seeing)
