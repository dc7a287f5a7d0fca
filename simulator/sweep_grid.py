"""A sweep as a list of cells: every combination of the varied keys' values, each with every seed.

    file, --set --read--> tree --+-- one value of each axis --merge, check--> Scenario --> Cell
    --vary, `sweep:` --> axes ---+

A cell's name is a hash of all that decides its result: the resolved scenario with its seed, the
codec with its weights, the code of modules that are named by import path, the version of this
package. Same name, same bytes; so a result that is there need not be made again, whoever made it.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import simulator
from simulator import media_loader, own_code, strict_yaml
from simulator.errors import ScenarioError
from simulator.records import varied_column
from simulator.scenario import Scenario, check, digest, hash_of, plain
from simulator.scenario_file import merge, nested, read_tree
from simulator.strict_yaml import Node


@dataclass(frozen=True)
class Axis:
    """One varied key: its dotted name and its values as they were written."""

    key: str
    values: tuple[Node, ...]


@dataclass(frozen=True)
class Cell:
    """One run of a sweep.

    Attributes:
        name: Its folder: 12 hex digits, see the module.
        scenario: What to simulate, seed included.
        varied: Value of each varied key, as the resolved scenario has it, by its column in the tables.
        film: Equal for cells that encode the same frames in the same way and judge them alike.
        network: Equal for cells of one film that send it over the same network with the same luck.
    """

    name: str
    scenario: Scenario
    varied: dict[str, Any]
    film: str
    network: str

    @classmethod
    def make(cls, name: str, scenario: Scenario, varied: dict[str, Any], values: dict[str, Any]) -> "Cell":
        """A cell whose resolved scenario is `values`."""
        output, source = values["output"], values["source"]
        camera = scenario.seed if source["frames"] == "builtin" else None  # files ignore the seed
        judged = [output.get("squeeze"), output.get("flip")]
        film = digest([source, values["codec"], values["packetizer"], judged, camera])
        network = digest({key: value for key, value in values.items() if key not in ("concealment", "output")})
        return cls(name, scenario, varied, film, network)


@dataclass(frozen=True)
class Grid:
    """A sweep, before its cells are spelled out.

    Attributes:
        source: The scenario file.
        tree: What file and overrides say, without the sweep section.
        axes: The varied keys, the one that changes slowest first.
        seeds: Of each combination.
        pictures: Whether pictures are kept of each cell.
    """

    source: Path
    tree: Node
    axes: tuple[Axis, ...]
    seeds: tuple[int, ...]
    pictures: bool = False

    @property
    def size(self) -> int:
        """How many cells there are."""
        count = len(self.seeds)
        for axis in self.axes:
            count *= len(axis.values)
        return count

    def first(self) -> Scenario:
        """The scenario of the first cell.

        Raises:
            ScenarioError: If it is none.
        """
        return self._scenario([axis.values[0] for axis in self.axes], self.seeds[0])

    def values(self, axis: Axis) -> list[Any]:
        """The values of an axis as resolved scenarios have them, the other axes at their first."""
        found = []
        for value in axis.values:
            chosen = [value if each is axis else each.values[0] for each in self.axes]
            found.append(_at(plain(self._scenario(chosen, self.seeds[0])), axis.key))
        return found

    def plain(self) -> dict[str, Any]:
        """The whole sweep as a scenario file would say it; loads to the same sweep."""
        vary = {axis.key: self.values(axis) for axis in self.axes}
        return {**plain(self.first()), "sweep": {"vary": vary, "seeds": len(self.seeds)}}

    def name(self) -> str:
        """12 hex digits that stand for all results of this sweep."""
        return digest([self.plain(), identity(self.first()), self.pictures])

    def cells(self) -> Iterator[Cell]:
        """All cells in their order: the last axis changes faster than the first, seeds fastest.

        Raises:
            ScenarioError: If one of them is no valid scenario, or two of them are the same.
        """
        seen: dict[str, Sequence[Node]] = {}
        for chosen in itertools.product(*(axis.values for axis in self.axes)):
            first = self._scenario(chosen, self.seeds[0])
            values = plain(first)
            common = [hash_of(values), *identity(first), self.pictures]
            varied = {varied_column(axis.key): _at(values, axis.key) for axis in self.axes}
            for seed in self.seeds:
                name = digest([seed, *common])
                if name in seen:
                    raise self._twice(seen[name], chosen)
                seen[name] = chosen
                yield Cell.make(name, first.model_copy(update={"seed": seed}), varied, {**values, "seed": seed})

    def _scenario(self, chosen: Sequence[Node], seed: int) -> Scenario:
        above = nested(["seed"], Node(seed, "--seeds"))
        for axis, value in zip(self.axes, chosen, strict=True):
            above = merge(above, nested(axis.key.split("."), value))
        return check(merge(self.tree, above), str(self.source))

    def _twice(self, one: Sequence[Node], other: Sequence[Node]) -> ScenarioError:
        for axis, a, b in zip(self.axes, one, other, strict=True):
            if a is not b:
                rule = f"two values of {axis.key} mean the same: {a.plain()!r} and {b.plain()!r}"
                return ScenarioError(b.origin, rule, next_step="Leave one of them out")
        return ScenarioError("--seeds", "two seeds are the same")


def read(
    path: Path,
    overrides: Sequence[str] = (),
    vary: Sequence[str] = (),
    seeds: int | None = None,
    pictures: bool = False,
) -> Grid:
    """A scenario file and the command line as a grid.

    Args:
        path: The scenario; its section `sweep` says what varies unless the arguments do.
        overrides: "key=value", as for a run.
        vary: "key=value,value,..."; takes the place of the same key in the file.
        seeds: How many; the first is the scenario's own.
        pictures: Whether to keep pictures of each cell.

    Raises:
        ScenarioError: If anything is wrong with them; cells but the first are not looked at yet.
    """
    tree = read_tree(path, overrides)
    assert isinstance(tree.content, dict), tree
    said = tree.content.pop("sweep", None)
    if said is not None:  # its form only: the rest may lack what is varied
        section = check(Node({"name": Node("sweep", ""), "sweep": said}, tree.origin), str(path)).sweep
        seeds = section.seeds if seeds is None else seeds
    if seeds is not None and seeds < 1:
        raise ScenarioError("--seeds", "must be at least 1", seeds)
    axes = {axis.key: axis for axis in [*_axes_of_file(said), *(_axis(text) for text in vary)]}
    for key in axes:
        if key == "seed" or key.startswith("sweep"):
            raise ScenarioError(f"--vary {key}", "cannot be varied", next_step="Example: --seeds 5")
    first = _seed(tree)
    grid = Grid(path, tree, tuple(axes.values()), tuple(range(first, first + (seeds or 1))), pictures)
    grid.first()
    return grid


def identity(scenario: Scenario) -> list[str]:
    """What decides a result beside the scenario: this package's version, the codec, its weights, code of the user's.

    Raises:
        ScenarioError: If code of the user's cannot be imported.
    """
    values, options = plain(scenario), json.dumps(scenario.codec.options, sort_keys=True)
    own_code.check(values)
    codes = own_code.hashes(values).values()
    return [simulator.__version__, media_loader.identity(scenario.codec.name, options), *codes]


def _seed(tree: Node) -> int:
    """The scenario's own seed, before anything else of it is known to be right."""
    assert isinstance(tree.content, dict), tree
    kept = {key: tree.content[key] for key in ("seed",) if key in tree.content}
    return check(Node({**kept, "name": Node("sweep", "")}, tree.origin), tree.origin).seed


def _axes_of_file(section: Node | None) -> list[Axis]:
    """The axes of a `sweep` section that is known to be well-formed."""
    vary = section.content.get("vary") if section and isinstance(section.content, dict) else None
    found = []
    for key, values in vary.content.items() if vary and isinstance(vary.content, dict) else ():
        assert isinstance(values.content, list), values
        found.append(Axis(key, tuple(values.content)))
    return found


def _axis(text: str) -> Axis:
    """One "a.b.c=1,2,3"; the values are read as a YAML list is."""
    key, equals, values = text.partition("=")
    origin, key = f"--vary {text}", key.strip()
    if not equals or not all(key.split(".")) or not values.strip():
        raise ScenarioError(origin, "is a key and its values", next_step="Example: --vary channel.loss.rate=0,5%,10%")
    listed = strict_yaml.parse(f"[{values}]", origin, fixed_origin=True)
    if not isinstance(listed.content, list):
        raise ScenarioError(origin, "the values must be separated by commas", values)
    return Axis(key, tuple(listed.content))


def _at(values: dict[str, Any], key: str) -> Any:
    """The value at a dotted key of a resolved scenario; None where it has been left out."""
    found: Any = values
    for step in key.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found
