"""Which runs an address compares, against which baseline, and in which stage."""

from collections.abc import Sequence
from typing import NamedTuple

from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.data.listing import Listing, identify
from alignment_dashboard.facts.stages import measured_in, measured_stages, trained_stages
from alignment_dashboard.facts.status import started_at
from alignment_dashboard.text import listed

MOST = 20
"""A reader cannot tell more lines apart."""

FLAG = "⚑"
"""Marks the baseline; a star marks the best run."""


class Comparison(NamedTuple):
    """The runs that are compared, and a sentence about each thing that the address asks for and that is not there."""

    jobs: tuple[AlignmentJob, ...]
    baseline: int
    """Which of the jobs the others are compared with."""
    sentences: tuple[str, ...]


def choose(listing: Listing, identities: Sequence[str], baseline: str | None) -> Comparison:
    """Return the comparison that an address asks for; a run that does not exist is named and left out."""
    found = [(identity, listing.find(identity)) for identity in identities]
    jobs = [job for _, job in found if job is not None]
    sentences = [*_missing([identity for identity, job in found if job is None], listing)]
    if len(jobs) > MOST:
        sentences.append(f"These are the first {MOST} of {len(jobs)} runs: more lines cannot be told apart.")
    jobs = jobs[:MOST]
    known = [identify(job) for job in jobs]
    return Comparison(tuple(jobs), known.index(baseline) if baseline in known else 0, tuple(sentences))


def others(listing: Listing, jobs: Sequence[AlignmentJob]) -> list[AlignmentJob]:
    """Return the runs that a comparison can add, the newest first."""
    taken = {identify(job) for job in jobs}
    return sorted((job for job in listing.jobs if identify(job) not in taken), key=_age, reverse=True)


def _age(job: AlignmentJob) -> tuple[float, str]:
    started = started_at(job)
    return started.timestamp() if started else 0.0, job.metadata.name


def default_stage(jobs: Sequence[AlignmentJob]) -> str | None:
    """Return the stage that most runs have; of several, the last that trains a model, or else the last."""
    names = measured_in(jobs)

    def rank(name: str) -> tuple[int, bool, int]:
        having = [job for job in jobs if name in measured_stages(job)]
        return len(having), any(name in trained_stages(job) for job in having), names.index(name)

    return max(names, key=rank, default=None)


def without_stage(jobs: Sequence[AlignmentJob], stage: str) -> str | None:
    """Return which of the runs have no such stage, in a sentence."""
    names = [job.metadata.name for job in jobs if stage not in measured_stages(job)]
    if not names:
        return None
    return f"{listed(names)} {'has' if len(names) == 1 else 'have'} no stage {stage}, and no values below."


def _missing(identities: Sequence[str], listing: Listing) -> list[str]:
    if not identities:
        return []
    count = "One run is" if len(identities) == 1 else f"{len(identities)} runs are"
    reason = "deleted, or the address has a mistake" if listing.complete else "the jobs cannot all be read now"
    return [f"{count} not compared, because no job has the id {listed(identities, 'or')}: {reason}."]
