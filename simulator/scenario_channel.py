"""The channel section of a scenario: what a packet crosses, part by part.

The parts with many models stand in scenario_loss and scenario_path.
"""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from simulator import presets
from simulator.scenario_loss import (
    Bernoulli,
    ContinuousTime,
    FourState,
    GilbertElliott,
    LossBursts,
    LossModel,
    LossRows,
    LossTrace,
    NoLoss,
    TokenErasure,
)
from simulator.scenario_own import Own
from simulator.scenario_path import (
    BandwidthModel,
    BandwidthRows,
    CodelQueue,
    ConstantBandwidth,
    ConstantDelay,
    DelayModel,
    DelayTrace,
    DroptailQueue,
    EmpiricalDelay,
    GammaDelay,
    InfiniteBandwidth,
    InfiniteQueue,
    MahimahiBandwidth,
    NormalDelay,
    ParetoDelay,
    QueueModel,
    RedQueue,
    TracedBandwidth,
    UniformDelay,
)
from simulator.scenario_values import Duration, Rate, Rows, Section, Share, Whole, check_rows, only, problem

__all__ = [
    "BandwidthModel",
    "BandwidthRows",
    "Bernoulli",
    "BitErrors",
    "Channel",
    "CodelQueue",
    "ConstantBandwidth",
    "ConstantDelay",
    "ContinuousTime",
    "CorruptionModel",
    "DelayModel",
    "DelayTrace",
    "DroptailQueue",
    "Duration",
    "EmpiricalDelay",
    "FourState",
    "GammaDelay",
    "GilbertElliott",
    "InfiniteBandwidth",
    "InfiniteQueue",
    "LossBursts",
    "LossModel",
    "LossRows",
    "LossTrace",
    "MahimahiBandwidth",
    "NetemReorder",
    "NoCorruption",
    "NoLoss",
    "NoOutage",
    "NoReorder",
    "NormalDelay",
    "OutageModel",
    "OutageWindows",
    "Own",
    "PacketErrors",
    "ParetoDelay",
    "PeriodicOutage",
    "QueueModel",
    "RandomOutage",
    "Rate",
    "RedQueue",
    "ReorderModel",
    "Section",
    "Share",
    "TokenErasure",
    "TracedBandwidth",
    "UniformDelay",
    "Whole",
    "only",
    "problem",
]

CHECKSUM = "true: damaged packets are dropped; false: those whose headers are whole are delivered damaged."


class NoCorruption(Section):
    """Packets arrive as they were sent."""

    model: Literal["none"] = "none"


class BitErrors(Section):
    """Each bit on the wire is wrong with the same chance."""

    model: Literal["bits"]
    rate: Share = Field(description="Bit error rate.")
    checksum: bool = Field(default=True, description=CHECKSUM)


class PacketErrors(Section):
    """One bit of a share of the packets is wrong: netem's `corrupt`."""

    model: Literal["packets"]
    rate: Share
    checksum: bool = Field(default=True, description=CHECKSUM)


class NoReorder(Section):
    """Packets overtake one another only where their delays let them."""

    model: Literal["none"] = "none"


class NetemReorder(Section):
    """Some packets skip the delay: netem's `reorder PERCENT gap DISTANCE`.

    Attributes:
        rate: Chance of a packet whose turn it is.
        gap: Every gap-th packet's turn, counted from the last that skipped the delay.
    """

    model: Literal["netem"]
    rate: Share
    gap: Whole = Field(default=1, ge=1)


class NoOutage(Section):
    """The path is always up."""

    model: Literal["none"] = "none"


class OutageWindows(Section):
    """All is lost in some windows: [start, length]."""

    model: Literal["windows"]
    windows: Rows[Duration] = Field(min_length=1)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        check_rows(self.windows)
        for (start, length), (after, _) in zip(self.windows, self.windows[1:], strict=False):
            if start + length > after:
                raise problem("windows", "must not overlap: join them to one")
        return self


class PeriodicOutage(Section):
    """All is lost for `length` out of every `every`, first at `start`: Mahimahi's mm-intermittent."""

    model: Literal["periodic"]
    every_ns: Duration = Field(alias="every", gt=0)
    length_ns: Duration = Field(alias="length", gt=0)
    start_ns: Duration = Field(default=0, alias="start")

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.length_ns >= self.every_ns:
            raise problem("length", "must be below every, or the path would never be up")
        return self


class RandomOutage(Section):
    """Stays up and down are exponential with these means: Mahimahi's mm-onoff."""

    model: Literal["random"]
    mean_up_ns: Duration = Field(alias="mean_up", gt=0)
    mean_down_ns: Duration = Field(alias="mean_down", gt=0)


CorruptionModel: TypeAlias = Annotated[NoCorruption | BitErrors | PacketErrors, Field(discriminator="model")]
ReorderModel: TypeAlias = Annotated[NoReorder | NetemReorder, Field(discriminator="model")]
OutageModel: TypeAlias = Annotated[
    NoOutage | OutageWindows | PeriodicOutage | RandomOutage, Field(discriminator="model")
]


class Channel(Section):
    """What a packet crosses: queue and bandwidth, then outage, loss and corruption, then delay."""

    preset: presets.Preset | None = Field(
        default=None, exclude=True, description="A whole channel by name; the other keys change parts of it."
    )
    loss: LossModel = NoLoss()
    delay: DelayModel = ConstantDelay()
    bandwidth: BandwidthModel = InfiniteBandwidth()
    queue: QueueModel = InfiniteQueue()
    corruption: CorruptionModel = NoCorruption()
    duplicate: Share = Field(default=0.0, description="Share of packets that arrive twice.")
    reorder: ReorderModel = NoReorder()
    outage: OutageModel = NoOutage()
    mtu_bytes: Whole = Field(default=1500, ge=128, le=65535, description="Largest packet, IP header included.")

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, value: Any) -> Any:
        return presets.fill(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _delay_to_skip(self) -> Self:
        if isinstance(self.reorder, NetemReorder) and self.delay == ConstantDelay():
            raise problem("reorder", "packets that skip a delay of 0 overtake nobody: give channel.delay a mean")
        return self
