"""A scenario: everything that decides a run, read strictly from YAML, then frozen.

    file + its `extends` + --set  --strict_yaml-->  tree with lines  --models below-->  Scenario

The YAML key is what people write (`deadline: 150 ms`), the Python field carries the unit
(`deadline_ns`). Every section has defaults, so a scenario says only what matters to it; the file
written beside the results says all of it.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from simulator import strict_yaml
from simulator.scenario_channel import (
    Bernoulli,
    Channel,
    ConstantBandwidth,
    ConstantDelay,
    DroptailQueue,
    Duration,
    GilbertElliott,
    InfiniteBandwidth,
    InfiniteQueue,
    NoLoss,
    NormalDelay,
    Section,
    UniformDelay,
    Whole,
    only,
    problem,
)
from simulator.scenario_file import read_tree
from simulator.scenario_problems import explain, nearest

__all__ = [
    "Bernoulli",
    "Channel",
    "Codec",
    "Concealment",
    "ConstantBandwidth",
    "ConstantDelay",
    "DroptailQueue",
    "GilbertElliott",
    "InfiniteBandwidth",
    "InfiniteQueue",
    "NoLoss",
    "NormalDelay",
    "Output",
    "Packetizer",
    "Playout",
    "Protection",
    "RateControl",
    "Scenario",
    "Source",
    "UniformDelay",
    "load",
    "resolved_yaml",
    "scenario_hash",
    "schema",
]


class Source(Section):
    """Where frames come from, and how many: `size` is (height, width) in pixels."""

    frames: str = Field(default="builtin", min_length=1, description="builtin, a folder, a glob or a video file.")
    count: Whole = Field(default=120, ge=1, le=1_000_000, description="Frames to send.")
    fps: float = Field(default=24.0, gt=0, le=1000, description="Frames a second.")
    size: tuple[
        Annotated[Whole, Field(ge=16, le=8192)],
        Annotated[Whole, Field(ge=16, le=8192)],
    ] = Field(default=(256, 256), description="[height, width] in pixels.")

    @field_validator("size", mode="before")
    @classmethod
    def _pair(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


# The options of the codecs shipped here, so that a typo is found before anything is loaded.
CODEC_OPTIONS = {"toy": (), "vq": ("bpp", "ratios", "entropy", "weights")}


class Codec(BaseModel):
    """Which codec; every key but `name` is handed to it as an option."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    name: str = Field(default="vq", min_length=1, description="vq, toy, or package.module:Class.")

    @property
    def options(self) -> dict[str, Any]:
        """Every key but `name`."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _known(self) -> Self:
        if ":" not in self.name and self.name not in CODEC_OPTIONS:
            rule = f"no codec of that name; there are {', '.join(CODEC_OPTIONS)}, or package.module:Class"
            raise problem("name", f"{rule}. {nearest(self.name, CODEC_OPTIONS)}".rstrip(". "))
        for key in self.options if self.name in CODEC_OPTIONS else ():
            if key not in (known := CODEC_OPTIONS[self.name]):
                rule = f"codec {self.name} has no such option; it has {', '.join(known) or 'none'}"
                raise problem(key, f"{rule}. {nearest(key, known)}".rstrip(". "))
        return self


class Packetizer(Section):
    """How a frame is cut: one slice of tokens a packet."""

    packets_per_frame: Whole = Field(default=4, ge=1, le=255, description="Slices, hence packets, of each frame.")
    interleave: Literal["low_discrepancy", "raster"] = Field(
        default="low_discrepancy", description="Which tokens share a packet: scattered ones, or a run of rows."
    )
    depth: Whole = Field(default=1, description="Frames interleaved with one another; this version has 1.")

    @field_validator("depth")
    @classmethod
    def _one(cls, value: int) -> int:
        return only(value, 1, "this version does not interleave over several frames")


class Protection(Section):
    """Repair of losses; this version has none."""

    fec: str = Field(default="none", description="Forward error correction; this version has none.")
    nack: bool = Field(default=False, description="Retransmission on request; this version has none.")

    @field_validator("fec")
    @classmethod
    def _no_fec(cls, value: str) -> str:
        return only(value, "none", "this version has no forward error correction")

    @field_validator("nack")
    @classmethod
    def _no_nack(cls, value: bool) -> bool:
        return only(value, False, "this version has no retransmission")


class Playout(Section):
    """When a frame is shown: capture time + deadline."""

    deadline_ns: Duration = Field(default=150_000_000, alias="deadline")


class RateControl(Section):
    """Who chooses the codec's rate; this version keeps it fixed."""

    model: Literal["fixed"] = "fixed"


class Concealment(Section):
    """How holes are filled."""

    method: Literal[
        "none",
        "zero",
        "copy_previous",
        "neighbour_mean",
        "argmax",
        "expected",
        "iterative_2",
        "iterative_4",
        "iterative_8",
    ] = "expected"
    temporal: bool = Field(default=False, description="Look at the frame before too; copy_previous has to.")

    @model_validator(mode="after")
    def _looks_back(self) -> Self:
        if self.method == "copy_previous" and not self.temporal:
            raise problem("temporal", "copy_previous looks at the frame before: set temporal: true")
        return self


class Output(Section):
    """What is kept beside the tables."""

    frames: Whole = Field(default=8, ge=0, description="Frames kept as pictures.")
    flip: bool = Field(default=False, description="Measure FLIP too (needs flip-evaluator, 0.1 s a picture).")
    squeeze: str | None = Field(default=None, description="SqueezeNet weights, for the squeeze metric.")


class Scenario(Section):
    """One run, except for the seed's luck."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Names the results folder.")
    seed: Whole = Field(default=1, ge=0, lt=2**63)
    source: Source = Source()
    codec: Codec = Codec()
    packetizer: Packetizer = Packetizer()
    protection: Protection = Protection()
    channel: Channel = Channel()
    playout: Playout = Playout()
    rate_control: RateControl = RateControl()
    concealment: Concealment = Concealment()
    output: Output = Output()


def load(path: str | Path, overrides: Sequence[str] = (), seed: int | None = None) -> Scenario:
    """A scenario file, its bases and the overrides, checked.

    Args:
        path: The YAML file.
        overrides: "channel.loss.rate=10 %" and the like; the value is read as YAML.
        seed: Takes the place of the file's seed.

    Raises:
        ScenarioError: If anything is wrong; it names file:line (or the override), path, rule and
            value, and lists all problems when there are several.
    """
    extra = [] if seed is None else [f"seed={seed}"]
    tree = read_tree(Path(path), [*overrides, *extra])
    try:
        return Scenario.model_validate(tree.plain())
    except ValidationError as error:
        raise explain(error, str(path), tree, schema()) from error


def resolved_yaml(scenario: Scenario) -> str:
    """The scenario with every default written out; loads to the same scenario."""
    return strict_yaml.dump(scenario.model_dump(mode="json", by_alias=True, exclude_none=True))


def scenario_hash(scenario: Scenario) -> str:
    """First 12 hex digits of SHA-256 over the resolved scenario without its seed.

    However a value is spelled ("20 %", 0.2), equal scenarios have equal hashes.
    """
    values = scenario.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"seed"})
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def schema() -> dict[str, Any]:
    """JSON Schema of a scenario file, for editors."""
    made = Scenario.model_json_schema(by_alias=True)
    made["required"] = []  # `name` is the file's name where it is not given
    made["properties"]["extends"] = {
        "type": "string",
        "description": "Another scenario file, relative to this one; this one's keys win.",
    }
    return made
