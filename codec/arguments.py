"""Words of the command line to values; each raises ArgumentTypeError, with rule, value and an example."""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def _number(kind: Callable[[str], T], text: str, rule: str, example: str, fits: Callable[[T], bool]) -> T:
    """What `kind` makes of a word, if it is a number and fits."""
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not fits(value):
        raise ArgumentTypeError(f"must be {rule}, got {text!r}. Example: {example}")
    return value


def share(text: str) -> float:
    """A share such as 0.2 or 20%.

    >>> share("20%")
    0.2
    """
    rule = "a share from 0 to 1, or from 0% to 100%"
    scale = 100 if text.endswith("%") else 1
    return _number(lambda word: float(word.removesuffix("%")) / scale, text, rule, "20%", lambda value: 0 <= value <= 1)


def rate(text: str) -> float:
    """Bits per pixel, or kilobytes, more than 0."""
    return _number(float, text, "a number above 0", "0.2", lambda value: 0 < value < float("inf"))


def positive(text: str) -> int:
    """A whole number of at least 1."""
    return _number(int, text, "a whole number of at least 1", "4", lambda value: value >= 1)


def count(text: str) -> int:
    """A whole number of at least 0."""
    return _number(int, text, "a whole number of at least 0", "1", lambda value: value >= 0)


def positives(text: str) -> list[int]:
    """Several whole numbers of at least 1."""
    return [positive(part) for part in parts(text)]


def parts(text: str) -> list[str]:
    """What stands between commas, spaces, or both; something must.

    >>> parts("0, 0.05 20%")
    ['0', '0.05', '20%']
    """
    found = [part for part in re.split(r"[,\s]+", text) if part]
    if not found:
        raise ArgumentTypeError(f"must name at least one, got {text!r}")
    return found


def shares(text: str) -> list[float]:
    """Several shares."""
    return [share(part) for part in parts(text)]


def rates(text: str) -> list[float]:
    """Several rates."""
    return [rate(part) for part in parts(text)]


def counts(text: str) -> list[int]:
    """Several whole numbers of at least 0."""
    return [count(part) for part in parts(text)]


def ratios(text: str) -> tuple[float, float, float]:
    """Three shares of area: fine, medium, coarse."""
    found = shares(text)
    if len(found) != 3:
        raise ArgumentTypeError(f"must be three shares, fine, medium, coarse, got {text!r}. Example: 0.1,0.3,0.6")
    return found[0], found[1], found[2]


def place(text: str) -> Path:
    """A file or folder; an empty word, as of a variable that is not set, is none."""
    if not text:
        raise ArgumentTypeError("must name a file or folder, got ''")
    return Path(text)
