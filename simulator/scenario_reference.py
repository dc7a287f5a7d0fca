"""The reference page of scenario files, written from the models themselves: `schema --markdown`."""

import re
from typing import Any

Schema = dict[str, Any]

HEAD = """\
# Scenario files: every key

Made by `python -m simulator schema --markdown > docs/scenario.md`; a test keeps it fresh.

A scenario is a YAML file (1.2: `no` is text, `1e6` is a number). Every section may be left out, and every key
that has a default. `extends: other.yaml` takes over another file's keys. Quantities may carry units: `40 ms`,
`1 Mbit/s`, `20 %`. Under channel.loss, channel.delay and channel.queue, `model` may also be a class of yours,
`package.module:Class` (docs/extending.md). Paths (`file` of the channel's models, `source.frames`, `codec.weights`,
`codec.squeeze`, `output.squeeze`) start at the folder of the file they stand in; what is not there is looked for in
the working folder, where those of `--set` and `--vary` start. What is wrong with a file is said with its line, the
path, the rule and the nearest valid key.
`python -m simulator validate FILE` prints a scenario with all defaults filled in.
"""


def markdown(schema: Schema) -> str:
    """The page.

    Args:
        schema: Scenario's JSON Schema, by alias.
    """
    top = schema["properties"]
    plain = {name: spec for name, spec in top.items() if not _models(spec, schema)}
    parts = [HEAD, "## At the top\n", _table(plain, schema, schema.get("required", []))]
    for name, spec in top.items():
        if name not in plain:
            parts += _section(name, spec, schema, level=2)
    return "\n".join(parts)


def _section(path: str, spec: Schema, schema: Schema, level: int) -> list[str]:
    """A heading and a table for each model of a section, then its sections, which have paths of their own."""
    models = _models(spec, schema)
    parts = [f"{'#' * level} {path}\n"]
    plain = [_kind(each, schema) for each in spec.get("anyOf", []) if not _models(each, schema)]
    if plain:
        parts.append(f"{' or '.join(plain)}, or a mapping:\n")
    below: dict[str, Schema] = {}
    for model in models:
        title, keys = _choice(model), model.get("properties", {})
        story, about = _docstring(model)
        parts.append((f"**`model: {title}`** " if title and len(models) > 1 else "") + story + "\n")
        nested = {name: each for name, each in keys.items() if _models(each, schema)}
        rows = {name: each for name, each in keys.items() if name not in nested and not (name == "model" and title)}
        if rows:
            told = {name: {**each, "description": _about(name, about) or _text(each)} for name, each in rows.items()}
            parts.append(_table(told, schema, model.get("required", [])))
        below.update(nested)
    for name, each in below.items():
        parts += _section(f"{path}.{name}", each, schema, level + 1)
    return parts


def _models(spec: Schema, schema: Schema) -> list[Schema]:
    """The models a value may be of: none for plain values."""
    if "$ref" in spec:
        found: Schema = schema["$defs"][spec["$ref"].rsplit("/", 1)[1]]
        return [found] if "properties" in found or found.get("type") == "object" else []
    variants = [*spec.get("oneOf", []), *spec.get("anyOf", []), *spec.get("allOf", [])]
    return [model for variant in variants for model in _models(variant, schema)]


def _choice(model: Schema) -> str:
    """The value of `model` that chooses this model; empty if it has none."""
    name: str = model.get("properties", {}).get("model", {}).get("const", "")
    return name


def _table(keys: Schema, schema: Schema, required: list[str]) -> str:
    lines = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for name, spec in keys.items():
        default = "required" if name in required else _default(spec)
        cells = (f"`{name}`", _kind(spec, schema), default, _text(spec))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _default(spec: Schema) -> str:
    default = spec.get("default")
    if default is None:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _text(spec: Schema) -> str:
    """The description, in one line."""
    return " ".join(spec.get("description", "").split())


def _docstring(model: Schema) -> tuple[str, dict[str, str]]:
    """A model's story in one line, and what its `Attributes:` say, by the names they say it of."""
    story, _, attributes = model.get("description", "").partition("\nAttributes:\n")
    about: dict[str, str] = {}
    for entry in re.split(r"\n {4}(?=\S)", "\n" + attributes)[1:]:
        names, _, text = entry.partition(": ")
        about.update(dict.fromkeys(names.split(", "), " ".join(text.split())))
    return " ".join(story.split()), about


def _about(key: str, about: dict[str, str]) -> str:
    """What the attributes say of a YAML key; the Python name may have its unit behind it."""
    return next((text for name, text in about.items() if re.fullmatch(rf"{key}(_ns|_bps|_bytes)?", name)), "")


def _kind(spec: Schema, schema: Schema) -> str:
    """What a value may be, in words."""
    if "$ref" in spec:
        return _kind(schema["$defs"][spec["$ref"].rsplit("/", 1)[1]], schema)
    if "const" in spec:
        return f"`{spec['const']}`"
    if "enum" in spec:
        return " or ".join(f"`{str(each).lower() if isinstance(each, bool) else each}`" for each in spec["enum"])
    for several in ("oneOf", "anyOf"):
        if several in spec:
            kinds = [_kind(each, schema) for each in spec[several] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if "examples" in spec:
        return "such as " + ", ".join(f"`{each}`" for each in spec["examples"])
    return _typed(spec, schema)


TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true` or `false`"}


def _typed(spec: Schema, schema: Schema) -> str:
    kind: str | list[str] = spec.get("type", "")
    if kind == "array":
        items = spec.get("items") or (spec.get("prefixItems") or [{}])[0]
        return f"list of {_kind(items, schema)}"
    if isinstance(kind, list):
        return " or ".join(TYPES.get(each, each) for each in kind)
    bounds = [
        f"{words} {spec[key]:g}"
        for key, words in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "more than"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "less than"),
        )
        if key in spec
    ]
    return ", ".join([TYPES.get(kind, kind), *bounds])
