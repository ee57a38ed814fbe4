"""HumanEval: whether the programs that a model writes pass their tests; each runs in a process that can do little else."""

import platform
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from alignment_api.results.evaluation import EvaluatedRow, Settings

from alignment_trainer.data.tasks.problems import Problem
from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.evaluation.answers import continued, draw, drawn, question, sampling_settings
from alignment_trainer.evaluation.candidates import Candidate
from alignment_trainer.evaluation.measure import Measure, Metric, RowsOfModels
from alignment_trainer.evaluation.programs.assembly import answered, completed, request, with_test
from alignment_trainer.evaluation.programs.trial import Limits, openings, tried
from alignment_trainer.evaluation.row_file import RowFile
from alignment_trainer.evaluation.subject import Subject
from alignment_trainer.evaluation.tasks import OpenTask, TaskRow
from alignment_trainer.model_folder.chat_template import read_source
from alignment_trainer.process.parallel import worker_count
from alignment_trainer.synthesis.prompts import alone
from alignment_trainer.synthesis.student import Asked

PASSED = "pass_at_1"
_METRICS = (Metric(PASSED, "Higher", is_main=True),)
_ASKED, _OPENINGS = "asked", "openings"
_LIMITS = Limits()


def _settings(task: OpenTask) -> Settings:
    return {
        **sampling_settings(task),
        "asked": "a model without a chat template of its own continues the prompt; any other is asked in a dialogue",
        "passes": "by a random token that is printed after its tests",
        "limits": f"{_LIMITS.processor_seconds} s of processor time, {_LIMITS.wall_seconds} s, {_LIMITS.memory >> 20} MiB",
        "libraries": f"the standard library of Python {platform.python_version()}",
    }


def _measure(subject: Subject, task: OpenTask, file: RowFile) -> None:
    draw(subject, task, _asked(task, subject.candidate), task.settings.sampling)


def _score(task: OpenTask, candidate: Candidate, file: RowFile) -> None:
    known, said = file.known_here(), drawn(task, candidate, _asked(task, candidate), task.settings.sampling)
    left = [(row, answer) for row, answer in zip(task.rows, said, strict=True) if row.place not in known]
    left_open, continues = openings() if left else [], _continues(candidate)
    with ThreadPoolExecutor(worker_count()) as pool:
        file.append(pool.map(lambda each: judged(each[0], each[1], continues, left_open), left))


def judged(row: TaskRow, said: Answer | Unanswered, continues: bool, left_open: Sequence[str]) -> EvaluatedRow:
    """Return the row of a problem, from what a model wrote for it."""
    problem: Problem = row.value
    found = EvaluatedRow(
        key=alone(problem.prompt, row.place).key,
        row=row.place,
        prompt=problem.prompt,
        reference=problem.solution,
        scores={PASSED: None},
        details={_ASKED: "continuation" if continues else "dialogue", _OPENINGS: " and ".join(left_open) or None},
    )
    if isinstance(said, Unanswered):
        return found.model_copy(update={"reason": said.detail})
    function = completed(problem, said.text) if continues else answered(problem, said.text)
    trial = tried(with_test(problem, function), _LIMITS)
    details = {**found.details, "cut": said.finish == "length", "tokens": said.answer_tokens}
    scores = {PASSED: float(trial.passed)}
    return found.model_copy(update={"answer": said.text, "scores": scores, "reason": trial.reason, "details": details})


def _asked(task: OpenTask, candidate: Candidate) -> list[Asked]:
    seed, problems = task.settings.seed, [row.value for row in task.rows]
    if _continues(candidate):
        return [continued(problem.prompt, seed) for problem in problems]
    return [question([{"role": "user", "content": request(problem)}], seed) for problem in problems]


def _continues(candidate: Candidate) -> bool:
    """Return whether a model continues the prompt as text: a template that the job gives it taught it no dialogues."""
    return read_source(candidate.folder) is None


def _notes(task: OpenTask, rows: RowsOfModels) -> list[str]:
    found = {str(row.details[_OPENINGS]) for of_model in rows.values() for row in of_model if row.details.get(_OPENINGS)}
    where = "run them only where nothing can be harmed"
    return [f"{task.name}: the kernel let the programs {what}; {where}" for what in sorted(found)]


MEASURE = Measure(lambda task: _METRICS, _settings, _measure, _score, notes=_notes)
