"""How the runs of a comparison are called, so that each name stands for one run."""

from collections import Counter
from collections.abc import Sequence

from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.data.listing import identify

_LONG_START = 8


def labels(jobs: Sequence[AlignmentJob]) -> dict[str, str]:
    """Return the name of each run by its identity; with namespace, and a part of the identity, where names repeat."""
    short = {identify(job): job.metadata.name for job in jobs}
    long = {identify(job): f"{job.metadata.namespace or 'default'}/{job.metadata.name}" for job in jobs}
    named = _unless_repeated(short, long)
    return _unless_repeated(named, {identity: f"{name} ({identity[:8]})" for identity, name in named.items()})


def _unless_repeated(names: dict[str, str], others: dict[str, str]) -> dict[str, str]:
    count = Counter(names.values())
    return {identity: name if count[name] == 1 else others[identity] for identity, name in names.items()}


def without_shared_start(names: Sequence[str]) -> list[str]:
    """Return names for narrow columns: a long start that all names share becomes an ellipsis."""
    parts = names[0].split("-") if len(names) > 1 else []
    starts = ["-".join(parts[:count]) + "-" for count in range(1, len(parts))]
    shared = max((start for start in starts if all(name.startswith(start) for name in names)), key=len, default="")
    return [f"…{name.removeprefix(shared)}" for name in names] if len(shared) >= _LONG_START else list(names)
