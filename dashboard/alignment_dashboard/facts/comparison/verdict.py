"""Which run of a comparison is the best, in one sentence, and what makes the numbers of its runs not comparable."""

from collections.abc import Sequence

from alignment_api.metrics import EVALUATION_LOSS, EVALUATION_REWARD_ACCURACY
from alignment_api.resolving.parameters import SEED
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import UNDER_WAY

from alignment_dashboard.facts.comparison.finals import Table
from alignment_dashboard.facts.configuration import parameters, varying
from alignment_dashboard.facts.status import stage_of
from alignment_dashboard.text import listed
from alignment_dashboard.units import write_value

STAR = "★"
_DECIDE = (EVALUATION_REWARD_ACCURACY, EVALUATION_LOSS)
"""The metrics that make a run the best, in this order: accuracy means the same for every beta and every loss."""


def verdict(table: Table, stage: str) -> str | None:
    """Return which run has the best evaluation and what it was trained with; None if fewer than two runs were evaluated."""
    for metric in _DECIDE:
        for index, column in enumerate(table.columns):
            winners = [row for row in table.rows if row.cells[index].wins]
            spread = winners[0].cells[index].spread if winners else None
            if column.metric == metric and not column.is_best and spread:
                names = [job.metadata.name for row in winners for job in row.jobs]
                settings = _settings(winners[0].jobs, table) if len(winners) == 1 else ""
                has = "have" if len(names) > 1 else "has"
                best = f"{STAR} {listed(names)} {has} the best {column.title.lower()} {spread.write()}{settings}."
                return best + _unfinished([job for row in winners for job in row.jobs], stage)
    return None


def _unfinished(jobs: Sequence[AlignmentJob], stage: str) -> str:
    """Return which of the best runs may lose their place, because their stage has not ended."""
    names = [job.metadata.name for job in jobs if (known := stage_of(job, stage)) and known.state in UNDER_WAY]
    return f" {listed(names)} {'have' if len(names) > 1 else 'has'} not ended yet." if names else ""


def doubts(jobs: Sequence[AlignmentJob], stage: str) -> list[str]:
    """Return which numbers of the runs do not mean the same, in sentences."""
    differing = varying(jobs)
    found = []
    if f"{stage}.beta" in differing:
        found.append("Rewards are multiplied by beta: where beta differs, compare accuracies, not margins or losses.")
    if f"{stage}.loss" in differing:
        found.append("The runs minimize different losses, so their losses cannot be compared.")
    if any(name in differing for name in (f"{stage}.datasets", f"{stage}.prompts")) or any(
        name.startswith(f"{stage}.holdout") for name in differing
    ):
        found.append("The runs hold out rows of different data, so their evaluations are not measured on the same rows.")
    return found


def _settings(jobs: Sequence[AlignmentJob], table: Table) -> str:
    """Write what the best run has and others have not; the seed only where each run has its own row."""
    differing = varying([job for row in table.rows for job in row.jobs])
    known = parameters(jobs[0])
    shown = [name for name in differing if name in known and (name != SEED or len(jobs) == 1)]
    return f": {', '.join(f'{name} {write_value(known[name])}' for name in shown)}" if shown else ""
