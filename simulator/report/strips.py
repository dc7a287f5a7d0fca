"""The strip as a figure for a paper: rows of schemes, columns sent, holes, concealed, lossless."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from simulator.errors import OutputError
from simulator.report.pictures import VERSIONS, Strip
from simulator.report.style import save

HEADS = {"sent": "sent", "holes": "received, with holes", "concealed": "concealed", "lossless": "nothing lost"}


def write(strip: Strip, folder: Path, source: str) -> list[Path]:
    """Write strip_<name>.png.

    Raises:
        OutputError: If a picture is torn, or the figure cannot be written.
    """
    rows = len(strip.rows)
    figure = Figure(figsize=(7.2, 0.4 + 1.95 * rows), layout="constrained")
    axes = figure.subplots(rows, len(VERSIONS), squeeze=False)
    for row, (scheme, still) in enumerate(strip.rows):
        for column, version in enumerate(VERSIONS):
            panel = axes[row, column]
            panel.imshow(_pixels(still.paths[version]))
            panel.set(xticks=[], yticks=[], xlabel=still.values.get(version, ""))
            panel.spines[:].set_visible(False)
        axes[row, 0].set_ylabel(scheme)
    for column, version in enumerate(VERSIONS):
        axes[0, column].set_title(HEADS[version], loc="center")
    cells = ", ".join(still.cell for _, still in strip.rows)
    said = {"Title": strip.title, "Description": strip.caption, "Source": f"{source}; cells {cells}"}
    return save(figure, folder / f"strip_{strip.name}", ("png",), said)


def _pixels(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError) as error:
        raise OutputError(str(path), f"is no whole picture ({error})", next_step="Delete it") from error
