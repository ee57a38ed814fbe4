"""The report of a stage: scores of all models in all tasks, and the differences between them; pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from alignment_api.results.evaluation import (
    Difference,
    EvaluationReport,
    MeasuredModel,
    MeasuredTask,
    Score,
)
from alignment_api.spec.lineage import digest

from alignment_trainer.evaluation.candidates import Candidate
from alignment_trainer.evaluation.estimates import Estimates
from alignment_trainer.evaluation.measure import Measure, RowsOfModels
from alignment_trainer.evaluation.subject import numbers_of
from alignment_trainer.evaluation.tasks import OpenTask


class Measured(NamedTuple):
    """A task with the published rows of all models that are measured in it."""

    task: OpenTask
    measure: Measure
    rows: RowsOfModels
    against: Mapping[str, Candidate]
    """By model, the one that its scores are relative to, if they are."""


def report_of(candidates: Sequence[Candidate], measured: Sequence[Measured], missing: Iterable[str] = ()) -> EvaluationReport:
    """Return the report; each model is compared with all before it. `missing` says what a stage that failed has not measured."""
    names = [candidate.name for candidate in candidates]
    estimates = [(one, Estimates(metric, one.rows)) for one in measured for metric in one.measure.metrics(one.task)]
    panels = [panel for one in measured if (panel := one.measure.panel(one.task, one.rows))]
    return EvaluationReport(
        models=[_model(each) for each in candidates],
        tasks=[_task(one) for one in measured],
        scores=[score for each in estimates for score in _scores(*each, names)],
        differences=[found for each in estimates for found in _differences(*each, names)],
        panels=panels,
        notes=[*missing, *(note for one in measured for note in (*_notes(one), *one.measure.notes(one.task, one.rows)))],
    )


def _model(candidate: Candidate) -> MeasuredModel:
    return MeasuredModel(name=candidate.name, weights=candidate.weights, quantization=candidate.quantization)


def _task(one: Measured) -> MeasuredTask:
    task = one.task.task
    # Scores of other rows or other prompts are not ranked together with these.
    prompts = digest(sorted(row.key for row in next(iter(one.rows.values()))))
    settings = {
        "exact": one.task.settings.exact,
        "numbers": numbers_of(one.task.config, one.task.settings),
        "rows": digest(sorted(repr(row.value) for row in one.task.rows)),
        "prompts": prompts,
        **one.measure.settings(one.task),
        **one.measure.seen(one.task, one.rows),
    }
    return MeasuredTask(
        name=one.task.name, measure=str(task.measure or task.benchmark), rows=len(one.task.rows), settings=settings
    )


def _scores(one: Measured, estimates: Estimates, names: Sequence[str]) -> Iterator[Score]:
    metric = estimates.metric
    for name in (name for name in names if name in one.rows):
        yield Score(
            task=one.task.name,
            metric=metric.name,
            model=name,
            better=metric.better,
            is_main=metric.is_main,
            against=_model(one.against[name]) if name in one.against else None,
            estimate=estimates.of(name),
        )


def _differences(one: Measured, estimates: Estimates, names: Sequence[str]) -> Iterator[Difference]:
    """Compare each model with all before it: the best of a table is often not the first, and its rival neither."""
    if estimates.metric.whole:
        return
    for against, name in combinations((name for name in names if name in one.rows), 2):
        # What one gained over this model, and the other over that one, is no difference of the two.
        if one.against.get(name) == one.against.get(against):
            yield Difference(
                task=one.task.name,
                metric=estimates.metric.name,
                model=name,
                against=against,
                estimate=estimates.difference(name, against),
            )


def _notes(one: Measured) -> Iterator[str]:
    """Say what limits the figures of a task."""
    for name, rows in one.rows.items():
        shortened = sum(row.details.get("shortened") is True for row in rows)
        if shortened:
            yield (
                f"{one.task.name}: {shortened} of {len(rows)} prompts are longer than {name} can read; "
                "they lose their beginning, and so worked examples"
            )
        cut = sum(row.details.get("cut") is True for row in rows)
        if cut:
            yield (
                f"{one.task.name}: {cut} of {len(rows)} answers of {name} are cut at sampling.maximumTokens, "
                "and are measured as they are"
            )
