"""The models of delay, bandwidth and queue a scenario can name, and the numbers each of them takes."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from simulator.scenario_own import OrOwn, Own
from simulator.scenario_values import (
    Duration,
    Listed,
    Rate,
    RateOrNone,
    Rows,
    Section,
    Share,
    Whole,
    check_rows,
    one_source,
    problem,
)

MAY_OVERTAKE = "May a packet overtake the one before it?"


class ConstantDelay(Section):
    """Every packet takes the same time."""

    model: Literal["constant"] = "constant"
    mean_ns: Duration = Field(default=0, alias="mean")


class NormalDelay(Section):
    """Delay drawn from a normal distribution, cut off at 0."""

    model: Literal["normal"]
    mean_ns: Duration = Field(alias="mean")
    jitter_ns: Duration = Field(alias="jitter", description="Standard deviation.")
    reorder: bool = Field(default=False, description=MAY_OVERTAKE)


class UniformDelay(Section):
    """Delay drawn evenly from mean - jitter to mean + jitter."""

    model: Literal["uniform"]
    mean_ns: Duration = Field(alias="mean")
    jitter_ns: Duration = Field(alias="jitter", description="Half the width.")
    reorder: bool = Field(default=False, description=MAY_OVERTAKE)

    @model_validator(mode="after")
    def _not_negative(self) -> Self:
        if self.jitter_ns > self.mean_ns:
            raise problem("jitter", "must not exceed mean, or some delays would be negative")
        return self


class ParetoDelay(Section):
    """Delay with a heavy tail: a Pareto distribution of this mean and standard deviation."""

    model: Literal["pareto"]
    mean_ns: Duration = Field(alias="mean", gt=0)
    jitter_ns: Duration = Field(alias="jitter", gt=0, description="Standard deviation.")
    reorder: bool = Field(default=False, description=MAY_OVERTAKE)


class GammaDelay(Section):
    """Delay of a path of routers: a least delay, and a gamma-distributed wait on top of it."""

    model: Literal["gamma"]
    mean_ns: Duration = Field(alias="mean", gt=0, description="The least delay included.")
    jitter_ns: Duration = Field(alias="jitter", gt=0, description="Standard deviation.")
    least_ns: Duration = Field(default=0, alias="least")
    reorder: bool = Field(default=False, description=MAY_OVERTAKE)

    @model_validator(mode="after")
    def _some_wait(self) -> Self:
        if self.least_ns >= self.mean_ns:
            raise problem("least", "must be below mean, or there would be nothing to draw")
        return self


class EmpiricalDelay(Section):
    """Delay drawn from measured ones, whatever their order.

    Attributes:
        values: The measured delays.
        file: Or a file of them: "milliseconds" or "send_ms delay_ms" a line.
        mean_ns: Added to each, for files that hold the delay above its floor.
    """

    model: Literal["empirical"]
    values: Listed[Duration] | None = None
    file: str | None = None
    mean_ns: Duration = Field(default=0, alias="add")
    reorder: bool = Field(default=False, description=MAY_OVERTAKE)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        one_source(self, "values", "file")
        return self


class DelayTrace(Section):
    """Delay as it was measured, in its order.

    Attributes:
        rows: [time, delay]; each holds until the next, the first also before its time.
        file: Or a file of "send_ms delay_ms" a line.
        mean_ns: Added to each, for files that hold the delay above its floor.
        repeat: Start again at the end; else the last row holds.
    """

    model: Literal["trace"]
    rows: Rows[Duration] | None = None
    file: str | None = None
    mean_ns: Duration = Field(default=0, alias="add")
    repeat: bool = True
    reorder: bool = Field(default=False, description=MAY_OVERTAKE)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        one_source(self, "rows", "file")
        check_rows(self.rows)
        return self


class InfiniteBandwidth(Section):
    """A link that takes no time to send."""

    model: Literal["infinite"] = "infinite"


class ConstantBandwidth(Section):
    """A link of fixed bit rate."""

    model: Literal["constant"]
    rate_bps: Rate = Field(alias="rate")


class TracedBandwidth(Section):
    """What every trace of a bandwidth can be asked for."""

    mean_bps: Rate | None = Field(
        default=None, alias="mean", description="Scale the trace so that this is its mean; without it, as it is."
    )
    start_ns: Duration = Field(default=0, alias="start", description="Where in the trace the run begins.")
    random_start: bool = Field(
        default=False, description="Begin a random time later, up to the trace's length: each seed elsewhere."
    )


class BandwidthRows(TracedBandwidth):
    """A bit rate that changes in time; 0 makes packets wait.

    Attributes:
        rows: [time, rate]; each holds until the next, the first also before its time.
        file: Or a file of such rows, "seconds Mbit/s", perhaps with another column between them.
        repeat: Start again at the end; else the last row holds.
    """

    model: Literal["rows"]
    rows: Rows[RateOrNone] | None = None
    file: str | None = None
    repeat: bool = True

    @model_validator(mode="after")
    def _some_rate(self) -> Self:
        one_source(self, "rows", "file")
        check_rows(self.rows)
        if self.rows and not any(rate for _, rate in (self.rows if self.repeat else self.rows[-1:])):
            raise problem("rows", "the line must move again in the end: give a rate above 0, last or with repeat: true")
        return self


class MahimahiBandwidth(TracedBandwidth):
    """Opportunities to send 1500 bytes, as recorded by Mahimahi; the trace starts again at its last stamp.

    Attributes:
        file: One opportunity a line, in milliseconds.
        stamps: Or the milliseconds themselves.
    """

    model: Literal["mahimahi"]
    file: str | None = None
    stamps: Listed[Annotated[Whole, Field(ge=0)]] | None = None

    @model_validator(mode="after")
    def _usable(self) -> Self:
        one_source(self, "file", "stamps")
        if self.stamps and (list(self.stamps) != sorted(self.stamps) or self.stamps[-1] == 0):
            raise problem("stamps", "must not go back, and the last must be above 0: there the trace starts again")
        return self


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


class RedQueue(Section):
    """Random early detection: the longer the queue on average, the more is dropped.

    Attributes:
        packets: Room for so many packets.
        min_packets, max_packets: Mean length below which nothing, and above which all is dropped.
        max_share: Share dropped just below max_packets.
        weight: Of the present length in its mean.
    """

    model: Literal["red"]
    packets: Whole = Field(default=100, ge=1)
    min_packets: float = Field(default=5, ge=0)
    max_packets: float = Field(default=15, gt=0)
    max_share: Share = Field(default=0.1)
    weight: float = Field(default=0.002, gt=0, le=1)

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.min_packets >= self.max_packets:
            raise problem("max_packets", "must be above min_packets")
        return self


class CodelQueue(Section):
    """Controlled delay: when packets have waited too long for too long, some are dropped as they leave.

    Attributes:
        packets: Room for so many packets.
        target_ns: Wait that is acceptable.
        interval_ns: For how long it may be exceeded.
    """

    model: Literal["codel"]
    packets: Whole = Field(default=1000, ge=1)
    target_ns: Duration = Field(default=5_000_000, alias="target", gt=0)
    interval_ns: Duration = Field(default=100_000_000, alias="interval", gt=0)


DelayModel: TypeAlias = Annotated[
    ConstantDelay | NormalDelay | UniformDelay | ParetoDelay | GammaDelay | EmpiricalDelay | DelayTrace | Own,
    OrOwn(),
]
BandwidthModel: TypeAlias = Annotated[
    InfiniteBandwidth | ConstantBandwidth | BandwidthRows | MahimahiBandwidth, Field(discriminator="model")
]
QueueModel: TypeAlias = Annotated[InfiniteQueue | DroptailQueue | RedQueue | CodelQueue | Own, OrOwn()]
