"""Where frames come from."""

import itertools
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from simulator import frames
from simulator.errors import SourceError
from simulator.frames import Window


def save(path: Path, level: int = 100, size: tuple[int, int] = (40, 30)) -> Path:
    Image.new("RGB", size, (level, level, level)).save(path)
    return path


def test_all_five_photographs_are_in_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a download was tried")

    monkeypatch.setattr("socket.socket.connect", refuse)
    assert {name: frames.photograph(name).size for name in frames.PHOTOGRAPHS} == {
        "astronaut": (512, 512), "chelsea": (451, 300), "coffee": (600, 400),
        "rocket": (640, 427), "motorcycle": (741, 500),
    }  # fmt: skip


def test_a_photograph_that_is_not_there_says_what_to_reinstall() -> None:
    with pytest.raises(SourceError, match="no photograph 'nemo'.*pip install"):
        frames.photograph("nemo")


def test_film_is_a_function_of_seed_and_index() -> None:
    film = frames.load_frames("builtin", 30, 24, (48, 64), seed=3)
    assert film.shape == (30, 48, 64, 3) and film.dtype == np.uint8
    np.testing.assert_array_equal(film, frames.load_frames("builtin", 30, 24, (48, 64), seed=3))
    np.testing.assert_array_equal(film[:7], frames.load_frames("builtin", 7, 24, (48, 64), seed=3))
    assert (film != frames.load_frames("builtin", 30, 24, (48, 64), seed=4)).any()


def test_film_moves_smoothly_within_a_shot_and_cuts_between_photographs() -> None:
    film = frames.load_frames("builtin", 72, 24, (64, 64), seed=1).astype(float)
    change = np.abs(np.diff(film, axis=0)).mean(axis=(1, 2, 3))
    cuts = [23, 47]
    within = np.delete(change, cuts)
    assert change[cuts].min() > 2 * within.max() and within.min() > 0
    assert np.abs(np.diff(within)).max() < 0.5 * within.max(), "no jerks of whole pixels"


@pytest.mark.parametrize("seed", range(5))
def test_every_round_shows_all_photographs_and_none_twice_in_a_row(seed: int) -> None:
    names = [frames._subject(seed, shot) for shot in range(20)]
    assert all(set(names[start : start + 5]) == set(frames.PHOTOGRAPHS) for start in range(0, 20, 5))
    assert all(a != b for a, b in itertools.pairwise(names))


@pytest.mark.parametrize("size", [(256, 256), (64, 512), (512, 64)])
def test_the_camera_never_leaves_the_photograph_nor_changes_shape(size: tuple[int, int]) -> None:
    for shot in range(50):
        for window in frames._move(7, shot, (451, 300), size):
            assert window.left >= 0 and window.top >= 0 and window.right <= 451 and window.bottom <= 300
            ratio = (window.right - window.left) / (window.bottom - window.top)
            assert ratio == pytest.approx(size[1] / size[0])


def test_shrinking_does_not_alias() -> None:
    board = np.indices((256, 256)).sum(axis=0) % 2 * 255  # a chessboard of single pixels is grey from afar
    picture = Image.fromarray(np.stack([board] * 3, axis=-1).astype(np.uint8))
    small = frames.crop(picture, Window(0, 0, 256, 256), (32, 32))
    assert np.abs(small.astype(int) - 127).max() <= 2


def test_a_window_moves_by_fractions_of_a_pixel() -> None:
    ramp = Image.fromarray(np.tile(np.arange(0, 256, 4, dtype=np.uint8)[None, :, None], (64, 1, 3)))
    here = frames.crop(ramp, Window(8, 8, 40, 40), (32, 32)).astype(int)
    half = frames.crop(ramp, Window(8.5, 8, 40.5, 40), (32, 32)).astype(int)
    assert np.abs((half - here)[:, 2:-2] - 2).max() <= 1  # half a pixel of a ramp of 4


def test_a_folder_is_read_by_name_scaled_and_cut_at_the_centre(tmp_path: Path) -> None:
    for name, level in (("b.png", 20), ("a.png", 10), ("c.JPG", 30), ("notes.txt", 0)):
        if name.endswith("txt"):
            (tmp_path / name).write_text("no picture")
        else:
            save(tmp_path / name, level)
    film = frames.load_frames(str(tmp_path), 3, 24, (32, 32), seed=1)
    assert film[:, 0, 0, 0].tolist() == [10, 20, 30]


def test_the_centre_is_kept(tmp_path: Path) -> None:
    pixels = np.zeros((30, 90, 3), np.uint8)
    pixels[:, 30:60] = 200
    Image.fromarray(pixels).save(tmp_path / "x.png")
    film = frames.load_frames(str(tmp_path / "x.png"), 1, 24, (30, 30), seed=1)
    assert (film == 200).all()


def test_a_glob_chooses_pictures(tmp_path: Path) -> None:
    save(tmp_path / "a1.png", 10)
    save(tmp_path / "b1.png", 20)
    assert frames.load_frames(str(tmp_path / "b*.png"), 1, 24, (16, 16), 1).max() == 20


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16", "1", "CMYK"])
def test_every_kind_of_picture_becomes_rgb(tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        Image.fromarray(np.full((20, 20), 100 << 8, np.uint16)).save(tmp_path / "x.png")
    else:
        Image.new("RGB", (20, 20), (100, 100, 100)).convert(mode).save(tmp_path / "x.tif")
    film = frames.load_frames(str(tmp_path), 1, 24, (16, 16), 1)
    assert film.shape == (1, 16, 16, 3) and (mode == "1" or abs(int(film.mean()) - 100) <= 2)


def test_bad_sources_are_refused_with_what_to_do(tmp_path: Path) -> None:
    def refused(where: Path | str, match: str, count: int = 1) -> None:
        with pytest.raises(SourceError, match=match):
            frames.load_frames(str(where), count, 24, (32, 32), 1)

    refused(tmp_path / "gone", "neither 'builtin' nor an existing file or folder")
    refused(tmp_path, "holds no pictures")
    refused(tmp_path / "*.png", "holds no pictures")
    save(tmp_path / "a.png")
    refused(tmp_path, "has only 1 pictures, got 5. Set source.count=1", count=5)
    (tmp_path / "broken.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    refused(tmp_path / "broken.png", "broken.png: no readable picture")
    (tmp_path / "text.png").write_text("hello")
    refused(tmp_path / "text.png", "text.png: no readable picture")
    refused(tmp_path / "gone.mp4", "no such video file")


def test_a_video_without_a_reader_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.mp4").write_bytes(b"")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SourceError, match="no video reader is installed. pip install imageio imageio-ffmpeg"):
        frames.load_frames(str(tmp_path / "x.mp4"), 1, 24, (32, 32), 1)


def fake_imageio(monkeypatch: pytest.MonkeyPatch, available: int) -> None:
    """An imageio that plays grey frames 0, 1, 2, ... from any file."""
    package, reader = ModuleType("imageio"), ModuleType("imageio.v3")

    def imiter(path: Path, plugin: str) -> object:
        if path.stem == "broken":
            raise OSError("moov atom not found")
        return (np.full((20, 30, 3), number, np.uint8) for number in range(available))

    reader.imiter = imiter  # type: ignore[attr-defined]
    package.v3 = reader  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "imageio", package)
    monkeypatch.setitem(sys.modules, "imageio.v3", reader)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())


def test_a_video_is_read_frame_by_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_imageio(monkeypatch, available=5)
    for name in ("x.mp4", "broken.mkv"):
        (tmp_path / name).write_bytes(b"")
    film = frames.load_frames(str(tmp_path / "x.mp4"), 3, 24, (16, 16), 1)
    assert film[:, 0, 0, 0].tolist() == [0, 1, 2]
    with pytest.raises(SourceError, match="has only 5 frames, got 6. Set source.count=5"):
        frames.load_frames(str(tmp_path / "x.mp4"), 6, 24, (16, 16), 1)
    with pytest.raises(SourceError, match="no readable video .moov atom"):
        frames.load_frames(str(tmp_path / "broken.mkv"), 1, 24, (16, 16), 1)
