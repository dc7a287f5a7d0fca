"""The channel section of a scenario: which models there are, and the numbers each of them takes.

Also the kinds of value all sections share: whole numbers, durations, rates, shares.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from simulator import units

T = TypeVar("T")


def _whole(value: Any) -> Any:
    """Let 1e3 be a whole number, as it is in YAML's eyes a float."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


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


class NoLoss(Section):
    """Every packet survives."""

    model: Literal["none"] = "none"


class Bernoulli(Section):
    """Each packet is lost with the same chance, whatever befell the one before."""

    model: Literal["bernoulli"]
    rate: Share


class GilbertElliott(Section):
    """Losses in bursts: a good and a bad state, as in netem's `loss gemodel`.

    Attributes:
        rate, mean_burst: What people know: share of packets lost, and mean run of losses in packets.
        p, r: Or the chances of good -> bad and bad -> good, a packet.
        h, k: With p and r: chance of delivery in the bad and in the good state.
    """

    model: Literal["gilbert_elliott"]
    rate: Share | None = None
    mean_burst: float | None = Field(default=None, ge=1, description="Mean run of losses, in packets.")
    p: Share | None = None
    r: Share | None = None
    h: Share = 0.0
    k: Share = 1.0

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_rate = self.rate is not None and self.mean_burst is not None
        by_chance = self.p is not None and self.r is not None
        given = sum(value is not None for value in (self.rate, self.mean_burst, self.p, self.r))
        simple = (self.h, self.k) == (0.0, 1.0)
        if given == 2 and by_rate and simple:
            self._check_realisable()
        elif given != 2 or not by_chance:
            raise ValueError("give either rate and mean_burst, or p and r (and, if you like, h and k)")
        elif self.p == self.r == 0:
            raise problem("r", "p and r are both 0, so the share of time in each state is undefined")
        return self

    def _check_realisable(self) -> None:
        """p = r L / (1 - L) with r = 1 / b must be a chance, so b >= L / (1 - L)."""
        assert self.rate is not None and self.mean_burst is not None, self
        if self.rate == 1:
            raise problem("rate", "must be below 100 %: a burst has to end")
        shortest = self.rate / (1 - self.rate)
        if self.mean_burst < shortest * (1 - 1e-12):
            burst = math.ceil(shortest * 1e4) / 1e4  # rounded to the safe side, or the advice would fail
            rate = math.floor(self.mean_burst / (1 + self.mean_burst) * 1e4) / 1e4
            raise problem(
                "mean_burst",
                f"no two-state channel loses {self.rate:g} in bursts of {self.mean_burst:g}: the gaps would "
                f"be shorter than a packet. Nearest valid: mean_burst {burst:g} with this rate, "
                f"or rate {rate:g} with this burst",
            )


class ConstantDelay(Section):
    """Every packet takes the same time."""

    model: Literal["constant"] = "constant"
    mean_ns: Duration = Field(default=0, alias="mean")


class NormalDelay(Section):
    """Delay drawn from a normal distribution, cut off at 0."""

    model: Literal["normal"]
    mean_ns: Duration = Field(alias="mean")
    jitter_ns: Duration = Field(alias="jitter", description="Standard deviation.")
    reorder: bool = Field(default=False, description="May a packet overtake the one before it?")


class UniformDelay(Section):
    """Delay drawn evenly from mean - jitter to mean + jitter."""

    model: Literal["uniform"]
    mean_ns: Duration = Field(alias="mean")
    jitter_ns: Duration = Field(alias="jitter", description="Half the width.")
    reorder: bool = Field(default=False, description="May a packet overtake the one before it?")

    @model_validator(mode="after")
    def _not_negative(self) -> Self:
        if self.jitter_ns > self.mean_ns:
            raise problem("jitter", "must not exceed mean, or some delays would be negative")
        return self


class InfiniteBandwidth(Section):
    """A link that takes no time to send."""

    model: Literal["infinite"] = "infinite"


class ConstantBandwidth(Section):
    """A link of fixed bit rate."""

    model: Literal["constant"]
    rate_bps: Rate = Field(alias="rate")


class InfiniteQueue(Section):
    """A queue that is never full."""

    model: Literal["infinite"] = "infinite"


class DroptailQueue(Section):
    """A queue that refuses what does not fit; a packet being sent no longer counts."""

    model: Literal["droptail"]
    packets: Whole | None = Field(default=None, ge=1, description="Room for so many packets.")
    bytes: Whole | None = Field(default=None, ge=1, description="Room for so many bytes on the wire.")

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if self.packets is None and self.bytes is None:
            raise ValueError("give packets, bytes, or both; for no limit use model: infinite")
        return self


LossModel: TypeAlias = Annotated[NoLoss | Bernoulli | GilbertElliott, Field(discriminator="model")]
DelayModel: TypeAlias = Annotated[ConstantDelay | NormalDelay | UniformDelay, Field(discriminator="model")]
BandwidthModel: TypeAlias = Annotated[InfiniteBandwidth | ConstantBandwidth, Field(discriminator="model")]
QueueModel: TypeAlias = Annotated[InfiniteQueue | DroptailQueue, Field(discriminator="model")]


class Channel(Section):
    """What a packet crosses: queue and bandwidth, then loss, then delay."""

    loss: LossModel = NoLoss()
    delay: DelayModel = ConstantDelay()
    bandwidth: BandwidthModel = InfiniteBandwidth()
    queue: QueueModel = InfiniteQueue()
    mtu_bytes: Whole = Field(default=1500, ge=128, le=65535, description="Largest packet, IP header included.")
