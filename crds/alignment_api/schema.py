"""The base of every model of the API: spelling, strictness, and rules that Python and the API server both check."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

BROKEN_FIELD = "broken_field"
"""The type of pydantic's error when a value breaks a rule of its field."""

_RULES = "x-kubernetes-validations"
_STORED = {"is_stored": True}


class Rule(NamedTuple):
    """One condition between fields, written for the API server (CEL) and for Python side by side."""

    cel: str
    holds: Callable[[Any], bool]
    message: str
    blame: Callable[[Any], tuple[str, str]] | None = None
    """Returns the field within the model and a sentence about its value, where Python can say more than CEL."""
    is_relied_on: bool = False
    """Whether code relies on the rule: stored jobs must pass it too, so mark no rule that is added later for an older field."""


@dataclass(frozen=True)
class FieldRule:
    """One condition on a single value, among the annotations of its field, for the API server (CEL) and for Python."""

    cel: str
    holds: Callable[[Any], bool]
    message: str
    """What the value must be; it continues a sentence that begins with "it" or with the name of the field."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._obey, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        found = handler(schema)
        return {**found, _RULES: [*found.get(_RULES, []), {"rule": self.cel, "message": self.message}]}

    def _obey(self, value: Any, info: ValidationInfo) -> Any:
        if not _is_stored(info) and not self.holds(value):
            raise PydanticCustomError(BROKEN_FIELD, "it {message}", {"message": self.message})
        return value


def form(pattern: str, message: str) -> FieldRule:
    """Return a rule that a text matches a regular expression of RE2; users see `message` instead of the expression."""
    # RE2 writes \x{2028} where Python writes \u2028.
    matching = re.compile(re.sub(r"\\x\{([0-9a-f]{4})\}", r"\\u\1", pattern))
    return FieldRule(f"self.matches(r'{pattern}')", lambda text: matching.fullmatch(text) is not None, message)


class BrokenRule(ValueError):
    """A condition between fields does not hold."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class Schema(BaseModel):
    """A part of the API: camelCase in YAML, unknown fields refused, rules checked."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        allow_inf_nan=False,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def obey_rules(self, info: ValidationInfo) -> Self:
        """Refuse what the API server would refuse."""
        for rule in self.rules:
            if (rule.is_relied_on or not _is_stored(info)) and not rule.holds(self):
                raise BrokenRule(*(rule.blame(self) if rule.blame else ("", rule.message)))
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core_schema))
        if cls.rules:
            schema[_RULES] = [{"rule": rule.cel, "message": rule.message} for rule in cls.rules]
        return schema

    @classmethod
    def parse(cls, document: Any) -> Self:
        """Read plain data as strictly as the API server does: no text for numbers, no Python spelling."""
        return cls._read(document, {})

    @classmethod
    def parse_stored(cls, document: Any) -> Self:
        """Read what was accepted before, perhaps by an earlier version: only the rules that code relies on are checked."""
        return cls._read(document, _STORED)

    @classmethod
    def _read(cls, document: Any, context: dict[str, bool]) -> Self:
        return cls.model_validate_json(json.dumps(document, default=str), strict=True, by_name=False, context=context)

    def dump(self) -> dict[str, Any]:
        """Return plain data, without unset fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _is_stored(info: ValidationInfo) -> bool:
    return info.context == _STORED


def exactly_one(*fields: str) -> Callable[[Any], bool]:
    """Return a check that exactly one of the named fields is set."""
    return lambda model: sum(getattr(model, field) is not None for field in fields) == 1


def at_most_one(*fields: str) -> Callable[[Any], bool]:
    """Return a check that at most one of the named fields is set."""
    return lambda model: sum(getattr(model, field) is not None for field in fields) <= 1


def count_set(*fields: str) -> str:
    """Return the CEL expression that counts how many of the named fields are set."""
    return "[" + ", ".join(f"has(self.{to_camel(field)})" for field in fields) + "].filter(set, set).size()"
