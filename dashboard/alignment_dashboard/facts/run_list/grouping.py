"""Runs that differ only in the seed, as one line: how many they are, and mean and standard deviation of what they measured."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from alignment_api.resolving.parameters import Value

from alignment_dashboard.facts.comparison.spread import Spread, spread_of
from alignment_dashboard.facts.configuration import without_seed
from alignment_dashboard.facts.run_list.columns import COUNT, DEVIATION, sort
from alignment_dashboard.facts.run_list.row import METRICS, Row

SEEDS = "seeds"
"""Groups are named after what they leave out; any other word is the parameter that comes first and sorts the groups."""


class Group(NamedTuple):
    """Runs of one configuration."""

    rows: tuple[Row, ...]
    parameters: Mapping[str, Value]
    """What all runs of the group share."""
    spreads: Mapping[str, Spread]
    """Of the runs that have succeeded: what the others measured so far says nothing of the configuration."""

    def value(self, name: str) -> Value | None:
        """Return what the group has in a column."""
        if name == COUNT:
            return f"{sum(map(_counts, self.rows))} of {len(self.rows)}"
        spread = self.spreads.get(name.removesuffix(DEVIATION))
        if spread is not None:
            return spread.deviation if name.endswith(DEVIATION) else spread.mean
        return self.parameters.get(name)


def group(rows: Sequence[Row], by: str) -> list[Group]:
    """Return the groups in the order of a parameter, or of their first runs; a group without the parameter comes last."""
    members: dict[frozenset[tuple[str, Value]], list[Row]] = {}
    for row in rows if by == SEEDS else sort(rows, by):
        members.setdefault(frozenset(without_seed(row.parameters).items()), []).append(row)
    return [Group(tuple(found), without_seed(found[0].parameters), _spreads(found)) for found in members.values()]


def _counts(row: Row) -> bool:
    return row.phase == "Succeeded"


def _spreads(rows: Sequence[Row]) -> dict[str, Spread]:
    found = {name: spread_of([row.metrics[name] for row in rows if _counts(row) and name in row.metrics]) for name in METRICS}
    return {name: spread for name, spread in found.items() if spread}
