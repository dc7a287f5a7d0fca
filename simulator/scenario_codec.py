"""The sections `codec` and `concealment` of a scenario."""

from collections.abc import Iterable
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from simulator.scenario_codec_options import OPTIONS, STILLS, VIDEOS, wrong_option
from simulator.scenario_problems import nearest
from simulator.scenario_values import Section, problem

GUESSES = (
    "neighbour_mean", "argmax", "expected", "shrunk", "copy_or_expected", "iterative_2", "iterative_4", "iterative_8",
    "copy_previous",
)  # fmt: skip
METHODS = ("auto", "none", "zero", *GUESSES)
# What `auto` stands for: the best a codec has, and whether it looks at earlier frames.
BEST = {
    "toy": ("neighbour_mean", False),
    "vq": ("expected", False),
    **dict.fromkeys((*STILLS, *VIDEOS), ("copy_previous", True)),
}


class Codec(BaseModel):
    """Which codec; every key but `name` is handed to it as an option."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    name: str = Field(default="vq", min_length=1, description=f"{', '.join(OPTIONS)}, or package.module:Class.")

    @property
    def options(self) -> dict[str, Any]:
        """Every key but `name`; of a shipped codec those that are null count as not given."""
        given = self.model_extra or {}
        return {key: value for key, value in given.items() if value is not None or self.name not in OPTIONS}

    @model_validator(mode="after")
    def _known(self) -> Self:
        if ":" not in self.name and self.name not in OPTIONS:
            rule = f"no codec of that name; there are {', '.join(OPTIONS)}, or package.module:Class"
            raise problem("name", f"{rule}. {nearest(self.name, OPTIONS)}".rstrip(". "))
        if self.name in OPTIONS:
            self._check_options(OPTIONS[self.name])
        return self

    def _check_options(self, known: Iterable[str]) -> None:
        for key in self.options:
            if key not in known:
                rule = f"codec {self.name} has no such option; it has {', '.join(known) or 'none'}"
                raise problem(key, f"{rule}. {nearest(key, known)}".rstrip(". "))
        if found := wrong_option(self.name, self.options):
            raise problem(*found)


class Concealment(Section):
    """How holes are filled."""

    method: str = Field(
        default="expected", description=f"{', '.join(METHODS)}, or package.module:function. auto: the codec's best."
    )
    temporal: bool = Field(default=False, description="Look at earlier frames too, where the codec can.")

    @field_validator("method")
    @classmethod
    def _known(cls, value: str) -> str:
        if ":" not in value and value not in METHODS:
            rule = f"no method of that name; there are {', '.join(METHODS)}, or package.module:function"
            raise ValueError(f"{rule}. {nearest(value, METHODS)}".rstrip(". "))
        return value


def choose_concealment(scenario: Any) -> Any:
    """A scenario as plain values, `auto` replaced by the best method of its codec; none of a user's codec."""
    if not isinstance(scenario, dict) or not isinstance(scenario.get("concealment"), dict):
        return scenario
    codec = scenario.get("codec")
    name = codec.get("name", "vq") if isinstance(codec, dict) else "vq"
    if scenario["concealment"].get("method") != "auto" or not isinstance(name, str):
        return scenario
    method, temporal = BEST.get(name, ("none", False))
    return {**scenario, "concealment": {"temporal": temporal, **scenario["concealment"], "method": method}}
