"""What is wrong with a scenario, in words: where it was written, path, rule, value, nearest key."""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from simulator.errors import ScenarioError
from simulator.strict_yaml import Node

Schema = dict[str, Any]

# pydantic's kinds of error, in this project's words; {…} are pydantic's own facts
RULES = {
    "missing": "a value is required here",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number without unit",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "literal_error": "must be {expected}",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_pattern_mismatch": "letters, digits, '.', '_' and '-' only, starting with a letter or digit",
    "too_short": "must have {min_length} items",
    "too_long": "must have {max_length} items",
    "tuple_type": "must be a list such as [256, 256]",
    "model_type": "must be a mapping of keys",
    "model_attributes_type": "must be a mapping such as {{model: none}}",
    "union_tag_not_found": "must say which model it is: add the key {discriminator}",
    "union_tag_invalid": "must be one of {expected_tags}",
    "value_error": "{error}",
    "rule": "{rule}",
}


def nearest(word: str, known: Iterable[str]) -> str:
    """A question about the most similar known word, or nothing.

    >>> nearest("gilbrt", ["bernoulli", "gilbert_elliott"])
    'Did you mean gilbert_elliott?'
    """
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"Did you mean {found[0]}?" if found else ""


def explain(error: ValidationError, source: str, tree: Node, schema: Schema) -> ScenarioError:
    """All problems of a scenario as one error: one line if there is one, else a list in file order.

    Args:
        error: What the models found.
        source: The file the user named.
        tree: What was validated, with origins.
        schema: Scenario's JSON Schema, to know which keys a section has.
    """
    problems = sorted((_problem(details, tree, schema) for details in error.errors()), key=_by_place)
    if len(problems) == 1:
        return problems[0]
    listed = "".join(f"\n  {problem}" for problem in problems)
    return ScenarioError(source, f"{len(problems)} problems:{listed}")


def _by_place(problem: ScenarioError) -> tuple[str, int]:
    source, _, rest = str(problem.args[0]).partition(":")
    number = re.match(r"\d+", rest)
    return source, int(number[0]) if number else 0


def _problem(details: ErrorDetails, tree: Node, schema: Schema) -> ScenarioError:
    kind, value, facts = details["type"], details["input"], details.get("ctx", {})
    at = {"union_tag_invalid": "model", "rule": facts.get("key")}.get(kind)
    path, node = _locate([*details["loc"], *([at] if at else [])], tree)
    where = f"{node.origin}: {'.'.join(path)}" if path else node.origin
    if kind == "extra_forbidden":
        return _unknown_key(where, path[-1], details["loc"], schema)
    rule = RULES[kind].format(**facts) if kind in RULES else details["msg"]
    hint = ""
    if kind in ("literal_error", "union_tag_invalid"):
        value = facts.get("tag", value)
        hint = nearest(str(value), re.findall(r"'([^']*)'", rule))
    said_already = kind in ("value_error", "rule", "missing") or isinstance(value, (dict, list))
    return ScenarioError(where, rule, "" if said_already else value, hint)


def _unknown_key(where: str, key: str, loc: Sequence[int | str], schema: Schema) -> ScenarioError:
    siblings = _keys(schema, loc[:-1])
    hint = nearest(key, siblings) or _elsewhere(key, loc[0], schema)
    return ScenarioError(where, "unknown key", next_step=f"{hint}{' ' * bool(hint)}Keys here: {', '.join(siblings)}")


def _locate(loc: Sequence[int | str], tree: Node) -> tuple[list[str], Node]:
    """Path as the user would write it (no union tags), and the deepest node that exists on it."""
    path: list[str] = []
    for place, step in enumerate(loc, 1):
        content = tree.content
        if isinstance(content, dict) and str(step) in content:
            tree = content[str(step)]
        elif isinstance(content, list) and isinstance(step, int) and step < len(content):
            tree = content[step]
        elif isinstance(content, dict) and "model" in content and content["model"].content == step:
            continue
        elif isinstance(content, dict) and "model" not in content and place < len(loc):
            continue  # the tag of a section whose model may be left out
        path.append(str(step))
    return path, tree


def _keys(schema: Schema, loc: Sequence[int | str]) -> list[str]:
    """Keys that the section at `loc` has, by the schema; union tags choose the variant."""
    here = schema
    for step in loc:
        here = _resolve(here.get("properties", {}).get(step, here), schema)
        variants = here.get("discriminator", {}).get("mapping", {})
        if step in variants:
            here = _resolve({"$ref": variants[step]}, schema)
    variants = here.get("discriminator", {}).get("mapping", {})
    models = [here, *(_resolve({"$ref": variant}, schema) for variant in variants.values())]
    return list(dict.fromkeys(key for model in models for key in model.get("properties", {})))


def _resolve(here: Schema, schema: Schema) -> Schema:
    either = [variant for variant in here.get("anyOf", []) if "$ref" in variant]  # a section, or a plain word
    reference = (either[0] if either else here).get("$ref")
    return schema["$defs"][reference.rsplit("/", 1)[1]] if reference else here


def _elsewhere(key: str, here: int | str, schema: Schema) -> str:
    """The same question about a key that sits in another section than `here`, such as playout.deadline."""
    for section in schema["properties"]:
        if section != here and key in _keys(schema, [section]):
            return f"Did you mean {section}.{key}?"
    return ""
