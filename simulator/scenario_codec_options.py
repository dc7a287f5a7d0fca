"""The options of the codecs shipped here: a typo or an impossible rate is found before anything is loaded.

The codecs check what they are given themselves too, since they can be made by hand.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

STILLS = {"jpeg": (1, 95), "jpeg2000": (1, 1600), "webp": (0, 100), "avif": (0, 100)}  # their qualities
VIDEOS = ("h264", "vp9", "av1")
RAW_BPP = 24  # of a pixel that is not compressed
VQ_BPP = 1  # all fine, the shipped weights take some 0.6
CODEBOOKS = (8, 16, 32, 64, 128, 256, 512, 1024)  # of the shipped weights


class Rule(NamedTuple):
    """What holds for an option, in code and in words, and a value that does."""

    fits: Callable[[Any], bool]
    words: str
    example: object


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _are_shares(value: Any) -> bool:
    listed = isinstance(value, (list, tuple)) and len(value) == 3 and all(map(_is_number, value))
    return listed and min(value) >= 0 and abs(sum(value) - 1) <= 1e-6  # so put, NaN is refused too


def _rate(most: float, example: float) -> Rule:
    words = f"must be a number above 0 and at most {most}, in bits per pixel"
    return Rule(lambda value: _is_number(value) and 0 < value <= most, words, example)


def _whole(least: int, most: float, example: int) -> Rule:
    words = f"must be a whole number of at least {least}" + (f" and at most {most}" if most < math.inf else "")
    return Rule(lambda value: type(value) is int and least <= value <= most, words, example)


def _among(values: Sequence[object]) -> str:
    return f"must be one of {', '.join(map(str, values))}"


def _word(*words: str) -> Rule:
    return Rule(lambda value: value in words, _among(words), words[0])


OPTIONS: dict[str, dict[str, Rule]] = {
    "toy": {},
    "vq": {
        "bpp": _rate(VQ_BPP, 0.04),
        "ratios": Rule(_are_shares, "must be three shares of area, fine, medium, coarse, of sum 1", [0.1, 0.3, 0.6]),
        "codebook": Rule(lambda value: type(value) is int and value in CODEBOOKS, _among(CODEBOOKS), 1024),
        "entropy": _word("static", "uniform", "context"),
        "weights": Rule(lambda value: isinstance(value, str) and value != "", "must name a folder", "my_weights/"),
        "precision": _word("auto", "fp32", "bf16"),
        "refine": _whole(1, math.inf, 20),
        "squeeze": Rule(lambda value: isinstance(value, str) and value != "", "must name a file", "squeezenet.npz"),
    },
    **{name: {"bpp": _rate(RAW_BPP, 0.2), "quality": _whole(*ends, 50)} for name, ends in STILLS.items()},
    **{name: {"bpp": _rate(RAW_BPP, 0.2), "keyframe_interval": _whole(1, math.inf, 24)} for name in VIDEOS},
}
APART = (("bpp", "ratios"), ("bpp", "codebook"), ("bpp", "quality"))  # each says how large a frame is


def wrong_option(codec: str, options: dict[str, Any]) -> tuple[str, str] | None:
    """The first option that breaks a rule, and which, in words; None if all is well, or the codec is the user's.

    Args:
        codec: A key of OPTIONS.
        options: Keys of its own, and what the scenario says; None stands for one that is not given.
    """
    rules = OPTIONS[codec]
    given = {key: value for key, value in options.items() if value is not None}
    for key, value in given.items():
        own_books = key == "codebook" and "weights" in given and type(value) is int  # the weights know
        if not rules[key].fits(value) and not own_books:
            return key, f"{rules[key].words}, got {value!r}. Example: {rules[key].example}"
    if "squeeze" in given and "refine" not in given and codec == "vq":
        return "squeeze", "goes with refine. Example: refine: 20"
    for one, other in APART:
        if one in given and other in given:
            return other, f"give {one} or {other}, not both, got {given[one]!r} and {given[other]!r}"
    return None
