"""Names each dataset of a stage in manifests and counts, by the shortest part of its URI that is unique."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from alignment_api.spec.data import STAGE_PREFIX, Dataset


def dataset_names(*groups: Sequence[Dataset]) -> list[list[str]]:
    """Return each group's names, in order; names are unique over all groups."""
    choices = [_choices(dataset) for group in groups for dataset in group]
    names = [choice[0] for choice in choices]
    for length in range(1, max(map(len, choices), default=0)):
        times = Counter(names)
        names = [
            choice[min(length, len(choice) - 1)] if times[name] > 1 else name for name, choice in zip(names, choices, strict=True)
        ]
    remaining = iter(_numbered(names))
    return [list(islice(remaining, len(group))) for group in groups]


def _choices(dataset: Dataset) -> list[str]:
    """Return the possible names of a dataset, the shortest first."""
    if dataset.name:
        return [dataset.name]
    if dataset.uri is None:
        return [dataset.source.removeprefix(STAGE_PREFIX), dataset.source]
    parts = dataset.uri.partition("://")[2].strip("/").split("/")
    chosen = "".join(f":{part}" for part in (dataset.configuration, dataset.split) if part)
    longer = ["/".join(parts[start:]) + chosen for start in range(len(parts) - 1, -1, -1)]
    return [Path(dataset.uri).stem, *longer]


def _numbered(names: list[str]) -> list[str]:
    """Number names that occur several times, because the spec names them so or repeats a dataset."""
    times: Counter[str] = Counter()
    numbered = []
    for name in names:
        times[name] += 1
        numbered.append(name if times[name] == 1 else f"{name} {times[name]}")
    return numbered
