"""Reads the answers that a file holds of another system, and joins them with the instructions of a task."""

from alignment_trainer.data.tasks.outputs import Output, read_output
from alignment_trainer.evaluation.tasks import OpenTask
from alignment_trainer.failures import BadData
from alignment_trainer.reading.sources import find_source


def outputs_of(task: OpenTask) -> dict[str, Output]:
    """Return the opponent's answer for each row of a task, by its place; none if a model of the job is the opponent.

    Raises BadData where one is missing: a win rate over what happens to join is that of another set of questions.
    """
    assert task.task.against is not None
    if task.task.against.outputs is None:
        return {}
    known = _known(task)
    asked = {row.place: row.value.messages[-1]["content"].strip() for row in task.rows}
    missing = [place for place, text in asked.items() if text not in known]
    if missing:
        raise BadData(
            f"{task.path}.against.outputs: it has no answer to {len(missing)} of {len(asked)} instructions, such as the one at "
            f"{missing[0]}; rows join by instruction, letter for letter: add answers, or measure only rows that have one"
        )
    return {place: known[text] for place, text in asked.items()}


def _known(task: OpenTask) -> dict[str, Output]:
    field = f"{task.path}.against.outputs"
    assert task.task.against is not None
    assert task.task.against.outputs is not None
    known: dict[str, Output] = {}
    for row in find_source(task.task.against.outputs, task.config.paths).rows():
        output = row.read_as(read_output, field)
        earlier = known.setdefault(output.instruction.strip(), output)
        if earlier.text != output.text:
            raise BadData(f"{row.place}: it is another answer to an instruction before it; keep one of each ({field})")
    return known
