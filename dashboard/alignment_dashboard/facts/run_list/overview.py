"""Everything that the list of runs says at one moment; two moments at which it says the same compare as equal."""

from collections.abc import Mapping
from datetime import datetime
from math import isfinite, isnan
from typing import NamedTuple

from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import ENDED

from alignment_dashboard.data.listing import Listing, identify
from alignment_dashboard.facts.run_list.row import Row, newest_first, row_of
from alignment_dashboard.facts.status import BEGUN, Attention, attention, stage_of
from alignment_dashboard.store.outlines import Target
from alignment_dashboard.store.stored_run import StoredRun


class Unread(NamedTuple):
    """Why MLflow cannot be read, and of when what is known of it is; None if nothing is known."""

    problem: str
    as_of: datetime | None


class Overview(NamedTuple):
    """The rows in their usual order, and by identity what needs attention and the course of the loss."""

    rows: tuple[Row, ...]
    attention: Mapping[str, Attention]
    curves: Mapping[str, list[float]]
    unread: Unread | None = None


class Seen(NamedTuple):
    """What the list says of a job, as far as time does not change it, and what it was made of."""

    job: AlignmentJob
    run: StoredRun | None
    row: Row
    target: Target | None
    """Where the course of its loss is."""
    lasting: Attention | None
    """Why it needs attention, if it has ended."""


def overview(
    listing: Listing, now: datetime, seen: Mapping[str, Seen], curves: Mapping[str, list[float]], unread: Unread | None = None
) -> Overview:
    """Return the overview, from what `see` has noted of the listing."""
    found = {
        identity: why
        for identity, known in seen.items()
        if (why := known.lasting if known.row.phase in ENDED else _attention_now(known, listing, now))
    }
    rows = (_without_a_past_end(known.row, now) for known in seen.values())
    return Overview(tuple(sorted(rows, key=newest_first)), found, curves, unread)


def see(listing: Listing, runs: Mapping[str, StoredRun], now: datetime, seen: dict[str, Seen]) -> list[Target]:
    """Note in `seen` what the list says of each job, and return where the courses of their losses are.

    What is known of a job is kept: most have not changed, and each costs a millisecond.
    """
    made = {}
    for job in listing.jobs:
        identity = identify(job)
        made[identity] = _see(job, listing, runs.get(identity), seen.get(identity), now)
    seen.clear()
    seen.update(made)
    return [known.target for known in made.values() if known.target]


def _without_a_past_end(row: Row, now: datetime) -> Row:
    """Return the row without an estimate that is over: beside a run that still runs, it would read as its end."""
    return row._replace(ends=None) if row.ends and row.ends <= now else row


def _attention_now(known: Seen, listing: Listing, now: datetime) -> Attention | None:
    return attention(known.job, now, listing.guidance) or _diverging(known.row)


def _diverging(row: Row) -> Attention | None:
    loss = row.metrics.get("loss", 0.0)
    if row.phase != "Running" or isfinite(loss):
        return None
    return Attention("orange", "Diverged", f"The loss of stage {row.charted} is {'NaN' if isnan(loss) else 'infinite'}.")


def _see(job: AlignmentJob, listing: Listing, run: StoredRun | None, before: Seen | None, now: datetime) -> Seen:
    if before is not None and before.job is job and (before.run is run or before.run == run):
        return before
    row = row_of(job, run)
    lasting = attention(job, now, listing.guidance) if row.phase in ENDED else None
    return Seen(job, run, row, _target(job, row), lasting)


def _target(job: AlignmentJob, row: Row) -> Target | None:
    stage = stage_of(job, row.charted) if row.charted else None
    if stage is None or stage.state not in BEGUN:
        return None
    return Target(row.identity, stage.name, stage.run_id, stage.state in ENDED)
