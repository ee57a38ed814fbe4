"""What differs between the configuration of each run and that of the baseline."""

from collections.abc import Sequence
from typing import NamedTuple

from alignment_api.resolving.parameters import Value
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.facts.configuration import applies, parameters, varying
from alignment_dashboard.units import write_value

NOT_SET, NO_STAGE = "not set", "–"


class Setting(NamedTuple):
    """What one run has for a parameter, beside the baseline."""

    text: str
    sign: str
    """An empty text if the baseline has the same; otherwise whether the value is higher, lower or just another one."""


class Difference(NamedTuple):
    """One parameter in all runs."""

    name: str
    settings: tuple[Setting, ...]
    differs: bool
    """Whether the runs have more than one value."""


def differences(jobs: Sequence[AlignmentJob], baseline: int) -> list[Difference]:
    """Return all parameters of the runs: first those that differ, most telling first."""
    known = [parameters(job) for job in jobs]
    differing = varying(jobs)
    names = dict.fromkeys([*differing, *(name for values in known for name in values)])
    rows = []
    for name in names:
        values = [_value(name, run) for run in known]
        settings = tuple(_setting(value, values[baseline]) for value in values)
        rows.append(Difference(name, settings, name in differing))
    return rows


def _value(name: str, values: dict[str, Value]) -> Value | None:
    return values.get(name, NOT_SET) if applies(name, values) else None


def _setting(value: Value | None, baseline: Value | None) -> Setting:
    return Setting(NO_STAGE if value is None else write_value(value), _sign(value, baseline))


def _sign(value: Value | None, baseline: Value | None) -> str:
    if value is None or baseline is None or value == baseline:
        return ""
    if isinstance(value, str | bool) or isinstance(baseline, str | bool):
        return "≠"
    return "▲" if value > baseline else "▼"
