"""Where the files are that a scenario names: beside the scenario that says so, else in the working folder.

scenarios/thin.yaml: file: traces/a.mahimahi    scenarios/traces/a.mahimahi, else traces/a.mahimahi
--set channel.bandwidth.file=traces/a           traces/a
"""

import glob
from pathlib import Path

from simulator.errors import ScenarioError
from simulator.strict_yaml import Node

FRAMES, BUILT_IN = "source.frames", "builtin"  # which is no file
KEYS = (
    "channel.loss.file",
    "channel.delay.file",
    "channel.bandwidth.file",
    FRAMES,
    "codec.weights",
    "codec.squeeze",
    "output.squeeze",
)


def find_all(tree: Node) -> None:
    """Put into a tree, in place, what its paths are from the working folder, or whole where they lie outside it.

    Models of the user's own are left alone: only they know what their keys mean.

    Raises:
        ScenarioError: If a file is nowhere; says where it was looked for.
    """
    for key in KEYS:
        *above, last = key.split(".")
        section: Node | None = tree
        for name in above:
            section = section.content.get(name) if section and isinstance(section.content, dict) else None
        if section and isinstance(section.content, dict) and last in section.content and not _own(section.content):
            section.content[last] = _find(key, section.content[last])


def _own(section: dict[str, Node]) -> bool:
    choice = section.get("model") or section.get("name")
    return choice is not None and isinstance(choice.content, str) and ":" in choice.content


def _find(key: str, node: Node) -> Node:
    named = node.content
    if not isinstance(named, str) or not named or (key == FRAMES and named == BUILT_IN):
        return node  # no path; if it must be one, the model says so
    written_in = None if node.origin.startswith("--") else Path(node.origin.rpartition(":")[0]).parent
    places = [Path()] if written_in is None else list(dict.fromkeys([written_in, Path()]))
    for place in places:
        if glob.glob(str(place / named)) or (place / named).exists():
            here = place == Path() or Path(named).is_absolute()
            return node if here else Node(_from_here(place / named), node.origin)
    where = "" if Path(named).is_absolute() else f"Looked in {' and '.join(str(place.resolve()) for place in places)}"
    rule = f"neither '{BUILT_IN}' nor an existing file or folder" if key == FRAMES else "no such file or folder"
    raise ScenarioError(f"{node.origin}: {key}", rule, named, where)


def _from_here(path: Path) -> str:
    """From the working folder, so that results do not depend on where that lies; whole if it is not in there."""
    found, here = path.resolve(), Path.cwd()
    return found.relative_to(here).as_posix() if found.is_relative_to(here) else str(found)
