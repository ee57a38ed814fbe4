"""The rows of a benchmark's tasks, each with the worked examples that are shown before it, and what lm-eval asks about it."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

import lm_eval.utils
from alignment_api.problems import first_line
from jinja2 import TemplateError
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask

from alignment_trainer.failures import BadData
from alignment_trainer.workspace.activity import counted

_SHOWN = 80
"""So many characters of an example say which it is."""

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


def check_questions(questions: Sequence[Question], path: str) -> None:
    """Refuse rows and examples of which lm-eval cannot make a request, before a model is loaded; each is written once."""
    faults = list(_faults(counted(questions, f"checking the rows of {path}", len(questions), "rows")))
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise BadData(f"{path}.dataset: {faults[0]}{more}")


def _faults(questions: Iterable[Question]) -> Iterator[str]:
    known: set[int] = set()
    for question in questions:
        new = [example for example in question.examples if id(example) not in known]
        known.update(map(id, new))
        own = _written(question._replace(examples=()))
        if isinstance(own, str):
            yield f"{_place(question)} {own}"
            continue
        of_examples = (_written(question._replace(examples=[example])) for example in new)
        yield from (
            f"the worked example {str(example)[:_SHOWN]} of {question.task.task_name} {fault}"
            for example, fault in zip(new, of_examples, strict=True)
            if isinstance(fault, str)
        )


def requests_of(question: Question) -> list[Instance]:
    """Return what lm-eval asks a model about a row: one request, or one for each choice."""
    found = _written(question)
    if isinstance(found, str):
        raise BadData(f"{_place(question)} or one of its examples {found}")
    return found


def _place(question: Question) -> str:
    return f"row {question.number + 1} of {question.task.task_name}"


def _written(question: Question) -> list[Instance] | str:
    """Return what lm-eval asks, or what a row or one of its examples lacks."""
    try:
        return _requests(question)
    except (TemplateError, LookupError, TypeError, ValueError) as error:
        return f"lacks what the task reads ({type(error).__name__}: {first_line(error)}); correct it"


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
