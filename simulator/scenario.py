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

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import SchemaSerializer
from pydantic_core.core_schema import WithDefaultSchema

from simulator import strict_yaml
from simulator.packet import OVERHEAD_BYTES
from simulator.scenario_channel import (
    Bernoulli,
    Channel,
    ConstantBandwidth,
    ConstantDelay,
    DroptailQueue,
    GilbertElliott,
    InfiniteBandwidth,
    InfiniteQueue,
    NoLoss,
    NormalDelay,
    Section,
    UniformDelay,
    Whole,
    problem,
)
from simulator.scenario_codec import Codec, Concealment, choose_concealment
from simulator.scenario_file import read_tree
from simulator.scenario_playout import AdaptivePlayout, FixedPlayout, Pacing, Playout
from simulator.scenario_problems import explain
from simulator.scenario_protection import Fec, Nack, Protection
from simulator.scenario_rate import FixedRate, GccRate, OracleRate, RateControl
from simulator.strict_yaml import Node

__all__ = [
    "AdaptivePlayout",
    "Bernoulli",
    "Channel",
    "Codec",
    "Concealment",
    "ConstantBandwidth",
    "ConstantDelay",
    "DroptailQueue",
    "Fec",
    "FixedPlayout",
    "FixedRate",
    "GccRate",
    "GilbertElliott",
    "InfiniteBandwidth",
    "InfiniteQueue",
    "Nack",
    "NoLoss",
    "NormalDelay",
    "OracleRate",
    "Output",
    "Pacing",
    "Packetizer",
    "Playout",
    "Protection",
    "RateControl",
    "Scenario",
    "Source",
    "Sweep",
    "UniformDelay",
    "check",
    "digest",
    "load",
    "plain",
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


class Packetizer(Section):
    """How a frame is cut: one slice of tokens a packet."""

    packets_per_frame: Whole = Field(default=4, ge=1, le=255, description="Slices, hence packets, of each frame.")
    interleave: Literal["low_discrepancy", "checkerboard", "raster"] = Field(
        default="low_discrepancy",
        description="Which tokens share a packet: scattered ones, a colour of a chessboard, or a run of rows.",
    )
    depth: Whole = Field(
        default=1,
        ge=1,
        le=64,
        description="Frames whose packets are sent interleaved; costs depth - 1 frames of delay.",
    )


class Output(Section):
    """What is kept beside the tables."""

    frames: Whole = Field(default=8, ge=0, description="Frames kept as pictures.")
    flip: bool = Field(default=False, description="Measure FLIP too (needs flip-evaluator, 0.1 s a picture).")
    squeeze: str | None = Field(default=None, description="SqueezeNet weights, for the squeeze metric.")


class Sweep(Section):
    """Many runs of one scenario: every combination of some keys' values, each with several seeds."""

    vary: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        default={}, description="Values of each varied key, such as channel.loss.rate: [0, 5 %]."
    )
    seeds: Whole = Field(default=1, ge=1, le=1_000_000, description="Runs of each combination: seed, seed + 1, ...")


class Scenario(Section):
    """One run, except for the seed's luck; `sweep` is for the verb of that name alone."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Names the results folder.")
    seed: Whole = Field(default=1, ge=0, lt=2**63)
    source: Source = Source()
    codec: Codec = Codec()
    packetizer: Packetizer = Packetizer()
    protection: Protection = Protection()
    channel: Channel = Channel()
    playout: Playout = FixedPlayout()
    pacing: Pacing = Pacing()
    rate_control: RateControl = FixedRate()
    concealment: Concealment = Concealment()
    output: Output = Output()
    sweep: Sweep = Sweep()

    @model_validator(mode="after")
    def _frames_fit(self) -> Self:
        """A rate that no packets can carry is found now, not in the middle of a run."""
        if isinstance(self.rate_control, FixedRate):
            return self
        room = self.packetizer.packets_per_frame * (self.channel.mtu_bytes - OVERHEAD_BYTES)
        most = self.source.size[0] * self.source.size[1] * self.rate_control.max_bpp / 8
        if most > room:
            rule = f"at max_bpp a frame has {most:.0f} bytes, but its packets have room for {room}; "
            raise problem("rate_control", rule + "lower max_bpp or raise packetizer.packets_per_frame")
        return self

    _auto = model_validator(mode="before")(choose_concealment)


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
    return check(read_tree(Path(path), [*overrides, *extra]), str(path))


def check(tree: Node, source: str) -> Scenario:
    """The scenario of a tree.

    Args:
        tree: What the files and overrides say.
        source: The file to name where no line can be named.

    Raises:
        ScenarioError: As `load` does.
    """
    try:
        return Scenario.model_validate(tree.plain())
    except ValidationError as error:
        raise explain(error, source, tree, schema()) from error


def plain(scenario: Scenario) -> dict[str, Any]:
    """Everything that decides a run, as it would stand in a file, all defaults written out."""
    return scenario.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"sweep"})


def resolved_yaml(scenario: Scenario) -> str:
    """The scenario with every default written out; loads to the same scenario."""
    return strict_yaml.dump(plain(scenario))


def scenario_hash(scenario: Scenario) -> str:
    """First 12 hex digits of SHA-256 over the resolved scenario without its seed.

    However a value is spelled ("20 %", 0.2), equal scenarios have equal hashes.
    """
    return hash_of(plain(scenario))


def hash_of(values: dict[str, Any]) -> str:
    """The `scenario_hash` of a scenario whose `plain` values are at hand."""
    return digest({key: value for key, value in values.items() if key != "seed"})


def digest(values: Any) -> str:
    """First 12 hex digits of SHA-256 over plain values, whatever the order of their keys."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class _Spelled(GenerateJsonSchema):
    """Defaults as people write them: 150 ms, not 150000000, which a file would mean as milliseconds."""

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        inner = schema["schema"]
        if "default" in made and inner.get("serialization", {}).get("type") == "function-plain":
            made["default"] = SchemaSerializer(inner).to_python(schema["default"], mode="json")
        return made


def schema() -> dict[str, Any]:
    """JSON Schema of a scenario file, for editors."""
    made = Scenario.model_json_schema(by_alias=True, schema_generator=_Spelled)
    made["required"] = []  # `name` is the file's name where it is not given
    made["properties"]["extends"] = {
        "type": "string",
        "description": "Another scenario file, relative to this one; this one's keys win.",
    }
    return made
