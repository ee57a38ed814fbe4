"""Problems of a job, each with a sentence: which field, what is wrong, what to do."""

import difflib
import json
import re
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
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


def dotted(location: tuple[int | str, ...]) -> str:
    """Write a location as people write it: spec.stages[0].sft."""
    return below("", location).lstrip(".") or "the document"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its class if the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _problem(detail: ErrorDetails, model: type[BaseModel]) -> Problem:
    location = detail["loc"]
    path = dotted(location)
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return Problem(path, _unknown_field(str(location[-1]), _fields_at(model, location[:-1])))
        case "missing":
            return Problem(path, "is missing; add it")
        case "value_error":
            broken = context["error"]
            return Problem(f"{path}.{broken.field}".removesuffix("."), f"{broken}")
        case error if error == BROKEN_FIELD:
            return Problem(path, f"{_shown(detail['input'])} is not possible: {detail['msg']}")
        case "float_type" | "int_type" as wanted if number := _number_in(detail["input"], whole=wanted == "int_type"):
            return Problem(path, f"{_shown(detail['input'])} is text, not a number; write {number}, without quotes")
        case "string_type" if isinstance(detail["input"], int | float):
            shown = _shown(detail["input"])
            return Problem(path, f'{shown} is not text; write "{shown}", in quotes')
        case "literal_error":
            return Problem(path, f"{_shown(detail['input'])} is not possible; use {context['expected']}")
        case "string_pattern_mismatch":
            return Problem(path, f"{_shown(detail['input'])} must be {FORMS[str(context['pattern'])]}; correct it")
        case _:
            return Problem(path, f"{_shown(detail['input'])} is not possible: {_lower(detail['msg'])}; correct it")


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


def _lower(message: str) -> str:
    return re.sub(r"^Input should be", "it should be", message)
