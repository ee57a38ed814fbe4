"""Compares the tensors in a model's files with those that it needs."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from alignment_trainer.model_folder.documents import Unfit
from alignment_trainer.model_folder.headers import Header
from alignment_trainer.model_folder.tensors import Wanted

_TRAINABLE = ("F64", "F32", "F16", "BF16")
_REMEDY = "copy config.json and all weight files of one and the same model"


class Origin(NamedTuple):
    """The parameter that a tensor of a file belongs to."""

    parameter: str
    is_whole: bool = True
    """Whether this tensor alone is the parameter, without other tensors."""


def origins_by_name(wanted: Wanted, headers: list[Header]) -> dict[str, Origin]:
    """Return where each tensor belongs; names without the prefix of the model are read too."""
    origins = {}
    for header in headers:
        full = f"{wanted.prefix}.{header.name}"
        name = full if header.name not in wanted.shapes and full in wanted.shapes else header.name
        if name in wanted.shapes:
            origins[header.name] = Origin(name)
    return origins


def check_match(wanted: Wanted, headers: list[Header], origins: Mapping[str, Origin]) -> None:
    """Refuse weights that are not those of the model: missing, unexpected, of another shape, or no floating point numbers."""
    differences = [
        _sentence(
            "lacks {count} of the {all} tensors that its config.json describes, the first is {first}",
            wanted,
            _missing(wanted, origins),
        ),
        _sentence(
            "has {count} tensors that its config.json does not describe, the first is {first}",
            wanted,
            _unexpected(wanted, headers, origins),
        ),
        _sentence(
            "has {count} of {all} tensors with other shapes than its config.json describes, the first is {first}",
            wanted,
            _misshapen(wanted, headers, origins),
        ),
    ]
    found = [sentence for sentence in differences if sentence]
    if found:
        raise Unfit(f"{', and '.join(found)}; {_REMEDY}")
    other = next((each for each in headers if each.name in origins and each.dtype not in _TRAINABLE), None)
    if other and origins[other.name].parameter not in wanted.optional:
        raise Unfit(
            f"has weights of the dtype {other.dtype} ({other.name}), which cannot be trained; "
            f"convert them to one of {', '.join(_TRAINABLE)}, without quantization"
        )


def _sentence(words: str, wanted: Wanted, names: Iterator[str]) -> str:
    found = list(names)
    return words.format(count=len(found), all=len(wanted.shapes), first=found[0]) if found else ""


def _missing(wanted: Wanted, origins: Mapping[str, Origin]) -> Iterator[str]:
    given = {origin.parameter for origin in origins.values()}
    groups = {name: group for group in wanted.same for name in group}
    for name in wanted.shapes:
        if name not in wanted.optional and not given.intersection(groups.get(name, {name})):
            yield name


def _unexpected(wanted: Wanted, headers: list[Header], origins: Mapping[str, Origin]) -> Iterator[str]:
    ignored = re.compile(wanted.ignored) if wanted.ignored else None
    for header in headers:
        if header.name not in origins and not (ignored and ignored.search(header.name)):
            yield header.name


def _misshapen(wanted: Wanted, headers: list[Header], origins: Mapping[str, Origin]) -> Iterator[str]:
    for header in headers:
        origin = origins.get(header.name)
        if origin and origin.is_whole and header.shape != wanted.shapes[origin.parameter]:
            yield f"{header.name}, {list(header.shape)} instead of {list(wanted.shapes[origin.parameter])}"
    numbers: Counter[str] = Counter()
    for header in headers:
        origin = origins.get(header.name)
        if origin and not origin.is_whole and origin.parameter not in wanted.split:
            numbers[origin.parameter] += math.prod(header.shape)
    for name, count in numbers.items():
        if count != math.prod(wanted.shapes[name]):
            yield f"{name}, {count} numbers instead of {math.prod(wanted.shapes[name])}"
