"""Models of the user's own in a scenario: `model: package.module:Class`, its other keys the options."""

import re
from typing import Annotated, Any, Union, get_args

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from simulator.scenario_values import problem

PATH = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"


class Own(BaseModel):
    """A class by its import path; every key but `model` is handed to it as an option."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    model: str = Field(pattern=PATH)

    @property
    def options(self) -> dict[str, Any]:
        """Every key but `model`."""
        return dict(self.model_extra or {})


class OrOwn:
    """Makes of a union of models one that is told apart by `model`, and of which `Own` is a part.

    pydantic's own unions by a key want every value of it spelled out, and say less when one is misspelled.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        shipped = tuple(model for model in get_args(source) if model is not Own)
        union = handler.generate_schema(Annotated[Union[shipped], Field(discriminator="model")])  # noqa: UP007
        return core_schema.no_info_wrap_validator_function(
            _validate,
            union,
            serialization=core_schema.wrap_serializer_function_ser_schema(_serialize, schema=union, info_arg=True),
        )

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        made = handler(core)
        own = {
            "type": "object",
            "title": "Own",
            "description": "A class of your own; its other keys are its options.",
            "properties": {"model": {"type": "string", "pattern": PATH, "examples": ["package.module:Class"]}},
            "required": ["model"],
        }
        return {**made, "oneOf": [*made["oneOf"], own]}


def _validate(value: Any, handler: Any) -> Any:
    if isinstance(value, Own):
        return value
    model = value.get("model") if isinstance(value, dict) else None
    if not isinstance(model, str) or ":" not in model:
        return handler(value)
    if not re.match(PATH, model):
        raise problem("model", f"must be package.module:Class, got {model!r}")
    return Own.model_validate(value)


def _serialize(value: Any, handler: Any, info: core_schema.SerializationInfo) -> Any:
    return value.model_dump(mode=info.mode) if isinstance(value, Own) else handler(value)
