"""A class of the user's by its import path, and its options checked before Python says it less kindly."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from simulator.errors import SimulatorError

Fail = type[SimulatorError]


def find(where: str, path: str, error: Fail) -> Callable[..., Any]:
    """What "package.module:Class" names; `where` is the key that says so.

    Raises:
        SimulatorError: Of the given kind, if it cannot be imported or is not there.
    """
    module, _, attribute = path.partition(":")
    try:
        found = importlib.import_module(module)
    except ImportError as reason:
        next_step = "The module must be importable from the current folder"
        raise error(where, f"cannot import {module} ({reason})", next_step=next_step) from reason
    except Exception as reason:  # whatever the user's module does when it is read
        said = f"{type(reason).__name__}: {reason}"
        next_step = f"python -c 'import {module}' shows where"
        raise error(where, f"cannot import {module} ({said})", next_step=next_step) from reason
    if not hasattr(found, attribute):
        raise error(where, f"module {module} has no {attribute}")
    return cast(Callable[..., Any], getattr(found, attribute))


def parameters(where: str, path: str, make: Callable[..., Any], error: Fail) -> Mapping[str, inspect.Parameter]:
    """What a constructor takes.

    Raises:
        SimulatorError: Of the given kind, if it is none.
    """
    try:
        return inspect.signature(make).parameters
    except (TypeError, ValueError) as reason:
        raise error(where, f"{path} cannot be called ({reason})") from reason


def check_options(
    section: str, named: str, takes: Mapping[str, inspect.Parameter], options: Mapping[str, Any], error: Fail
) -> None:
    """Say which option is unknown or missing.

    Args:
        section: The scenario's section they stand in.
        named: What they are options of, in words.
        takes: Parameters of its constructor.
        options: Those given.
        error: What to raise.

    Raises:
        SimulatorError: Of the given kind.
    """
    kinds = {parameter.kind for parameter in takes.values()}
    known = [key for key, parameter in takes.items() if parameter.kind != parameter.POSITIONAL_ONLY]
    unknown = [] if inspect.Parameter.VAR_KEYWORD in kinds else [key for key in options if key not in known]
    if unknown:
        raise error(f"{section}.{unknown[0]}", f"{named} has no such option; it has {', '.join(known) or 'none'}")
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    for key, parameter in takes.items():
        if parameter.default is parameter.empty and parameter.kind not in variable and key not in options:
            raise error(f"{section}.{key}", f"{named} needs this option")
