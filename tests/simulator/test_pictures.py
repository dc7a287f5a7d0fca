"""Pictures from files: the same pixels that the codec alone would read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from codec.errors import ImageError
from codec.images import open_image
from simulator.errors import SourceError
from simulator.pictures import open_picture

RAMP = np.linspace(0, 1, 24 * 32).reshape(24, 32)
GREY = Image.fromarray((255 * RAMP).astype(np.uint8))
COLOUR = Image.merge("RGB", [GREY, GREY.transpose(Image.Transpose.ROTATE_180), Image.new("L", GREY.size, 90)])


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize(
    ("name", "image", "options"),
    [
        *((f"{mode}.tif", COLOUR.convert(mode), {}) for mode in ("RGB", "CMYK", "YCbCr", "L", "LA", "1", "P")),
        ("alpha.png", Image.merge("RGBA", [*COLOUR.split(), GREY]), {}),
        ("alpha.webp", Image.merge("RGBA", [*COLOUR.split(), GREY]), {}),
        ("key.png", COLOUR.quantize(16), {"transparency": 3}),
        ("keys.png", COLOUR.quantize(16), {"transparency": bytes(range(0, 256, 16))}),
        ("key.gif", COLOUR.quantize(16), {"transparency": 3}),
        ("grey_key.png", GREY, {"transparency": 0}),
        ("deep.png", Image.fromarray((65535 * RAMP).astype(np.uint16)), {}),
        ("deep.tif", Image.fromarray((65535 * RAMP).astype(np.uint16)), {}),
        ("deep.pgm", Image.fromarray((65535 * RAMP).astype(np.int32)), {}),
        ("cmyk.jpg", COLOUR.convert("CMYK"), {}),
        ("turned.jpg", COLOUR, {"exif": turned()}),
        ("turned.png", Image.fromarray((65535 * RAMP).astype(np.uint16)), {"exif": turned()}),
        ("film.gif", GREY, {"save_all": True, "append_images": [COLOUR]}),
        ("film.webp", COLOUR, {"save_all": True, "append_images": [GREY.convert("RGB")]}),
    ],
)
def test_pictures_are_read_as_the_codec_reads_them(
    name: str, image: Image.Image, options: dict[str, object], tmp_path: Path
) -> None:
    image.save(tmp_path / name, **options)
    picture = open_picture(tmp_path / name)
    assert picture.mode == "RGB" and np.array_equal(np.asarray(picture), open_image(tmp_path / name))


@pytest.mark.parametrize("pixels", [RAMP.astype(np.float32), (255 * RAMP).astype(np.int32)])
def test_what_has_no_white_is_refused_in_the_codecs_words(pixels: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(pixels).save(tmp_path / "x.tif")
    with pytest.raises(SourceError, match="does not say which of them is white, got '0 to ") as ours:
        open_picture(tmp_path / "x.tif")
    with pytest.raises(ImageError) as theirs:
        open_image(tmp_path / "x.tif")
    assert str(ours.value) == str(theirs.value)
