"""HumanEval: whether the programs that a model writes pass their tests; each runs in a process that can do little else."""

import platform
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from alignment_api.results.evaluation import EvaluatedRow, Settings

from alignment_trainer.data.tasks.problems import Problem
from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.evaluation.answers import about, continued, draw, drawn, question, sampling_settings
from alignment_trainer.evaluation.candidates import Candidate
from alignment_trainer.evaluation.measure import Measure, Metric
from alignment_trainer.evaluation.programs.assembly import NEXT, answered, completed, is_whole, request, with_test
from alignment_trainer.evaluation.programs.trial import Limits, fault, tried
from alignment_trainer.evaluation.row_file import RowFile
from alignment_trainer.evaluation.subject import Subject
from alignment_trainer.evaluation.tasks import OpenTask, TaskRow
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.model_folder.chat_template import read_source
from alignment_trainer.process.parallel import worker_count
from alignment_trainer.synthesis.prompts import alone
from alignment_trainer.synthesis.student import Asked

PASSED = "pass_at_1"
_METRICS = (Metric(PASSED, "Higher", is_main=True),)
_ASKED = "asked"
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
    if left and (why := fault()):
        raise BadConfiguration(_unconfined(task, why))
    continues = _continues(candidate)
    with ThreadPoolExecutor(worker_count()) as pool:
        file.append(pool.map(lambda each: judged(each[0], each[1], continues), left))


def _confinement_faults(task: OpenTask, folder: Path) -> Iterator[str]:
    if why := fault():
        yield _unconfined(task, why)


def _unconfined(task: OpenTask, why: str) -> str:
    return (
        f"{task.path}: no program of a model may run on this machine: {why}; "
        "run the stage where the kernel has landlock and seccomp (Linux 5.13 or later), or remove the task"
    )


def judged(row: TaskRow, said: Answer | Unanswered, continues: bool) -> EvaluatedRow:
    """Return the row of a problem, from what a model wrote for it."""
    problem: Problem = row.value
    found = EvaluatedRow(
        key=alone(problem.prompt, row.place).key,
        row=row.place,
        prompt=problem.prompt,
        reference=problem.solution,
        scores={PASSED: None},
        details={_ASKED: "continuation" if continues else "dialogue"},
    )
    if isinstance(said, Unanswered):
        return found.model_copy(update={"reason": said.detail})
    function = completed(problem, said.text) if continues else answered(problem, said.text)
    trial = tried(with_test(problem, function), _LIMITS)
    # What ends the function may be the very last that there was room for.
    cut = said.finish == "length" and not (continues and is_whole(said.text))
    details = {**found.details, **about(said), "cut": cut}
    scores = {PASSED: float(trial.passed)}
    return found.model_copy(update={"answer": said.text, "scores": scores, "reason": trial.reason, "details": details})


def _asked(task: OpenTask, candidate: Candidate) -> list[Asked]:
    seed, problems = task.settings.seed, [row.value for row in task.rows]
    if _continues(candidate):
        return [continued(problem.prompt, seed, NEXT) for problem in problems]
    return [question([{"role": "user", "content": request(problem)}], seed) for problem in problems]


def _continues(candidate: Candidate) -> bool:
    """Return whether a model continues the prompt as text: a template that the job gives it taught it no dialogues."""
    return read_source(candidate.folder) is None


MEASURE = Measure(lambda task: _METRICS, _settings, _measure, _score, faults=_confinement_faults)
