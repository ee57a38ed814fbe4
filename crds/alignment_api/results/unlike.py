"""Says which tasks were measured with unlike settings, whose scores are not ranked together."""

import json
from collections.abc import Iterable, Mapping, Sequence

from alignment_api.results.evaluation import MeasuredTask

_MOST_NAMED = 3
_LONGEST = 40


def kind_of(task: MeasuredTask) -> str:
    """Return a text that is the same for all tasks that were measured alike."""
    return json.dumps(task.model_dump(), sort_keys=True)


def unlike_sentences(tasks: Sequence[tuple[str, str, MeasuredTask]]) -> list[str]:
    """Return a sentence for each task that jobs and stages measured with unlike settings."""
    several_jobs = len({job for job, _, _ in tasks}) > 1
    found: dict[str, dict[str, list[str]]] = {}
    known: dict[str, MeasuredTask] = {}
    for job, stage, task in tasks:
        kind = kind_of(task)
        known[kind] = task
        found.setdefault(task.name, {}).setdefault(kind, []).append(f"{job}/{stage}" if several_jobs else stage)
    return [
        _sentence(name, {", ".join(places): known[kind] for kind, places in kinds.items()})
        for name, kinds in found.items()
        if len(kinds) > 1
    ]


def _sentence(name: str, kinds: Mapping[str, MeasuredTask]) -> str:
    settings = {where: {"measure": task.measure, "rows": task.rows, **task.settings} for where, task in kinds.items()}
    names = dict.fromkeys(key for values in settings.values() for key in values)
    differing = [key for key in names if len({repr(values.get(key)) for values in settings.values()}) > 1]
    named = "; ".join(_write(key, settings) for key in differing[:_MOST_NAMED])
    more = f"; and {len(differing) - _MOST_NAMED} more" if len(differing) > _MOST_NAMED else ""
    return f"{name} was measured with unlike settings, so its columns are not ranked together: {named}{more}."


def _write(key: str, settings: Mapping[str, Mapping[str, object]]) -> str:
    values: Iterable[str] = (f"{_short(of.get(key))} in {where}" for where, of in settings.items())
    return f"{key} is {' and '.join(values)}"


def _short(value: object) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
