"""Types of single values that several parts of a spec use."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from alignment_api.schema import FieldRule, Rule, form

# A path has no control characters, and no signs that break a line or reverse its direction where it is printed.
_FORM = form(
    r"^(hf://[A-Za-z0-9._-]+/[A-Za-z0-9._-]+|s3://[a-z0-9.-]+/.+|"
    r"workspace://[^\x00-\x1f\\\x7f-\x9f\x{2028}-\x{202e}\x{2066}-\x{2069}]+)$",
    "must be hf://owner/name, workspace://path or s3://bucket/key; a path has no backslash or control character, "
    "and does not begin with / or a space or end with a space",
)
_BESIDE_A_PATH = ("workspace:///", "workspace:// ")


def _is_uri(text: str) -> bool:
    is_path = text.startswith("workspace://")
    return _FORM.holds(text) and not text.startswith(_BESIDE_A_PATH) and not (is_path and text.endswith(" "))


# Not one expression: the API server counts the cost of a long one for each dataset of each stage, and has a limit for all.
Uri = Annotated[
    str,
    Field(max_length=512),
    FieldRule(
        f"{_FORM.cel} && !self.startsWith('workspace:///') && !self.startsWith('workspace:// ') && "
        "!(self.startsWith('workspace://') && self.endsWith(' '))",
        _is_uri,
        _FORM.message,
    ),
]

NO_WAY_UP = Rule(
    cel="!has(self.uri) || !self.uri.contains('..')",
    holds=lambda source: source.uri is None or ".." not in source.uri,
    message="uri must not contain '..'; name the path from the workspace's root",
    blame=lambda source: ("uri", f"{source.uri!r} must not contain '..'; name the path from the workspace's root"),
)

Name = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
StageName = Annotated[str, Field(max_length=16, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")]

Fraction = Annotated[float, Field(gt=0, le=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]
Steps = Annotated[int, Field(ge=1, le=100_000_000)]


def _in_text(value: Any) -> Any:
    """Turn whole numbers into text: Kubernetes accepts both, and `cpu: 1` and `cpu: "1"` must be the same job."""
    return str(value) if type(value) is int else value


# The form of quantities in Kubernetes. CEL checks it with a function: a pattern on a value of two types is too costly for
# Kubernetes 1.33.
_is_quantity = re.compile(r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)([num]|k|[MGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?").fullmatch

Quantity = Annotated[
    str,
    Field(max_length=32),
    BeforeValidator(_in_text),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "maxLength": 32}),
    FieldRule(
        "type(self) == int ? self >= 0 : isQuantity(self) && !self.startsWith('-')",
        lambda text: _is_quantity(text) is not None,
        "must be a quantity such as 500m, 4 or 16Gi; units are k, M, G, T and Ki, Mi, Gi, Ti, without B, and m for a thousandth",
    ),
]

Moment = Annotated[datetime, AfterValidator(lambda moment: moment if moment.tzinfo else moment.replace(tzinfo=UTC))]
"""A time; one without a time zone is in UTC, since it could not be compared with the others."""
