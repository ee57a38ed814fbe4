"""Everything that the list of runs says at one moment; two moments at which it says the same compare as equal."""

from collections.abc import Mapping
from datetime import datetime
from math import isfinite, isnan
from typing import NamedTuple

from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.data.listing import Listing, identify
from alignment_dashboard.facts.run_list.row import Row, newest_first, row_of
from alignment_dashboard.facts.status import Attention, attention
from alignment_dashboard.store.stored_run import StoredRun


class Overview(NamedTuple):
    """The rows in their usual order, and by identity what needs attention and the course of the loss."""

    rows: tuple[Row, ...]
    attention: Mapping[str, Attention]
    curves: Mapping[str, list[float]]


class Seen(NamedTuple):
    """A row and what it was made of."""

    job: AlignmentJob
    run: StoredRun | None
    row: Row


def overview(listing: Listing, runs: Mapping[str, StoredRun], now: datetime, seen: dict[str, Seen]) -> Overview:
    """Return the overview; `seen` keeps the rows, since most jobs have not changed and a row costs a millisecond."""
    made = {identify(job): _see(job, runs.get(identify(job)), seen.get(identify(job))) for job in listing.jobs}
    seen.clear()
    seen.update(made)
    found = {
        identify(job): why
        for job in listing.jobs
        if (why := attention(job, now, listing.guidance) or _diverging(made[identify(job)].row))
    }
    return Overview(tuple(sorted((known.row for known in made.values()), key=newest_first)), found, {})


def with_curves(overview: Overview, curves: Mapping[str, list[float]]) -> Overview:
    """Return the overview with curves, without the NaN and infinity that no line can show and that equal nothing."""
    return overview._replace(
        curves={identity: [value for value in values if isfinite(value)] for identity, values in curves.items()}
    )


def _diverging(row: Row) -> Attention | None:
    loss = row.metrics.get("loss", 0.0)
    if row.phase != "Running" or isfinite(loss):
        return None
    return Attention("orange", "Diverged", f"The loss of stage {row.charted} is {'NaN' if isnan(loss) else 'infinite'}.")


def _see(job: AlignmentJob, run: StoredRun | None, before: Seen | None) -> Seen:
    if before is not None and before.job is job and (before.run is run or before.run == run):
        return before
    return Seen(job, run, row_of(job, run))
