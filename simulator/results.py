"""The folder of a run: written beside its place, moved there when complete, never over an older one.

<out>/<scenario name>/<hash>-s<seed>/           or <hash>-s<seed>-2/, -3/, ... if that exists
    scenario.resolved.yaml  provenance.json  packets.parquet  frames.parquet  summary.csv
    frames/                 pictures of a few frames, and blocks.npz: what became of each block
    figures/                made from these files by `report`
"""

import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import simulator
from simulator.errors import OutputError
from simulator.playback import Playback

PACKAGES = (
    "numpy", "simpy", "pydantic", "pyyaml", "pandas", "pyarrow", "pillow", "scikit-image", "matplotlib", "torch",
    "constriction", "safetensors",
)  # fmt: skip


def start(parent: Path, name: str) -> Path:
    """A new, empty, hidden folder in which results can grow; fails now rather than after the work.

    Raises:
        OutputError: If nothing can be written there.
    """
    with writing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".partial", dir=parent))
        folder.chmod(0o755)  # mkdtemp makes it private, results are not
    return folder


def finish(temporary: Path, name: str) -> Path:
    """Move complete results to the first free of `name`, `name`-2, `name`-3, ... beside them.

    Raises:
        OutputError: If the file system refuses.
    """
    number = 1
    while True:
        place = temporary.with_name(name if number == 1 else f"{name}-{number}")
        number += 1
        if place.exists():
            continue
        try:
            os.rename(temporary, place)  # a filled folder that appeared meanwhile is not replaced
        except OSError as error:
            if not place.exists():
                raise OutputError(str(place), f"cannot be written ({error})") from error
        else:
            return place


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Name the place when the file system refuses.

    Raises:
        OutputError: If the block raises an OSError.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            str(place), f"cannot be written ({error.strerror or error})", next_step="Choose another place with --out"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a small text file as UTF-8."""
    path.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write plain values, indented for people."""
    write_text(path, json.dumps(values, indent=2, default=str) + "\n")


def write_pictures(folder: Path, playback: Playback, kept: list[int]) -> None:
    """Pictures of the kept frames in four versions, and the state of all blocks of all frames.

    Args:
        folder: Where to.
        playback: What was seen.
        kept: Numbers of the frames to keep.
    """
    from PIL import Image

    for number in kept:
        for version in ("sent", "holes", "concealed", "lossless"):
            picture = Image.fromarray(getattr(playback, version)[number])
            picture.save(folder / f"{number:05d}_{version}.png")
    np.savez_compressed(folder / "blocks.npz", block_state=playback.block_state, confidence=playback.confidence)


@lru_cache
def provenance() -> dict[str, Any]:
    """What made a result, apart from the scenario: versions, commit, machine; looked up once."""
    return {
        "version": simulator.__version__,
        "commit": commit(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
    }


def commit() -> str | None:
    """Commit of the checkout this package runs from, "-dirty" if changed; None if it is no checkout.

    A package installed into somebody else's repository is not mistaken for a part of it: this very
    file has to be tracked.
    """
    here = Path(__file__)
    tracked = _git(here.parent, "ls-files", "--error-unmatch", here.name)
    return _git(here.parent, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") if tracked else None


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
