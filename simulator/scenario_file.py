"""One tree from a scenario file, the files it extends, and the overrides of the command line.

Later wins, key by key: base < file < overrides. One exception: where `model` (or a codec's `name`)
changes, the new section starts afresh, since the old model's keys mean nothing to the new one.
"""

from collections.abc import Sequence
from pathlib import Path

from simulator import scenario_paths, strict_yaml
from simulator.errors import ScenarioError
from simulator.strict_yaml import Node


def read_tree(path: Path, overrides: Sequence[str] = ()) -> Node:
    """File, bases and overrides as one tree; `name` is the file's name unless it says another.

    Raises:
        ScenarioError: If a file cannot be read, bases go round in a circle, an override is
            no key=value, or a file that is named is nowhere.
    """
    tree = _with_bases(path, ())
    assert isinstance(tree.content, dict), tree
    tree.content.setdefault("name", Node(path.stem, f"{path}:1"))
    for override in _together([_override(text) for text in overrides]):
        tree = merge(tree, override)
    scenario_paths.find_all(tree)
    return tree


def _with_bases(path: Path, chain: tuple[Path, ...]) -> Node:
    tree = strict_yaml.read(path)
    if not isinstance(tree.content, dict):
        what = "empty" if tree.content is None else f"a {type(tree.content).__name__}"
        raise ScenarioError(
            str(path), f"a scenario is a mapping of keys, this file is {what}", next_step="Example: name: mine"
        )
    base = tree.content.pop("extends", None)
    if base is None:
        return tree
    if not isinstance(base.content, str):
        raise ScenarioError(f"{base.origin}: extends", "must name another scenario file", base.plain())
    chain = (*chain, path.resolve())
    base_path = path.parent / base.content
    if base_path.resolve() in chain:
        circle = " -> ".join(step.name for step in (*chain, base_path))
        raise ScenarioError(f"{base.origin}: extends", f"the files extend each other in a circle: {circle}")
    if not base_path.is_file():
        raise ScenarioError(f"{base.origin}: extends", "no such file", str(base_path), "Paths start at this file")
    below = _with_bases(base_path, chain)
    assert isinstance(below.content, dict), below
    below.content.pop("name", None)  # or two scenarios would share one results folder
    return merge(below, tree)


def merge(below: Node, above: Node, section: str | None = None) -> Node:
    """Key by key, `above` wins; a section whose model changes is taken from `above` alone."""
    if not (isinstance(below.content, dict) and isinstance(above.content, dict)):
        return above
    choice = "name" if section == "codec" else "model"  # the key that says which keys belong here
    old, new = below.content.get(choice), above.content.get(choice)
    if section and old and new and old.content != new.content:
        return above
    merged = dict(below.content)
    for key, node in above.content.items():
        merged[key] = merge(merged[key], node, key) if key in merged else node
    return Node(merged, above.origin)


def _override(text: str) -> Node:
    """One "a.b.c=value" as a tree of depth three."""
    key, equals, value = text.partition("=")
    path = key.strip().split(".")
    origin = f"--set {text}"
    if not equals or not all(path):
        raise ScenarioError(origin, "an override is key=value", next_step="Example: --set channel.loss.rate='10 %'")
    return nested(path, strict_yaml.parse(value, origin, fixed_origin=True))


def nested(path: Sequence[str], value: Node) -> Node:
    """A value at a path such as ("channel", "loss", "rate") as a tree that holds nothing else."""
    for name in reversed(path):
        value = Node({name: value}, value.origin)
    return value


def _together(overrides: Sequence[Node]) -> list[Node]:
    """All overrides as one tree, so that their order does not matter when one changes a model."""
    if not overrides:
        return []
    total = overrides[0]
    for override in overrides[1:]:
        total = merge(total, override)
    return [total]
