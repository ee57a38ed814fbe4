"""Reads the answers that a file holds of another system, and joins them with the instructions of a task."""

from typing import NamedTuple

from alignment_api.run_config import RunConfig

from alignment_trainer.data.tasks.outputs import Output, read_output
from alignment_trainer.endpoints.question import Message
from alignment_trainer.evaluation.tasks import TaskRow
from alignment_trainer.failures import BadData
from alignment_trainer.reading.sources import find_source
from alignment_trainer.settings.evaluation import TaskSettings


class Opposed(NamedTuple):
    """An instruction, and what its answers are compared with."""

    messages: tuple[Message, ...]
    output: Output | None
    """None if a model of the job is the opponent."""


def with_outputs(config: RunConfig, own: TaskSettings, rows: list[TaskRow]) -> list[TaskRow]:
    """Return the rows of a task, each with the opponent's answer if a file has these.

    Raises BadData where one is missing: a win rate over what happens to join is that of another set of questions.
    """
    assert own.task.against is not None
    if own.task.against.outputs is None:
        return [row._replace(value=Opposed(row.value.messages, None)) for row in rows]
    known = _known(config, own)
    missing = [row.place for row in rows if _instruction(row) not in known]
    if missing:
        raise BadData(
            f"{own.path}.against.outputs: it has no answer to {len(missing)} of {len(rows)} instructions, such as the one at "
            f"{missing[0]}; rows join by instruction, letter for letter: add answers, or measure only rows that have one"
        )
    return [row._replace(value=Opposed(row.value.messages, known[_instruction(row)])) for row in rows]


def _instruction(row: TaskRow) -> str:
    return str(row.value.messages[-1]["content"]).strip()


def _known(config: RunConfig, own: TaskSettings) -> dict[str, Output]:
    field = f"{own.path}.against.outputs"
    assert own.task.against is not None
    assert own.task.against.outputs is not None
    known: dict[str, Output] = {}
    for row in find_source(own.task.against.outputs, config.paths).rows():
        output = row.read_as(read_output, field)
        earlier = known.setdefault(output.instruction.strip(), output)
        if earlier.text != output.text:
            raise BadData(f"{row.place}: it is another answer to an instruction before it; keep one of each ({field})")
    return known
