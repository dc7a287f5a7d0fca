"""Words of the command line to values; each raises ArgumentTypeError with the rule and the value."""

from argparse import ArgumentTypeError
from pathlib import Path


def natural(text: str) -> int:
    """A whole number from 0."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"must be a whole number from 0, got {text!r}")
    return int(text)


def count(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"must be a whole number from 1, got {text!r}")
    return int(text)


def place(text: str) -> Path:
    """A file or folder."""
    if not text:  # a variable of the shell that is not set; as a path it would mean the working folder
        raise ArgumentTypeError("must name a file or folder, got ''")
    return Path(text)


def address(text: str) -> str:
    """Where a Dask scheduler listens."""
    if not text:
        raise ArgumentTypeError("must be a scheduler's address, got ''. Example: tcp://10.0.0.1:8786")
    return text
