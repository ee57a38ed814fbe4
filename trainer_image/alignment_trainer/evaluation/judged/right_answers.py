"""Reads which answers MT-Bench's judges see beside those of a model: those of math, coding and reasoning, where one is right."""

from collections import Counter

from alignment_api.run_config import RunConfig

from alignment_trainer.data.tasks.mt_bench import TurnsOfQuestion, read_reference
from alignment_trainer.evaluation.tasks import TaskRow
from alignment_trainer.failures import BadData
from alignment_trainer.reading.sources import find_source
from alignment_trainer.settings.evaluation import TaskSettings

NEEDING = ("math", "coding", "reasoning")


def with_right_answers(config: RunConfig, own: TaskSettings, rows: list[TaskRow]) -> list[TaskRow]:
    """Return questions with the right answers that judges see, and no others.

    Raises BadData where an answer belongs to several questions, and where a file of references lacks one; where a task has no
    such file, a note counts these.
    """
    asked: list[TurnsOfQuestion] = [row.value for row in rows]
    twice = next((known for known, count in Counter(one.id for one in asked).items() if count > 1), None)
    if twice is not None:
        raise BadData(f"{own.path}.dataset: question_id {twice} occurs twice; give each question one of its own")
    written = _written(config, own)
    found = [one._replace(references=_right(one, written)) for one in asked]
    if own.task.references:
        _refuse_missing(own, [one for one in found if one.category in NEEDING])
    return [row._replace(value=one) for row, one in zip(rows, found, strict=True)]


def _refuse_missing(own: TaskSettings, needing: list[TurnsOfQuestion]) -> None:
    missing = [one.id for one in needing if not one.references]
    if missing:
        raise BadData(
            f"{own.path}.references: it has no answer to {len(missing)} of {len(needing)} questions of math, coding and "
            f"reasoning, such as question_id {missing[0]}; add them, or remove references, and judges grade without them"
        )


def _right(asked: TurnsOfQuestion, written: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    found = (written.get(asked.id) or asked.references) if asked.category in NEEDING else ()
    return found if any(found) else ()


def _written(config: RunConfig, own: TaskSettings) -> dict[str, tuple[str, ...]]:
    """Return the answers of the task's own file of references."""
    found: dict[str, tuple[str, ...]] = {}
    if own.task.references is None:
        return found
    field = f"{own.path}.references"
    for row in find_source(own.task.references, config.paths).rows():
        answer = row.read_as(read_reference, field)
        if answer.id in found:
            raise BadData(f"{row.place}: it is a second answer to question_id {answer.id}; keep one ({field})")
        found[answer.id] = answer.turns
    return found
