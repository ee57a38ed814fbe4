"""The rows of a benchmark's tasks, each with the worked examples that are shown before it, and what lm-eval asks about it."""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

import lm_eval.utils
from alignment_api.problems import first_line
from jinja2 import TemplateError
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask

from alignment_trainer.failures import BadData

# lm-eval compiles a template at each use, which takes longer than a small model.
lm_eval.utils.env.from_string = cache(lm_eval.utils.env.from_string)


class Question(NamedTuple):
    """One row of a task."""

    row: str
    task: ConfigurableTask
    number: int
    examples: Sequence[dict[str, Any]]

    def __repr__(self) -> str:
        """Return what tells it from a row of the same place with other content."""
        content = sha256(str([self.document, *self.examples]).encode()).hexdigest()
        return f"{self.row}:{self.task.config.num_fewshot}:{content}"

    @property
    def document(self) -> dict[str, Any]:
        """Return the row as the task reads it."""
        found: dict[str, Any] = self.task.task_docs[self.number]
        return found


def questions_of(task: ConfigurableTask, limit: int | None, path: str) -> list[Question]:
    """Return the rows of a task, or the first of them, with the examples that lm-eval draws for each in one process.

    lm-eval draws a row's examples after those of all rows before it. So they are drawn here for all rows; in lm-eval
    itself another number of processes shows other examples.
    """
    _check_examples(task, path)
    documents = task.task_docs
    numbers = range(min(len(documents), limit or len(documents)))
    return [Question(f"{task.task_name}/{number}", task, number, _drawn(task, documents[number])) for number in numbers]


def requests_of(question: Question) -> list[Instance]:
    """Return what lm-eval asks a model about a row: one request, or one for each choice."""
    try:
        return _requests(question)
    except (TemplateError, LookupError, TypeError, ValueError) as error:
        raise BadData(
            f"row {question.number + 1} of {question.task.task_name} or one of its examples lacks what the task reads "
            f"({type(error).__name__}: {first_line(error)}); correct the row"
        ) from error


def shown_question(question: Question, asked: str) -> str:
    """Return the beginning of what a model is asked about a row, `asked`, without the worked examples."""
    return str(requests_of(question._replace(examples=()))[0].args[0]) if question.examples else asked


def _requests(question: Question) -> list[Instance]:
    task = question.task
    task.sampler = _Known(question.examples)
    context = task.fewshot_context(
        question.document, num_fewshot=len(question.examples), gen_prefix=task.doc_to_prefix(question.document)
    )
    place = (task.task_name, question.number, task.config.repeats)
    made = task.construct_requests(doc=question.document, ctx=context, metadata=place)
    return made if isinstance(made, list) else [made]


class _Known(NamedTuple):
    """Takes the place of a task's sampler: the examples of a row are known."""

    examples: Sequence[dict[str, Any]]

    def sample(self, n: int, eval_doc: object = None) -> Sequence[dict[str, Any]]:
        assert n == len(self.examples)
        return self.examples


def _drawn(task: ConfigurableTask, document: dict[str, Any]) -> Sequence[dict[str, Any]]:
    if not task.config.num_fewshot:
        return ()
    found: Sequence[dict[str, Any]] = task.sampler.sample(
        task.config.num_fewshot, eval_doc=document if _leaves_out_the_row(task) else None
    )
    return found


def _leaves_out_the_row(task: ConfigurableTask) -> bool:
    """Return whether the examples may come from the measured rows, as lm-eval decides it."""
    return bool(task.fewshot_cfg.split == task.config.test_split)


def _check_examples(task: ConfigurableTask, path: str) -> None:
    wanted = task.config.num_fewshot
    found = len(task.sampler.df) - _leaves_out_the_row(task)
    if wanted and found < wanted:
        raise BadData(
            f"{path}: {task.task_name} shows {wanted} worked examples, and its rows have only {found}; add rows, or lower fewShot"
        )
