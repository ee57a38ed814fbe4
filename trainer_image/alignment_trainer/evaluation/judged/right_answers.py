"""Reads which answers MT-Bench's judges see beside those of a model: those of math, coding and reasoning, where one is right."""

from collections import Counter

from alignment_trainer.data.tasks.mt_bench import TurnsOfQuestion, read_reference
from alignment_trainer.evaluation.tasks import OpenTask
from alignment_trainer.failures import BadData
from alignment_trainer.reading.sources import find_source

NEEDING = ("math", "coding", "reasoning")


def check_right_answers(task: OpenTask) -> None:
    """Refuse a file of references that lacks the answer to a question; where a task has no such file, a note counts these."""
    needing: list[TurnsOfQuestion] = [row.value for row in task.rows if row.value.category in NEEDING]
    found = right_answers(task)
    missing = [one.id for one in needing if one.id not in found]
    if task.task.references and missing:
        raise BadData(
            f"{task.path}.references: it has no answer to {len(missing)} of {len(needing)} questions of math, coding and "
            f"reasoning, such as question_id {missing[0]}; add them, or remove references, and judges grade without them"
        )


def right_answers(task: OpenTask) -> dict[str, tuple[str, ...]]:
    """Return the right answers to the turns of questions, by question_id; raise BadData where they belong to no one question."""
    asked: list[TurnsOfQuestion] = [row.value for row in task.rows]
    twice = next((known for known, count in Counter(one.id for one in asked).items() if count > 1), None)
    if twice is not None:
        raise BadData(f"{task.path}.dataset: question_id {twice} occurs twice; give each question one of its own")
    written = _written(task)
    found = {one.id: written.get(one.id) or one.references for one in asked if one.category in NEEDING}
    return {known: texts for known, texts in found.items() if any(texts)}


def _written(task: OpenTask) -> dict[str, tuple[str, ...]]:
    """Return the answers of the task's own file of references."""
    found: dict[str, tuple[str, ...]] = {}
    if task.task.references is None:
        return found
    field = f"{task.path}.references"
    for row in find_source(task.task.references, task.config.paths).rows():
        answer = row.read_as(read_reference, field)
        if answer.id in found:
            raise BadData(f"{row.place}: it is a second answer to question_id {answer.id}; keep one ({field})")
        found[answer.id] = answer.turns
    return found
