"""The search language of the list of runs: words, and terms such as lr=5e-7, beta>0.1, model:zephyr, status:failed, ns:team."""

import operator
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from alignment_api.resolving.parameters import Value

from alignment_dashboard.facts.run_list.chips import ATTENTION, CHIPS, chip_of
from alignment_dashboard.facts.run_list.row import METRICS, Row
from alignment_dashboard.facts.status import BADGES
from alignment_dashboard.text import listed
from alignment_dashboard.units import is_number

EXAMPLE = "lr=5e-7  beta>0.1  model:zephyr  status:failed  ns:team"
_TERM = re.compile(r"([A-Za-z][\w.-]*)(>=|<=|!=|[=<>:])(.*)", re.DOTALL)
_WORD = re.compile(r"""(?:"[^"]*"|[^\s"])+""")
_ALIASES = {"lr": "learningrate", "ns": "namespace", "batch": "globalbatchsize", "gpuhours": "gpu-hours", "gpu-h": "gpu-hours"}
_TWICE = {"acc": "accuracy", "accuracy": "accuracy", "margin": "margin"}
"""Names of what is measured in training and on the holdout: one alone could mean either."""

_STATUSES = {*map(str.lower, BADGES), *CHIPS} - {ATTENTION}
_OWN: dict[str, Callable[[Row], tuple[Value | None, ...]]] = {
    "name": lambda row: (row.name,),
    "namespace": lambda row: (row.namespace,),
    "status": lambda row: (row.phase, chip_of(row.phase)),
    "model": lambda row: (row.model,),
    "stages": lambda row: (row.stages,),
    "progress": lambda row: (row.percent,),
    "gpu-hours": lambda row: (row.gpu_hours,),
    "reason": lambda row: (row.reason,),
}
_NAMES = ["a parameter", "a metric", *_OWN]
"""What can stand before a sign."""

_COMPARED: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_NEARLY = 1e-9
"""Two numbers are equal if they differ by less than this share: 5e-7 is 0.0000005 however it was written."""


class Term(NamedTuple):
    """One condition; a bare word has no field."""

    text: str
    field: str | None
    sign: str
    wanted: str


class Search(NamedTuple):
    """The runs that a search finds, and a sentence for each term that means nothing."""

    rows: list[Row]
    problems: list[str]


def search(rows: Sequence[Row], text: str) -> Search:
    """Return the rows that fulfil every term; a term that means nothing hides no row."""
    terms = [_parse(word) for word in dict.fromkeys(_WORD.findall(text))]
    problems = {term.text: problem for term in terms if (problem := _problem(term, rows))}
    useful = [term for term in terms if term.text not in problems]
    return Search([row for row in rows if all(_fits(row, term) for term in useful)], list(problems.values()))


def _parse(word: str) -> Term:
    found = _TERM.fullmatch(word)
    if not found:
        return Term(word, None, ":", word.replace('"', "").lower())
    stage, dot, name = found[1].lower().rpartition(".")
    return Term(word, stage + dot + _ALIASES.get(name, name), found[2], found[3].replace('"', "").lower())


def _problem(term: Term, rows: Sequence[Row]) -> str | None:
    if term.field is None:
        return None
    if not term.wanted:
        return f"“{term.text}” has no value after {term.sign}: write, for example, lr=5e-7."
    if term.field in _TWICE:
        both = (f"{part}.{_TWICE[term.field]}{term.sign}{term.wanted}" for part in ("eval", "train"))
        return f"“{term.text}” may mean the holdout or training: write {' or '.join(both)}."
    if rows and not any(_values(row, term.field) is not None for row in rows):
        return f"No run has “{term.field}”. Terms look like {EXAMPLE}; before the sign stands {listed(_NAMES, 'or')}."
    if term.sign in _COMPARED and _number(term.wanted) is None:
        return f"“{term.text}” compares with something that is not a number: write, for example, beta>0.1."
    if term.field == "status" and not any(_holds(status, term.sign.strip("!"), term.wanted) for status in _STATUSES):
        return f"No status is called “{term.wanted}”; there are {', '.join(sorted(_STATUSES))}."
    known = [value for row in rows for value in _values(row, term.field) or []]
    if known and all(map(is_number, known)) and _number(term.wanted) is None:
        return f"“{term.text}” compares numbers with something that is not a number: write, for example, {term.field}=0.1."
    return None


def _fits(row: Row, term: Term) -> bool:
    if term.field is None:
        return any(term.wanted in str(text).lower() for text in (row.name, row.namespace, row.model, row.phase, row.reason))
    values = _values(row, term.field) or []
    if term.sign == "!=":
        return not any(_equal(value, term.wanted) for value in values)
    return any(_holds(value, term.sign, term.wanted) for value in values)


def _holds(value: Value, sign: str, wanted: str) -> bool:
    if sign == "=":
        return _equal(value, wanted)
    if sign == ":":
        return _equal(value, wanted) or (isinstance(value, str) and wanted in value.lower())
    number = _number(wanted)
    return number is not None and is_number(value) and _COMPARED[sign](float(value), number)


def _equal(value: Value, wanted: str) -> bool:
    number = _number(wanted)
    if number is not None and is_number(value):
        return abs(float(value) - number) <= _NEARLY * max(abs(float(value)), abs(number))
    return str(value).lower() == wanted


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _values(row: Row, field: str) -> list[Value] | None:
    """Return what a run has under a name; None if the name means nothing to it."""
    own = _OWN[field](row) if field in _OWN else (row.metrics.get(field),) if field in METRICS else None
    called = [name for name in row.parameters if _is_called(name, field)]
    # A name without a stage means the last one, whose results the list shows.
    stage = called[-1].partition(".")[0] if called else ""
    set_ = [row.parameters[name] for name in called if name.partition(".")[0] == stage]
    return None if own is None and not set_ else [value for value in own or () if value is not None] + set_


def _is_called(name: str, field: str) -> bool:
    """Return whether a parameter is meant: dpo.learningRate is also learningRate."""
    return f".{name.lower()}".endswith(f".{field}")
