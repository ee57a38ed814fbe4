"""Problems of a job, each with a sentence: which field, what is wrong, what to do."""

import difflib
import json
import re
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from alignment_api.schema import BROKEN_FIELD
from alignment_api.trees import below

_LETTERS, _LOWERCASE = "letters, digits and", "lowercase letters, digits and"
FORMS = {
    r"^[a-z]([-a-z0-9]*[a-z0-9])?$": f"{_LOWERCASE} '-', starting with a letter",
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": f"{_LOWERCASE} '-', as names in Kubernetes are",
    r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$": f"{_LOWERCASE} '-' and '.', as names in Kubernetes are",
    r"^[a-z0-9][a-z0-9_.-]*$": f"{_LOWERCASE} _ . -, starting with a letter or digit",
    r"^[A-Za-z0-9._-]+$": f"{_LETTERS} . _ -",
    r"^[-._a-zA-Z0-9]+$": f"{_LETTERS} - . _",
    r"^[A-Za-z0-9_.]+$": f"{_LETTERS} _ .",
    r"^[A-Za-z0-9._]+$": f"{_LETTERS} . _",
    r"^[A-Za-z0-9_,:=^-]+$": f"{_LETTERS} _ , : = ^ -",
}
"""What each regular expression of the fields means, in words."""

_NUMBER, _WHOLE, _TRUTH, _TIME = "a number", "a whole number", "true or false", "a time such as 2026-01-31T12:00:00Z"
_TYPES = {
    "bool_parsing": _TRUTH,
    "bool_type": _TRUTH,
    "datetime_from_date_parsing": _TIME,
    "datetime_parsing": _TIME,
    "datetime_type": _TIME,
    "dict_type": "an object, with lines such as `name: value` below it",
    "finite_number": "a number that is finite",
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": "a whole number with fewer digits",
    "int_type": _WHOLE,
    "list_type": "a list",
    "model_type": "an object, with a line `field: value` below it for each of its fields",
    "string_type": "text",
}
_BOUNDS = {
    "greater_than": ("gt", "be greater than"),
    "greater_than_equal": ("ge", "be at least"),
    "less_than": ("lt", "be less than"),
    "less_than_equal": ("le", "be at most"),
    "string_too_long": ("max_length", "have at most", "character"),
    "string_too_short": ("min_length", "have at least", "character"),
    "too_long": ("max_length", "have at most", "item"),
    "too_short": ("min_length", "have at least", "item"),
}
"""For pydantic's types of errors: the name of the bound, the words before it, and what is counted."""


class Problem(NamedTuple):
    """One problem of a job."""

    path: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}: {self.sentence}"


class InvalidJob(ValueError):
    """The job cannot be run as it is written."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def from_validation(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Turn the errors of pydantic into problems with a sentence each."""
    return [_problem(detail, model) for detail in error.errors(include_url=False)]


def stage_path(index: int, kind: str) -> str:
    """Return the field that has the settings of a stage."""
    return f"spec.stages[{index}].{to_camel(kind)}"


def dotted(location: tuple[int | str, ...]) -> str:
    """Write a location as people write it: spec.stages[0].sft."""
    return below("", location).lstrip(".") or "the document"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its class if the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def requirement(detail: ErrorDetails) -> str:
    """Return what a value must be, as the rest of a sentence that begins with "it" or with the name of the field."""
    context = detail.get("ctx", {})
    match detail["type"]:
        case known if known in _TYPES:
            return f"must be {_TYPES[known]}"
        case known if known in _BOUNDS:
            bound, words, *unit = _BOUNDS[known]
            return f"must {words} {_counted(context[bound], *unit)}"
        case "literal_error":
            return f"must be {context['expected']}"
        case "string_pattern_mismatch":
            return f"must be {FORMS[str(context['pattern'])]}"
        case known if known == BROKEN_FIELD:
            return str(context["message"])
        case _:
            return "must be as docs/reference.md describes it"


def _counted(number: float, unit: str = "") -> str:
    shown = str(int(number) if number == int(number) else number)
    return f"{shown} {unit}{'' if number == 1 else 's'}" if unit else shown


def _problem(detail: ErrorDetails, model: type[BaseModel]) -> Problem:
    location, path = detail["loc"], dotted(detail["loc"])
    match detail["type"]:
        case "extra_forbidden":
            return Problem(path, _unknown_field(str(location[-1]), _fields_at(model, location[:-1])))
        case "missing":
            return Problem(path, "is missing; add it")
        case "value_error":
            broken = detail["ctx"]["error"]
            return Problem(f"{path}.{broken.field}".removesuffix("."), f"{broken}")
        case "json_invalid":
            return Problem(path, f"is not JSON ({detail['ctx']['error']}); write the file again")
        case _:
            return Problem(path, _value_sentence(detail))


def _value_sentence(detail: ErrorDetails) -> str:
    value = detail["input"]
    shown = _shown(value)
    match detail["type"]:
        case "float_type" | "int_type" as wanted if number := _number_in(value, whole=wanted == "int_type"):
            return f"{shown} is text, not a number; write {number}, without quotes"
        case "string_type" if isinstance(value, bool):
            return (
                f"{shown} is not text, and without quotes yes, no, on, off, y and n mean true or false; write the text in quotes"
            )
        case "string_type" if isinstance(value, int | float):
            return f'{shown} is not text; write "{shown}", in quotes'
        case "literal_error":
            return f"{shown} is not possible; use {detail['ctx']['expected']}"
        case "string_pattern_mismatch":
            return f"{shown} {requirement(detail)}; correct it"
        case known if known == BROKEN_FIELD:
            return f"{shown} is not possible: it {requirement(detail)}"
        case _:
            return f"{shown} is not possible: it {requirement(detail)}; correct it"


def _unknown_field(field: str, known: list[str]) -> str:
    longer = [name for name in known if name.lower().startswith(field.lower())]
    close = difflib.get_close_matches(field, known, n=1, cutoff=0.7) or longer or difflib.get_close_matches(field, known, n=1)
    if close:
        return f"is not a field; did you mean {close[0]}?"
    return f"is not a field; there are {', '.join(known)}" if known else "is not a field; remove it"


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """List the fields of the model that a location leads to."""
    current: type[BaseModel] | None = model
    for part in location:
        if isinstance(part, int) or current is None:
            continue
        field = next((field for field in current.model_fields.values() if field.alias == part), None)
        current = _model_in(field.annotation) if field else None
    return [field.alias or name for name, field in current.model_fields.items()] if current else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found:
            return found
    return None


def _number_in(value: Any, *, whole: bool) -> str | None:
    """Return the number in a text as every YAML reader recognizes it: an exponent comes with a dot and a sign."""
    found = re.fullmatch(r"([-+]?[0-9]+)(\.[0-9]+)?(?:[eE]([-+]?)([0-9]+))?", value.strip()) if isinstance(value, str) else None
    if found is None or (whole and found[0] != found[1]):
        return None
    digits, decimals, sign, exponent = found.groups(default="")
    return f"{digits}{decimals or '.0'}e{sign or '+'}{exponent}" if exponent else f"{digits}{decimals}"


def _shown(value: Any) -> str:
    """Return a value as its author wrote it."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
