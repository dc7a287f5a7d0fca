"""Values of a varied key in words, as short as still tells them apart.

concealment.method   expected | no concealment
concealment.temporal temporal | no temporal
channel.loss         bernoulli | gilbert_elliott, mean_burst 4 | gilbert_elliott, mean_burst 12
packetizer.depth     depth 2
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

SPEAKS = ("method", "name", "model", "fec", "interleave")  # keys whose values say enough without the key
HEADS = ("model", "name", "method")  # what a mapping is called by


def three_digits(value: float) -> str:
    """A measured value, its zeros kept: they are digits too.

    >>> three_digits(0.45), three_digits(17), three_digits(100)
    ('0.450', '17.0', '100')
    """
    return f"{value:#.3g}".rstrip(".")


def labels(key: str, values: Iterable[object]) -> dict[str, str]:
    """Words for each value of a key, by the value as text; different words for different values.

    Args:
        key: Dotted.
        values: As the tables hold them: a mapping or a list is JSON.

    >>> labels("protection.nack", ["false", '{"enabled": true, "retries": 3}'])
    {'false': 'no nack', '{"enabled": true, "retries": 3}': 'nack'}
    """
    plain = list(dict.fromkeys(map(str, values)))
    mappings = {value: _mapping(value) for value in plain}
    known = [mapping for mapping in mappings.values() if mapping is not None]
    found = {
        value: _word(key, value) if mapping is None else _called(key, mapping, known)
        for value, mapping in mappings.items()
    }
    often = Counter(found.values())
    return {value: words if often[words] == 1 else f"{_name(key)} {value}" for value, words in found.items()}


def _name(key: str) -> str:
    return "concealment" if key == "concealment.method" else key.removesuffix(".*").rpartition(".")[2]


def _word(key: str, value: str) -> str:
    """A value that is no mapping."""
    name, low = _name(key), value.lower()
    if low in ("none", "false", "nan", ""):
        return f"no {name}"
    if low == "true":
        return name
    plain = _short(value)
    return plain if name in (*SPEAKS, "concealment") else f"{name} {plain}"


def _short(value: str) -> str:
    try:
        return f"{float(value):g}"
    except ValueError:
        return value


def _mapping(value: str) -> dict[str, Any] | None:
    try:
        found = json.loads(value) if value.startswith("{") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _called(key: str, mapping: dict[str, Any], others: Sequence[dict[str, Any]]) -> str:
    """A mapping by its model and by what sets it apart from others of that model."""
    head = _head(mapping)
    alike = [other for other in others if _head(other) == head]
    apart = [name for name in mapping if any(other.get(name) != mapping[name] for other in alike)]
    parts = [_word(name, _text(mapping[name])) for name in apart if name not in HEADS]
    called = f"no {_name(key)}" if head == "none" else head or _name(key)
    return ", ".join([called, *parts])


def _head(mapping: dict[str, Any]) -> str:
    return next((str(mapping[name]) for name in HEADS if name in mapping), "")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
