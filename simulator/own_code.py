"""Code of the user's that a scenario names by import path: found before the work starts, known by its hash.

codec: {name: "mine:FlatCodec"}, concealment: {method: "mine:left_neighbour"}, channel: {loss: {model: "mine:RushHour"}}
"""

import hashlib
import importlib.util
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from simulator.by_path import find
from simulator.errors import ScenarioError

IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")  # package.module:Name
NAMING = ("name", "method", "model")  # keys whose value, if it is an import path, is meant as one


def check(values: dict[str, Any]) -> None:
    """Import all that a resolved scenario names by import path, so that a slip is known before the work.

    Raises:
        ScenarioError: If something cannot be imported, or is not in its module.
    """
    for key, path in _words(values):
        if key.rpartition(".")[2] in NAMING and IMPORT_PATH.fullmatch(path):
            find(key, path, ScenarioError)


def hashes(values: dict[str, Any]) -> dict[str, str]:
    """Import path -> a hash of its module's file, for all words of a resolved scenario that may be one."""
    paths = sorted({path for _, path in _words(values) if IMPORT_PATH.fullmatch(path)})
    return {path: code_hash(path.partition(":")[0]) for path in paths}


@lru_cache
def code_hash(module: str) -> str:
    """A hash of a module's file, "" if there is none: code that was changed gives other results."""
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return ""
    file = Path(found.origin) if found and found.origin else None
    return hashlib.sha256(file.read_bytes()).hexdigest() if file and file.is_file() else ""


def _words(values: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """All words among plain values, each with its dotted key."""
    if isinstance(values, str):
        yield key, values
    elif isinstance(values, dict):
        for name, value in values.items():
            yield from _words(value, f"{key}.{name}" if key else str(name))
    elif isinstance(values, list):
        for value in values:
            yield from _words(value, key)
