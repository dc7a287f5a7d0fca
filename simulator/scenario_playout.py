"""The playout and pacing sections of a scenario: when packets leave, and when frames are shown."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from simulator.scenario_values import Duration, Section, Share, Whole, problem, with_default_model


class FixedPlayout(Section):
    """A frame is shown at its capture time + deadline."""

    model: Literal["fixed"] = "fixed"
    deadline_ns: Duration = Field(default=150_000_000, alias="deadline", description="From camera to screen.")


class AdaptivePlayout(Section):
    """A frame is shown when the given share of packets is likely to be there, deadline at the latest."""

    model: Literal["adaptive"]
    deadline_ns: Duration = Field(default=150_000_000, alias="deadline", description="Most from camera to screen.")
    min_ns: Duration = Field(default=0, alias="min", description="Least from camera to screen.")
    percentile: Share = Field(default=0.98, gt=0, description="Share of packets to wait for.")
    window: Whole = Field(default=500, ge=10, le=100_000, description="Packets it remembers.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_ns > self.deadline_ns:
            raise problem("min", "must not exceed deadline")
        return self


Playout: TypeAlias = Annotated[
    Annotated[FixedPlayout | AdaptivePlayout, Field(discriminator="model")],
    BeforeValidator(with_default_model("fixed")),
]


class Pacing(Section):
    """How the packets of a frame leave the sender."""

    model: Literal["none", "paced"] = Field(default="none", description="Back to back, or paced.")
    factor: float = Field(
        default=2.5, gt=0, le=1000, description="Pacing rate over target rate: 1 spreads a frame over its interval."
    )
