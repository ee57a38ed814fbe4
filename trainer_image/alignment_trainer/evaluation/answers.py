"""Answers of the job's models to the questions of tasks: drawn once per weights, template, question and sampling, and kept."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from alignment_api.results.evaluation import EvaluatedRow, Settings
from alignment_api.run_config import RunConfig
from alignment_api.spec.lineage import digest

from alignment_trainer.endpoints.question import Answer, Message, SamplingSettings, Unanswered
from alignment_trainer.evaluation.candidates import Candidate
from alignment_trainer.evaluation.row_file import RowFile
from alignment_trainer.evaluation.subject import Subject, dtype_of
from alignment_trainer.evaluation.tasks import OpenTask, TaskRow
from alignment_trainer.settings.evaluation import EvaluationSettings
from alignment_trainer.synthesis.drawing import drawn_seed
from alignment_trainer.synthesis.prompts import key_of
from alignment_trainer.synthesis.student import Asked, read_said, readable, sample

ANSWERS_FOLDER = "evaluated-answers"
"""In the job's folder, beside its stages: a new task, metric or judge of any of its stages finds the answers there."""


def question(messages: Sequence[Message], seed: int, index: int = 0) -> Asked:
    """Return a question for a model of the job; of several answers to the same messages, `index` says which it is."""
    key = key_of(tuple(messages))
    return Asked(f"{key}/{seed}/{index}", messages, drawn_seed(seed, key, index))


def continued(text: str, seed: int, stop: re.Pattern[str]) -> Asked:
    """Return a text that a model of the job continues until `stop` occurs in what it writes."""
    asked = question([{"role": "user", "content": text}], seed)
    return asked._replace(key=f"{asked.key}/continued", continues=True, stop=stop)


def sampling_settings(task: OpenTask) -> Settings:
    """Return how the models answer, which shapes every score of answers."""
    sampling = task.settings.sampling
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "maximum_tokens": sampling.maximum_tokens,
        "seed": task.settings.seed,
    }


def draw(subject: Subject, task: OpenTask, asked: Sequence[Asked], sampling: SamplingSettings) -> None:
    """Have a model answer what it has not answered before; all processes call this alike."""
    once = list({one.key: one for one in asked}.values())
    folder = _folder(task.config, task.settings, subject.candidate, sampling)
    what = f"answers of {subject.name} to {task.name}"
    sample(subject.student, readable(subject.student, once), sampling, folder, what, subject.exact, task.config.stage_name)


def drawn(task: OpenTask, candidate: Candidate, asked: Sequence[Asked], sampling: SamplingSettings) -> list[Answer | Unanswered]:
    """Return the answers in the order of what was asked, without loading the model."""
    return list(read_said(_folder(task.config, task.settings, candidate, sampling), asked))


def question_of_each(task: OpenTask) -> list[Asked]:
    """Return the question of each row of a task whose rows are dialogues up to an answer."""
    return [question(row.value.messages, task.settings.seed) for row in task.rows]


def answer_each(subject: Subject, task: OpenTask, file: RowFile) -> None:
    """Have a model answer the question of each row; the rows themselves come from `score`."""
    subject.check_template(task.path)
    draw(subject, task, question_of_each(task), task.settings.sampling)


def answers_of_each(task: OpenTask, candidate: Candidate) -> list[Answer | Unanswered]:
    """Return a model's answers to the questions of all rows, in their order."""
    return drawn(task, candidate, question_of_each(task), task.settings.sampling)


def score_each(scored: Callable[[TaskRow, Answer | Unanswered], EvaluatedRow]) -> Callable[[OpenTask, Candidate, RowFile], None]:
    """Return the `score` of a measure that makes each row of its answer alone."""

    def score(task: OpenTask, candidate: Candidate, file: RowFile) -> None:
        known = file.known_here()
        answered = zip(task.rows, answers_of_each(task, candidate), strict=True)
        file.append(scored(row, said) for row, said in answered if row.place not in known)

    return score


def about(answer: Answer) -> dict[str, bool | int]:
    """Return what a row's details say of an answer."""
    return {"cut": answer.finish == "length", "tokens": answer.answer_tokens}


def _folder(config: RunConfig, settings: EvaluationSettings, candidate: Candidate, sampling: SamplingSettings) -> Path:
    drawn_by = {
        "weights": candidate.weights,
        "template": candidate.template,
        "sampling": vars(sampling),
        "computed": [str(dtype_of(config, settings)), settings.exact],
    }
    return Path(config.paths.stage).parent / ANSWERS_FOLDER / candidate.name / digest(drawn_by)
