"""One look for all figures, and their way to files and into the page.

Colours are those of Okabe and Ito, which remain distinct under all common colour blindness; every
colour that matters also differs in lightness, or comes with a word, a marker or a dash.
"""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.records import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, SKY, ORANGE, VERMILLION = "#0072B2", "#56B4E9", "#E69F00", "#D55E00"
GREEN, PURPLE, YELLOW, GREY = "#009E73", "#CC79A7", "#F0E442", "#8C8C8C"
BLACK = "#000000"  # of text and axes too: in the page it becomes the colour of the text around

SCHEMES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
UNITS = {
    "psnr_db": "PSNR (dB)",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "flip": "FLIP (lower is better)",
    "lpips": "LPIPS (lower is better)",
    "squeeze": "SqueezeNet distance\n(lower is better)",
    "ssimulacra2": "SSIMULACRA 2",
}
SVG_LIMIT = 400_000  # characters; a figure that needs more goes into the page as a PNG


def words(metric: str) -> str:
    """Name and unit of a metric on one line."""
    return UNITS.get(metric, metric).replace("\n", " ")


@contextmanager
def style() -> Iterator[None]:
    """One look, and files that are the same byte for byte when made twice."""
    import matplotlib

    wanted: dict[Any, Any] = {
        "font.size": 9,
        "axes.facecolor": "none",  # so that figures take on the colour of the page
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 9,
        "axes.titlelocation": "left",
        "figure.titlesize": 10,
        "svg.hashsalt": "vqstream",
        "svg.fonttype": "none",
    }
    with matplotlib.rc_context(wanted):
        yield


def save(
    figure: "Figure", path: Path, kinds: Sequence[str], said: Mapping[str, str] | None = None, dpi: int = 150
) -> list[Path]:
    """Write a figure once for each of `kinds`, whole or not at all.

    Args:
        figure: What to write.
        path: Where to, without suffix.
        kinds: "png", "svg".
        said: Metadata that both formats know: Title, Description, Source.
        dpi: Pixels an inch, for PNG.

    Raises:
        OutputError: If it cannot be written.
    """
    written = []
    for kind in kinds:
        file = path.with_suffix(f".{kind}")
        metadata: dict[str, Any] = {**(said or {}), **({"Date": None} if kind == "svg" else {})}
        with replacing(file) as temporary:
            figure.savefig(temporary, format=kind, dpi=dpi, metadata=metadata or None)
        written.append(file)
    return written


def inline(path: Path, alt: str) -> str:
    """The figure at `path` (without suffix) as markup: SVG in the colours of the page, or a PNG.

    Args:
        path: A figure written by `save`, as PNG at least.
        alt: What it shows, for those who cannot see it; plain text.
    """
    from markupsafe import escape

    svg = path.with_suffix(".svg")
    text = svg.read_text(encoding="utf-8") if svg.is_file() else ""
    if not 0 < len(text) <= SVG_LIMIT:
        return f'<img src="{data_uri(path.with_suffix(".png").read_bytes(), "image/png")}" alt="{escape(alt)}">'
    text = text[text.index("<svg") :]
    for unwanted in (r"<metadata>.*?</metadata>", r"<defs>\s*<style.*?</defs>", r'<g id="patch_1">.*?</g>'):
        text = re.sub(unwanted, "", text, count=1, flags=re.S)  # the third is the white sheet behind it all
    text = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", text)  # matplotlib's counters: the same in every figure
    text = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{path.name}-", text)  # the others: shared shapes within a figure
    text = text.replace(BLACK, "currentColor")
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)


def data_uri(data: bytes, kind: str) -> str:
    """Bytes as an address that holds them."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
