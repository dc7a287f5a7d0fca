"""The kinds of value all sections of a scenario share: whole numbers, durations, rates, shares, rows."""

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from simulator import units

T = TypeVar("T")


def _whole(value: Any) -> Any:
    """Let 1e3 be a whole number, as it is in YAML's eyes a float."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _tuple(value: Any) -> Any:
    """YAML knows lists only."""
    return tuple(value) if isinstance(value, list) else value


def _quantity(what: str, *examples: str | float) -> WithJsonSchema:
    return WithJsonSchema({"type": ["string", "number"], "description": what, "examples": list(examples)})


Whole: TypeAlias = Annotated[int, BeforeValidator(_whole)]
Duration: TypeAlias = Annotated[
    int,
    BeforeValidator(units.parse_duration_ns),
    Field(ge=0),
    PlainSerializer(units.format_duration, when_used="json"),
    _quantity("A duration: ns, us, ms or s; a bare number means milliseconds.", "40 ms", "1.5 s", 40),
]
RateOrNone: TypeAlias = Annotated[
    int,
    BeforeValidator(units.parse_rate_bps),
    PlainSerializer(units.format_rate, when_used="json"),
    _quantity("A bit rate, 0 for a line that stands still; a bare number means bit/s.", "1 Mbit/s", "500 kbit/s", 0),
]
Rate: TypeAlias = Annotated[
    int,
    BeforeValidator(units.parse_rate_bps),
    Field(gt=0),
    PlainSerializer(units.format_rate, when_used="json"),
    _quantity("A bit rate; a bare number means bit/s.", "1 Mbit/s", "500 kbit/s", 1e6),
]
Share: TypeAlias = Annotated[
    float,
    BeforeValidator(units.parse_share),
    _quantity("A share: 0 to 1, or 0 % to 100 %.", "20 %", 0.2),
]
Rows: TypeAlias = Annotated[tuple[Annotated[tuple[Duration, T], BeforeValidator(_tuple)], ...], BeforeValidator(_tuple)]
Listed: TypeAlias = Annotated[tuple[T, ...], BeforeValidator(_tuple)]


class Section(BaseModel):
    """A frozen mapping with no keys but its own and no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def problem(key: str, rule: str) -> PydanticCustomError:
    """A broken rule between several keys, reported at one of them."""
    return PydanticCustomError("rule", "{rule}", {"key": key, "rule": rule})


def with_default_model(model: str) -> Callable[[Any], Any]:
    """A validator that lets `model` be left out of a section that has several."""
    return lambda value: {"model": model, **value} if isinstance(value, dict) else value


def only(value: T, allowed: T, rule: str) -> T:
    """Refuse what a later version may have: `rule` says that this one has it not."""
    if value != allowed:
        raise ValueError(f"{rule}; the only value is {str(allowed).lower()}")
    return value


def one_source(model: Section, *keys: str) -> None:
    """Check that exactly one of some optional keys is given, and that it is not empty.

    Raises:
        PydanticCustomError: If none, several, or an empty list is given.
    """
    given = [key for key in keys if getattr(model, key) is not None]
    if len(given) != 1:
        raise ValueError(f"give either {' or '.join(keys)}")
    if not getattr(model, given[0]):
        raise problem(given[0], "must not be empty")


def check_rows(rows: Rows[T] | None) -> None:
    """Check that the times of rows grow.

    Raises:
        PydanticCustomError: If a row does not come after the one before it.
    """
    for before, after in zip(rows or (), (rows or ())[1:], strict=False):
        if after[0] <= before[0]:
            told = units.format_duration(after[0])
            raise problem("rows", f"times must grow: {told} does not come after {units.format_duration(before[0])}")
