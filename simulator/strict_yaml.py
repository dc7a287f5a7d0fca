"""YAML, read strictly: text -> a tree of values in which each value knows its file and line.

PyYAML follows YAML 1.1, where `on` is true, `1e6` a string, `010` eight and `12:30` a number in base
60. Here the core schema of YAML 1.2 (section 10.3.2) holds: only true/false are booleans, `1e6` is a
number, `010` is ten, and whatever else is not plainly a number stays a string. Duplicate keys, tags
and merge keys are errors, since each of them hides what a scenario says.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from simulator.errors import ScenarioError

Scalar: TypeAlias = str | int | float | bool | None

INTEGER = re.compile(r"[-+]?[0-9]{1,100}|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
WORDS: dict[str, Scalar] = {"": None, "~": None}
WORDS |= {word: None for word in ("null", "Null", "NULL")}
WORDS |= {word: True for word in ("true", "True", "TRUE")}
WORDS |= {word: False for word in ("false", "False", "FALSE")}


@dataclass(frozen=True)
class Node:
    """A value and where it was written.

    Attributes:
        content: A scalar, a list of nodes, or a dict of nodes by key.
        origin: "scenarios/x.yaml:12" or "--set channel.loss.rate=2".
    """

    content: "Scalar | list[Node] | dict[str, Node]"
    origin: str

    def plain(self) -> Any:
        """The bare value, without origins."""
        if isinstance(self.content, dict):
            return {key: node.plain() for key, node in self.content.items()}
        if isinstance(self.content, list):
            return [node.plain() for node in self.content]
        return self.content


def scalar(text: str) -> Scalar:
    """What an unquoted word means in the core schema of YAML 1.2.

    >>> [scalar(word) for word in ("1e6", "010", "0x1f", "on", "12:30", "true", "20 %")]
    [1000000.0, 10, 31, 'on', '12:30', True, '20 %']
    """
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if FLOAT.fullmatch(text):
        return float(text)
    if NOT_FINITE.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text


def read(path: Path) -> Node:
    """One file as a tree.

    Raises:
        ScenarioError: If the file is missing, unreadable, or no strict YAML; it names file and line.
    """
    if path.is_dir():
        raise ScenarioError(str(path), "this is a folder", next_step="Name a .yaml file inside it")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ScenarioError(str(path), "no such scenario file", next_step=_neighbours(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(str(path), f"cannot be read ({error})") from error
    return parse(text, str(path))


def parse(text: str, source: str, fixed_origin: bool = False) -> Node:
    """YAML text as a tree.

    Args:
        text: One YAML document.
        source: What to call it in messages, usually the path.
        fixed_origin: If true, every node's origin is `source` itself, without a line number.

    Raises:
        ScenarioError: If the text is no strict YAML.
    """
    try:
        _refuse_tags(text)
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark and not fixed_origin else ""
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise ScenarioError(f"{source}{line}", f"not valid YAML ({said})") from error
    except RecursionError as error:
        raise ScenarioError(source, "nested too deeply") from error
    except yaml.YAMLError as error:  # characters no YAML may hold
        raise ScenarioError(source, f"not valid YAML ({' '.join(str(error).split())})") from error
    return _Builder(source, fixed_origin).build(root) if root else Node(None, source)


class _Dumper(yaml.SafeDumper):
    """Quotes a text that this module would read as something else."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = text.isprintable() and scalar(text) == text
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _represent_text)


def dump(values: Any) -> str:
    """Plain values as YAML text that `parse` reads back to the same values."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _refuse_tags(text: str) -> None:
    """A tag (`!!str 12`) changes what a value means; raised as PyYAML would, so it gets its line."""
    for token in yaml.scan(text, yaml.SafeLoader):
        if isinstance(token, yaml.TagToken):
            raise yaml.MarkedYAMLError(problem="tags are not allowed", problem_mark=token.start_mark)


class _Builder:
    """Turns PyYAML's nodes into ours; remembers the way down, so that a loop of aliases is caught."""

    def __init__(self, source: str, fixed_origin: bool) -> None:
        self.source, self.fixed_origin = source, fixed_origin
        self.open: list[yaml.Node] = []

    def build(self, node: yaml.Node, key: yaml.Node | None = None) -> Node:
        """The tree under `node`; a value's line is that of its key."""
        origin = self.origin(key or node)
        if any(node is above for above in self.open):
            raise ScenarioError(origin, "an alias contains itself")
        self.open.append(node)
        content = self.content(node)
        self.open.pop()
        return Node(content, origin)

    def origin(self, node: yaml.Node) -> str:
        return self.source if self.fixed_origin else f"{self.source}:{node.start_mark.line + 1}"

    def content(self, node: yaml.Node) -> "Scalar | list[Node] | dict[str, Node]":
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item) for item in node.value]
        text = str(node.value)
        quoted = getattr(node, "style", None) is not None  # an unquoted scalar has no style
        return text if quoted else scalar(text)

    def mapping(self, node: yaml.MappingNode) -> "dict[str, Node]":
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if not name:
                raise ScenarioError(self.origin(key), "a key must be a word")
            if name == "<<":
                raise ScenarioError(self.origin(key), "YAML 1.2 has no merge keys", name, "Use extends:")
            if name in found:
                raise ScenarioError(self.origin(key), f"duplicate key {name!r}; first at {found[name].origin}")
            found[name] = self.build(value, key)
        return found


def _neighbours(path: Path) -> str:
    """The scenario files beside a missing one, as the next step."""
    folder = path.parent if path.parent.is_dir() else Path("scenarios")
    names = sorted(str(found) for found in folder.glob("*.yaml"))
    return f"Here are: {', '.join(names[:8])}" if names else "Shipped ones are in scenarios/"
