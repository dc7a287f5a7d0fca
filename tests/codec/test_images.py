"""Images: any file people have becomes uint8 [H, W, 3]; what cannot, is told in one sentence."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from codec.errors import ImageError, RequestError
from codec.files import write_atomically
from codec.images import crop, open_image, pad_to_blocks, save_png

RAMP = np.linspace(0, 255, 24 * 32 * 3).reshape(24, 32, 3).astype(np.uint8)


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA"])
def test_every_mode_of_png_is_read_as_rgb(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(RAMP).convert(mode)
    picture = open_image(saved(tmp_path / "x.png", image))
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("suffix", ["jpg", "webp", "bmp", "tif"])
def test_other_formats_are_read_too(suffix: str, tmp_path: Path) -> None:
    picture = open_image(saved(tmp_path / f"x.{suffix}", Image.fromarray(RAMP)))
    assert picture.shape == RAMP.shape
    assert np.abs(picture.astype(int) - RAMP).mean() < 6


def test_cmyk_is_read_as_rgb(tmp_path: Path) -> None:
    white = Image.new("CMYK", (20, 20), (0, 0, 0, 0))
    assert (open_image(saved(tmp_path / "x.jpg", white)) > 250).all()


def test_sixteen_bits_of_grey_are_cut_to_eight(tmp_path: Path) -> None:
    grey = (np.arange(16 * 16).reshape(16, 16) * 257).astype(np.uint16)
    picture = open_image(saved(tmp_path / "x.png", Image.fromarray(grey)))
    assert np.array_equal(picture, np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2))


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bits_are_read_from_every_format(suffix: str, tmp_path: Path) -> None:
    grey = (np.arange(16 * 16).reshape(16, 16) * 257).astype(np.uint16)
    picture = open_image(saved(tmp_path / f"x.{suffix}", Image.fromarray(grey)))
    assert np.array_equal(picture[..., 0], grey >> 8) and np.array_equal(picture[..., 1], grey >> 8)


@pytest.mark.parametrize(("scale", "values"), [(1, "0 to 1"), (255, "0 to 255"), (1000, "0 to 1000")])
def test_floating_point_pictures_are_refused_as_nothing_says_what_is_white(
    scale: int, values: str, tmp_path: Path
) -> None:
    ramp = np.linspace(0, scale, 32 * 32, dtype=np.float32).reshape(32, 32)
    path = saved(tmp_path / "x.tif", Image.fromarray(ramp))
    with pytest.raises(ImageError, match=f"x.tif: holds floating-point numbers, .* got '{values}'. Scale it to 8 or"):
        open_image(path)


def test_thirty_two_bit_pictures_are_refused_too(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.tif", Image.fromarray(np.full((32, 32), 200, np.int32)))
    with pytest.raises(ImageError, match="holds 32-bit numbers, .* got '200 to 200'"):
        open_image(path)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "1", "LA", "RGBA"])
def test_every_mode_of_tiff_is_read_as_people_see_it(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(RAMP).convert(mode)
    picture = open_image(saved(tmp_path / "x.tif", image))
    assert np.abs(picture.astype(int) - np.asarray(image.convert("RGB"))).max() <= 2


def test_transparency_is_put_on_white(tmp_path: Path) -> None:
    clear, half = (Image.new("RGBA", (16, 16), (0, 0, 0, alpha)) for alpha in (0, 128))
    assert (open_image(saved(tmp_path / "clear.png", clear)) == 255).all()
    assert (open_image(saved(tmp_path / "half.png", half)) == 127).all()
    palette = Image.new("P", (16, 16), 0)
    for name in ("palette.png", "palette.gif"):
        assert (open_image(saved(tmp_path / name, palette, transparency=0)) == 255).all()
    assert (open_image(saved(tmp_path / "shares.png", palette, transparency=bytes([128]))) == 127).all()
    grey = Image.new("LA", (16, 16), (0, 128))
    assert (open_image(saved(tmp_path / "grey.png", grey)) == 127).all()


UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", "jpg"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_rotation_noted_by_the_camera_is_applied(orientation: int, suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"webp": {"lossless": True}, "jpg": {"quality": 95}}.get(suffix, {})
    path = saved(tmp_path / f"x.{suffix}", Image.fromarray(RAMP), exif=exif, **options)
    upright = np.asarray(Image.fromarray(RAMP).transpose(UPRIGHT[orientation])).astype(int)
    shown = open_image(path)
    assert shown.shape == upright.shape and np.abs(shown - upright).mean() < (6 if suffix == "jpg" else 0.1)


@pytest.mark.parametrize("suffix", ["png", "gif", "webp", "tif"])
def test_of_an_animation_the_first_frame_is_taken(suffix: str, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    path = saved(tmp_path / f"x.{suffix}", frames[0], save_all=True, append_images=frames[1:])
    assert np.abs(open_image(path).astype(int) - (255, 0, 0)).max() <= 2


def test_pictures_below_one_block_are_refused_with_rule_size_and_next_step(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.png", Image.new("RGB", (40, 15)))
    with pytest.raises(ImageError, match=r"x.png: must have at least 16x16 pixels, got '40x15'. Enlarge it"):
        open_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_files_cut_short_are_refused(suffix: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = saved(tmp_path / f"x.{suffix}", Image.fromarray(noise))
    whole = path.read_bytes()
    for length in (0, 10, 60, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(ImageError, match=r"cannot be read|no picture"):
            open_image(path)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("not a picture")
    with pytest.raises(ImageError, match="no picture of a known kind"):
        open_image(tmp_path / "x.png")
    with pytest.raises(ImageError, match="no such file"):
        open_image(tmp_path / "y.png")
    with pytest.raises(ImageError, match="is a folder. Name a picture inside it"):
        open_image(tmp_path)


def test_pictures_that_are_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "x.png", Image.new("RGB", (64, 64)))
    for limit in (3000, 1000):  # Pillow warns above its limit and refuses above twice that
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(ImageError, match="too large"):
            open_image(path)


@given(st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_padding_repeats_the_edge_and_cropping_undoes_it(height: int, width: int, stack: bool) -> None:
    shape = (2, height, width, 3) if stack else (height, width, 3)
    pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    padded = pad_to_blocks(pictures)
    assert padded.shape[-3] % 16 == padded.shape[-2] % 16 == 0
    assert padded.shape[-3] - height < 16 and padded.shape[-2] - width < 16
    assert np.array_equal(crop(padded, (height, width)), pictures)
    assert (padded[..., height:, :width, :] == pictures[..., -1:, :, :]).all()
    assert (padded[..., width:, :] == padded[..., width - 1 : width, :]).all()


def test_a_png_comes_back_exactly(tmp_path: Path) -> None:
    save_png(tmp_path / "x.png", RAMP)
    assert np.array_equal(open_image(tmp_path / "x.png"), RAMP)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.bin"
    write_atomically(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(RequestError, match=r"cannot be written \(No space left on device\)"):
            write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(RequestError, match="No such file or directory"):
        write_atomically(tmp_path / "missing" / "x.bin", b"new")


def test_a_pipe_or_device_is_written_to_and_stays_what_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(pipe, b"new")
    assert os.read(reader, 10) == b"new" and pipe.is_fifo()
    os.close(reader)
