"""Models of a channel that users bring, by import path: built, and looked at before the long work."""

from collections.abc import Sequence
from typing import Any

from simulator.by_path import check_options, find, parameters
from simulator.errors import ScenarioError
from simulator.scenario_own import Own
from simulator.streams import generator


def make(section: str, model: Own, wanted: Sequence[str], seed: int, purpose: str) -> Any:
    """Build a model; a parameter `chance` gets the generator of its purpose.

    Args:
        section: Where it stands, such as "channel.loss".
        model: What the scenario says of it.
        wanted: Attributes it must have.
        seed: Of the run.
        purpose: Names its stream of chance.

    Raises:
        ScenarioError: If it cannot be imported, refuses its options, or lacks an attribute.
    """
    where, path, options = f"{section}.model", model.model, model.options
    build = find(where, path, ScenarioError)
    takes = parameters(where, path, build, ScenarioError)
    if "chance" in options:
        raise ScenarioError(f"{section}.chance", "is the seed's generator, and no option")
    if "chance" in takes:
        options["chance"] = generator(seed, purpose)
    check_options(section, path, takes, options, ScenarioError)
    try:
        made = build(**options)
    except (TypeError, ValueError) as error:
        raise ScenarioError(section, f"{path} refuses its options ({error})") from error
    lacks = [name for name in wanted if not hasattr(made, name)]
    if lacks:
        next_step = "See docs/extending.md"
        raise ScenarioError(where, f"{path} is no model of this kind: it lacks {', '.join(lacks)}", next_step=next_step)
    return made
