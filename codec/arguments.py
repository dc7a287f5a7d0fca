"""Words of the command line to values; each raises ValueError where a word is none of its kind."""

import re


def share(text: str) -> float:
    """A share such as 0.2 or 20%.

    >>> share("20%")
    0.2
    """
    value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


def rate(text: str) -> float:
    """Bits per pixel, more than 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def count(text: str) -> int:
    """A whole number of at least 0."""
    if int(text) < 0:
        raise ValueError(text)
    return int(text)


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
        raise ValueError(text)
    return found


def shares(text: str) -> list[float]:
    """Several shares."""
    return [share(part) for part in parts(text)]


def rates(text: str) -> list[float]:
    """Several rates."""
    return [rate(part) for part in parts(text)]


def numbers(text: str) -> list[int]:
    """Several whole numbers."""
    return [int(part) for part in parts(text)]


def ratios(text: str) -> tuple[float, float, float]:
    """Three shares of area: fine, medium, coarse."""
    fine, medium, coarse = shares(text)
    return fine, medium, coarse
