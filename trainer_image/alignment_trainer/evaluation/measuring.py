"""Measures the models of a stage in its tasks, one model after the other; a model that is measured already is not loaded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from alignment_api.files import write_whole
from alignment_api.problems import first_line
from alignment_api.results.evaluation import EvaluatedRow
from alignment_api.run_config import RunConfig
from alignment_api.spec.settings.evaluation import JUDGED

from alignment_trainer.checks.tasks import task_kind
from alignment_trainer.evaluation.beginning.kept_rows import forget_other_rows
from alignment_trainer.evaluation.candidates import Candidate, candidate_of, template_fault
from alignment_trainer.evaluation.measure import Measure, measure_of
from alignment_trainer.evaluation.progress import Progress
from alignment_trainer.evaluation.report import Measured
from alignment_trainer.evaluation.row_file import RowFile
from alignment_trainer.evaluation.subject import load_subject
from alignment_trainer.evaluation.tasks import OpenTask
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.settings.evaluation import EvaluationSettings, TaskSettings, model_name
from alignment_trainer.synthesis.first_process import on_first_process, shared
from alignment_trainer.synthesis.student import free

_ALL_FILE = ".all"
"""Marks the folder of a model that was measured on all rows of a task."""
_ANSWERED = 0.5
"""How much of a row is done when the model has answered it, and the answer is still to be scored."""


class _Part(NamedTuple):
    """One model in one task."""

    candidate: Candidate
    task: OpenTask
    measure: Measure

    @property
    def weight(self) -> float:
        return _ANSWERED if self.measure.score else 1.0

    @property
    def file(self) -> RowFile:
        return RowFile(self.task.stage, self.task.name, self.candidate.name)

    @property
    def mark(self) -> Path:
        return self.file.folder / _ALL_FILE

    @property
    def places(self) -> list[str]:
        return self.measure.places(self.task)

    @property
    def kept(self) -> float:
        """Return how many rows are measured; one that is only answered counts half."""
        rows = min(len(self.places), self.file.count())
        if not self.measure.score:
            return float(rows)
        return _ANSWERED * (rows + (len(self.places) if self.mark.exists() else 0))


class Measuring:
    """The models of a stage, each with the tasks that it is measured in."""

    def __init__(self, config: RunConfig, settings: EvaluationSettings, tasks: list[OpenTask]) -> None:
        self._config, self._settings = config, settings
        measures = [(task, measure_of(task)) for task in tasks]
        wanted = {model_name(model): model for model in settings.models}
        others = {model_name(model): model for task, measure in measures for model in measure.others(task)}
        models = {name: candidate_of(config, model) for name, model in {**others, **wanted}.items()}
        self._models = models
        self.candidates = [models[name] for name in wanted]
        # An opponent first: the others may be compared with it.
        self._parts = [
            [
                _Part(candidate, task, measure)
                for task, measure in measures
                if name in wanted or any(model_name(model) == name for model in measure.others(task))
            ]
            for name, candidate in models.items()
        ]
        self._tasks = measures
        self._measuring: OpenTask | None = None
        """The task that is measured at the moment."""

    @property
    def total(self) -> int:
        """Return how many rows there are, of all models in all tasks."""
        return sum(len(part.places) for parts in self._parts for part in parts)

    def check(self) -> None:
        """Refuse tasks that cannot be measured, before a model is loaded; all processes call this alike."""
        faults = shared(lambda: [fault for task, measure in self._tasks for fault in self._faults(task, measure)])
        if faults:
            raise BadConfiguration("\n".join(faults))

    def forget_other_rows(self) -> None:
        """Remove rows of earlier attempts that this one would measure in another way; all processes call this alike."""
        for task, measure in self._tasks:
            shared(partial(forget_other_rows, task, measure))

    def kept(self) -> float:
        """Return how many rows are measured already, as this process sees it."""
        return sum(part.kept for parts in self._parts for part in parts)

    def run(self, progress: Progress) -> None:
        """Measure all of them; all processes call this alike."""
        for parts in self._parts:
            self._measure(parts, progress)
        on_first_process(lambda: self._score(progress))

    def measured(self) -> Iterator[Measured]:
        """Return the rows of each task, for the report: of all models after `run`, and of those that are finished if it fails."""
        for task, measure in self._tasks:
            rows = {part.candidate.name: found for part in self._parts_of(task) if (found := _in_order(part)) is not None}
            others = {each.name: measure.relative_to(task, each.name) for each in self.candidates if each.name in rows}
            against = {name: self._models[model_name(other)] for name, other in others.items() if other}
            known = [name for name in others if name not in against or against[name].name in rows]
            if known:
                finished = {name: measure.finish(task, name, rows) for name in known}
                yield Measured(task, measure, finished, {name: against[name] for name in known if name in against})

    def missing(self, measured: Sequence[Measured], failure: Exception) -> Iterator[str]:
        """Yield which tasks are not measured of which models, and why, after `run` has failed."""
        rows = {one.task.name: one.rows for one in measured}
        for task, _ in self._tasks:
            models = [each.name for each in self.candidates if each.name not in rows.get(task.name, {})]
            if models:
                why = first_line(failure) if task is self._measuring else "the stage failed before"
                yield f"{task.name} is not measured of {', '.join(models)} yet: {why}"

    def _faults(self, task: OpenTask, measure: Measure) -> Iterator[str]:
        if task_kind(TaskSettings(task.path, task.task)).asks:
            yield from filter(None, (template_fault(candidate, task.path) for candidate in self._models.values()))
        yield from measure.faults(task, self.candidates[0].folder)

    def _measure(self, parts: list[_Part], progress: Progress) -> None:
        known = shared(lambda: [part.mark.exists() for part in parts])
        left = [part for part, is_known in zip(parts, known, strict=True) if not is_known]
        for part in parts:
            if part not in left:
                progress.skip(len(part.places), part.weight)
        if not left:
            return
        subject = load_subject(self._config, left[0].candidate, self._settings)
        for part in left:
            what = f"measuring {part.candidate.name} on {part.task.name}"
            with self._begun(part), part.file as file, progress.part(what, len(part.places), file.count, part.weight):
                part.measure.measure(subject, part.task, file)
                if not part.measure.score:
                    file.await_all(part.places)
            shared(partial(write_whole, part.mark, ""))
        del subject
        free()

    def _score(self, progress: Progress) -> None:
        # Judges last, and one task after the other: where they fail, everything else is finished.
        tasks = sorted((task for task, _ in self._tasks), key=lambda task: task.task.measure in JUDGED)
        for part in (part for task in tasks for part in self._parts_of(task)):
            if part.measure.score:
                what = f"scoring {part.candidate.name} on {part.task.name}"
                with self._begun(part), part.file as file, progress.part(what, len(part.places), file.count, part.weight):
                    part.measure.score(part.task, part.candidate, file)

    def _parts_of(self, task: OpenTask) -> list[_Part]:
        return [part for parts in self._parts for part in parts if part.task is task]

    @contextmanager
    def _begun(self, part: _Part) -> Iterator[None]:
        self._measuring = part.task
        yield
        # Not after a failure, whose task it is.
        self._measuring = None


def _in_order(part: _Part) -> list[EvaluatedRow] | None:
    """Return the rows of a model in a task; None while some are still to be measured."""
    rows = {row.row: row for row in part.file.read()} if part.mark.exists() else {}
    return [rows[place] for place in part.places] if rows.keys() >= set(part.places) else None
