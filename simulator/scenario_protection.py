"""The protection section of a scenario: how losses are repaired, by parity and by request."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

from simulator import units
from simulator.scenario_channel import Duration, Section, Share, Whole, problem

LARGEST_BLOCK = 128  # media packets of a block, and parity packets of a block: together at most 256, as GF(256) wants


class _Or:
    """JSON Schema of a section that may also be one of some plain values, such as none."""

    def __init__(self, *plain: str | bool) -> None:
        self._plain = plain

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(core), {"enum": list(self._plain)}]}


def _listed(value: Any) -> Any:
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(units.parse_share(each) for each in values)


def _unlisted(value: tuple[float, ...]) -> float | list[float]:
    return value[0] if len(value) == 1 else list(value)


class _SharesSchema:
    """JSON Schema of one share, or a list of them."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        share = {"type": ["string", "number"], "examples": ["25 %", 0.25]}
        return {
            "anyOf": [share, {"type": "array", "items": share, "minItems": 1}],
            "description": "Parity packets over media packets; a list gives one share for each importance of slices, "
            "the most important first, the last for all the rest.",
        }


Shares: TypeAlias = Annotated[
    tuple[Share, ...],
    Field(min_length=1),
    BeforeValidator(_listed),
    PlainSerializer(_unlisted, when_used="json"),
    _SharesSchema(),
]


class Fec(Section):
    """Parity packets, sent behind the media packets they protect.

    Attributes:
        code: "xor": one parity packet a row of consecutive packets; "rs": Reed-Solomon, any k of n.
        overhead: Parity packets over media packets, by importance.
        k, n: Or by hand: blocks of k media packets, n with parity.
        frames: Frames whose packets share blocks.
    """

    code: Literal["none", "xor", "rs"] = "none"
    overhead: Shares | None = None
    k: Whole | None = Field(default=None, ge=1, le=LARGEST_BLOCK, description="Media packets of a block.")
    n: Whole | None = Field(default=None, ge=2, le=2 * LARGEST_BLOCK, description="Packets of a block with parity.")
    frames: Whole = Field(default=1, ge=1, le=64, description="Frames whose packets share a block.")

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        if isinstance(value, (dict, Fec)):
            return value
        if value == "none":
            return {}
        raise ValueError(f"must be none, or a mapping such as {{code: rs, overhead: 25 %}}, got {value!r}")

    @model_validator(mode="after")
    def _whole_story(self) -> Self:
        if self.code == "none":
            if self.model_fields_set - {"code"}:
                raise problem("code", "must be xor or rs where other keys are given")
            return self
        by_hand = self.k is not None or self.n is not None
        if by_hand == (self.overhead is not None):
            raise ValueError("give either overhead, or k and n")
        if self.overhead is not None and not any(self.overhead):
            raise problem("overhead", "must be more than 0 somewhere; for no parity write fec: none")
        if by_hand:
            self._check_by_hand()
        return self

    def _check_by_hand(self) -> None:
        if self.k is None or self.n is None:
            raise problem("n" if self.n is None else "k", "k and n go together")
        parity = self.n - self.k
        if not 1 <= parity <= LARGEST_BLOCK:
            raise problem("n", f"must be k + 1 to k + {LARGEST_BLOCK}, got k {self.k} and n {self.n}")
        if self.code == "xor" and parity != 1:
            raise problem("n", f"code xor has one parity packet a block, so n must be k + 1 = {self.k + 1}")

    @model_serializer(mode="wrap")
    def _spelled(self, plain: SerializerFunctionWrapHandler) -> Any:
        return "none" if self.code == "none" else plain(self)

    def grade(self, importance: int) -> int:
        """Which of the shares goes to slices of some importance (0 matters most)."""
        return 0 if self.overhead is None else min(importance, len(self.overhead) - 1)

    def blocks(self, packets: int, grade: int = 0) -> Iterator[tuple[int, int, int]]:
        """How some packets that get the same share are cut into blocks.

        A share of parity is met to the nearest whole packet, and with at least one.

        Args:
            packets: At most LARGEST_BLOCK.
            grade: Which share.

        Yields:
            (first, one past the last, parity packets) of each block.
        """
        if self.k is not None and self.n is not None:
            size, parity = self.k, self.n - self.k
        else:
            assert self.overhead is not None, self
            share = self.overhead[grade]
            if share == 0:
                return
            size, parity = packets, max(1, round(packets * share))
            if self.code == "xor":
                size, parity = max(1, round(1 / share)), 1
        for first in range(0, packets, size):
            yield first, min(first + size, packets), parity


class Nack(Section):
    """Retransmission on request.

    Attributes:
        enabled: Whether the receiver asks at all.
        retries: How often it asks for one packet, at most.
        margin_ns: It asks only if now + round trip + margin is before the packet's deadline.
        reorder_wait_ns: How long a gap may be a packet overtaken, before it is asked for.
        initial_rtt_ns: Round-trip time assumed until one is measured.
        feedback_loss: Share of requests lost on their way back.
    """

    enabled: bool = True
    retries: Whole = Field(default=3, ge=1, le=100, description="Requests for one packet, at most.")
    margin_ns: Duration = Field(default=5_000_000, alias="margin")
    reorder_wait_ns: Duration = Field(default=10_000_000, alias="reorder_wait")
    initial_rtt_ns: Duration = Field(default=100_000_000, alias="initial_rtt")
    feedback_loss: Share = 0.0

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        if isinstance(value, (dict, Nack)):
            return value
        if isinstance(value, bool):
            return {"enabled": value}
        raise ValueError(f"must be true, false, or a mapping such as {{retries: 3, margin: 5 ms}}, got {value!r}")

    @model_serializer(mode="wrap")
    def _spelled(self, plain: SerializerFunctionWrapHandler) -> Any:
        return plain(self) if self.enabled else False


class Protection(Section):
    """Repair of losses."""

    fec: Annotated[Fec, _Or("none")] = Fec()
    nack: Annotated[Nack, _Or(True, False)] = Nack(enabled=False)
