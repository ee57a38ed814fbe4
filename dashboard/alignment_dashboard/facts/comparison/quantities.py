"""The numbers of runs that can be drawn against each other: parameters that vary, and what the runs reached."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.comparison.finals import NONE, Finals, columns_of, value_of
from alignment_dashboard.facts.configuration import parameters, varying
from alignment_dashboard.units import is_number

WIDE = 8.0
"""Positive values of a parameter whose highest is so many times the lowest are drawn on a log axis."""


class Quantity(NamedTuple):
    """One number of each run that has it, by the identities of the runs."""

    name: str
    values: Mapping[str, float]
    log: bool


def measured(jobs: Sequence[AlignmentJob], reached: Mapping[str, Finals]) -> dict[str, Quantity]:
    """Return what the runs reached, by the titles of the columns of the final table."""
    of = {identify(job): reached.get(identify(job), NONE) for job in jobs}
    found = {}
    for column in columns_of(list(of.values())):
        known = {identity: value_of(run, column) for identity, run in of.items()}
        values = {identity: value for identity, value in known.items() if value is not None}
        found[column.title] = Quantity(column.title, values, log=False)
    return found


def varied(jobs: Sequence[AlignmentJob]) -> dict[str, Quantity]:
    """Return the parameters that vary and are numbers."""
    known = {identify(job): parameters(job) for job in jobs}
    found = {}
    for name in varying(jobs):
        values = {identity: float(run[name]) for identity, run in known.items() if is_number(run.get(name))}
        if len(set(values.values())) > 1:
            found[name] = Quantity(name, values, _is_wide(name, values))
    return found


def _is_wide(name: str, values: Mapping[str, float]) -> bool:
    lowest, highest = min(values.values()), max(values.values())
    return lowest > 0 and (name.endswith("learningRate") or highest >= WIDE * lowest)
