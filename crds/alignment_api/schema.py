"""What every model of the API shares: spelling, strictness, and rules that hold in Python and on the API server alike."""

import json
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Rule(NamedTuple):
    """One condition between fields, written for the API server (CEL) and for Python side by side."""

    cel: str
    holds: Callable[[Any], bool]
    message: str
    blame: Callable[[Any], tuple[str, str]] | None = None
    """Where Python can say more than CEL: the field within the model, and a sentence about its value."""


class BrokenRule(ValueError):
    """A condition between fields does not hold."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class Schema(BaseModel):
    """A part of the API: camelCase in YAML, unknown fields refused, rules obeyed."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        allow_inf_nan=False,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def obey_rules(self) -> Self:
        """Refuse what the API server would refuse."""
        for rule in self.rules:
            if not rule.holds(self):
                raise BrokenRule(*(rule.blame(self) if rule.blame else ("", rule.message)))
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core_schema))
        if cls.rules:
            schema["x-kubernetes-validations"] = [{"rule": rule.cel, "message": rule.message} for rule in cls.rules]
        return schema

    @classmethod
    def parse(cls, document: Any) -> Self:
        """Read plain data as strictly as the API server does: no text where a number belongs, no Python spelling."""
        return cls.model_validate_json(json.dumps(document, default=str), strict=True, by_name=False)

    def dump(self) -> dict[str, Any]:
        """Give plain data back, without the fields nobody set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def exactly_one(*fields: str) -> Callable[[Any], bool]:
    """Say whether exactly one of the named fields is set."""
    return lambda model: sum(getattr(model, field) is not None for field in fields) == 1


def at_most_one(*fields: str) -> Callable[[Any], bool]:
    """Say whether no more than one of the named fields is set."""
    return lambda model: sum(getattr(model, field) is not None for field in fields) <= 1


def count_set(*fields: str) -> str:
    """Write the CEL expression that counts which of the named fields are set."""
    return "[" + ", ".join(f"has(self.{to_camel(field)})" for field in fields) + "].filter(set, set).size()"
