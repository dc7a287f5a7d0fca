"""The rate_control section of a scenario: who chooses the rate, and between which limits."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from simulator.scenario_values import Duration, Rate, Section, Share, problem, with_default_model


class FixedRate(Section):
    """The codec keeps the rate that the codec section gives it."""

    model: Literal["fixed"] = "fixed"


class _Controlled(Section):
    """Limits of a controlled rate."""

    min_bps: Rate = Field(default=30_000, alias="min", description="Least on the wire, headers and repair included.")
    max_bps: Rate = Field(default=1_000_000, alias="max", description="Most on the wire, headers and repair included.")
    min_bpp: float = Field(default=0.012, gt=0, le=24, description="Least bits a pixel to ask the codec for.")
    max_bpp: float = Field(default=0.6, gt=0, le=24, description="Most bits a pixel to ask the codec for.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_bps > self.max_bps:
            raise problem("min", "must not exceed max")
        if self.min_bpp * 2 ** (1 / 12) > self.max_bpp:  # else no rung of the ladder may lie between
            raise problem("min_bpp", "must be at least a twelfth of an octave (6 %) below max_bpp")
        return self


class GccRate(_Controlled):
    """Google congestion control: by the growth of delay, and by loss."""

    model: Literal["gcc"]
    start_bps: Rate = Field(default=300_000, alias="start", description="On the wire, until feedback has come.")
    feedback_interval_ns: Duration = Field(
        default=100_000_000, gt=0, alias="feedback_interval", description="Between two feedback packets."
    )
    queue_ns: Duration | None = Field(
        default=None,
        alias="queue",
        description="Queue on the path, in time, beyond which the rate is pushed back; else a quarter of the deadline.",
    )

    @model_validator(mode="after")
    def _start_inside(self) -> Self:
        if not self.min_bps <= self.start_bps <= self.max_bps:
            raise problem("start", "must lie between min and max")
        return self


class OracleRate(_Controlled):
    """Knows the bandwidth of the channel ahead of time: a bound for what any controller can do."""

    model: Literal["oracle"]
    horizon_ns: Duration = Field(default=500_000_000, gt=0, alias="horizon", description="How far it looks ahead.")
    utilisation: Share = Field(default=0.9, gt=0, description="Share of the bandwidth to use.")


RateControl: TypeAlias = Annotated[
    Annotated[FixedRate | GccRate | OracleRate, Field(discriminator="model")],
    BeforeValidator(with_default_model("fixed")),
]
