"""Measures a model in a benchmark: each process asks it about some rows, each row once, on any number of processes and nodes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from accelerate import PartialState

from alignment_trainer.evaluation.benchmarks.answered import answered
from alignment_trainer.evaluation.benchmarks.figures import benchmark_in
from alignment_trainer.evaluation.benchmarks.harness import Harness
from alignment_trainer.evaluation.benchmarks.loading import EXAMPLES_SEED
from alignment_trainer.evaluation.benchmarks.questions import Question
from alignment_trainer.evaluation.row_file import RowFile
from alignment_trainer.evaluation.subject import Subject
from alignment_trainer.evaluation.tasks import OpenTask

_MOST_ROWS = 64
_LEAST_PARTS = 16
"""So that several processes share the rows of a small benchmark too."""


def measure_benchmark(subject: Subject, task: OpenTask, file: RowFile) -> None:
    """Append the rows that are not known yet; all processes call this alike."""
    known, state = file.known(), PartialState()
    harness, benchmark = Harness(subject), benchmark_in(task.task)
    parts = parts_of([row.value for row in task.rows])
    for part in parts[state.process_index :: state.num_processes]:
        left = [question for question in part if question.row not in known]
        if left:
            with _seeded(subject):
                file.append(answered(harness, benchmark, left))


def parts_of(questions: Sequence[Question]) -> list[list[Question]]:
    """Divide rows into parts of about the same length each, the same on any number of processes.

    Which rows a model reads at once may change the last digit of what it computes, and so a score.
    """
    sizes = _sizes(questions)
    order = sorted(questions, key=lambda question: -sizes[question.row])
    rows = max(1, min(_MOST_ROWS, len(order) // _LEAST_PARTS))
    return [order[start : start + rows] for start in range(0, len(order), rows)]


def _sizes(questions: Sequence[Question]) -> dict[str, int]:
    """Return about how long each row's prompt is, without writing it."""
    # Rows share their examples.
    known: dict[int, int] = {}
    for example in (example for question in questions for example in question.examples):
        if id(example) not in known:
            known[id(example)] = len(str(example))
    return {
        question.row: len(str(question.document)) + sum(known[id(example)] for example in question.examples)
        for question in questions
    }


@contextmanager
def _seeded(subject: Subject) -> Iterator[None]:
    """Let a task that draws its answers draw the same ones on any number of processes."""
    with torch.random.fork_rng(devices=[subject.device] if subject.device.type == "cuda" else []):
        torch.manual_seed(EXAMPLES_SEED)
        yield
