"""Multiple choice by likelihood: the model is shown the lettered options, and its choice is the likeliest answer."""

from alignment_api.results.evaluation import EvaluatedRow, Settings

from alignment_trainer.data.tokens import answered_ids
from alignment_trainer.evaluation.likelihood import Item, Text, measure_items
from alignment_trainer.evaluation.measure import Measure, Metric
from alignment_trainer.evaluation.row_file import RowFile
from alignment_trainer.evaluation.subject import Subject
from alignment_trainer.evaluation.tasks import OpenTask
from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.forms.multiple_choice import Choices
from alignment_trainer.synthesis.prompts import alone

ACCURACY, NORMALIZED = "accuracy", "accuracy_normalized"
_METRICS = (Metric(ACCURACY, "Higher", is_main=True), Metric(NORMALIZED, "Higher"))


def _settings(task: OpenTask) -> Settings:
    return {
        "prompt": "the question and its lettered options",
        "answers": "letter and text of each option, without the end token",
        "normalized": "by the characters of the option's text",
    }


def _measure(subject: Subject, task: OpenTask, file: RowFile) -> None:
    choices = {row.place: row.value for row in task.rows}
    items = [Item(row.place, _texts(subject, row.value)) for row in task.rows]

    def evaluated(item: Item, found: list[list[float]]) -> EvaluatedRow:
        return chosen(item.row, choices[item.row], [sum(logps) for logps in found])

    def unread(item: Item, why: str) -> EvaluatedRow:
        return _row(item.row, choices[item.row], None).model_copy(
            update={"scores": dict.fromkeys((ACCURACY, NORMALIZED)), "reason": why}
        )

    measure_items(subject, items, file, evaluated, unread)


def chosen(place: str, choices: Choices, likelihoods: list[float]) -> EvaluatedRow:
    """Return the row of a question, from the log-likelihood of each of its options."""
    options = range(len(choices.texts))
    best = max(options, key=lambda index: likelihoods[index])
    of_sign = max(options, key=lambda index: likelihoods[index] / max(1, len(choices.texts[index])))
    row = _row(place, choices, best)
    scores: dict[str, float | None] = {ACCURACY: float(best == choices.right), NORMALIZED: float(of_sign == choices.right)}
    return row.model_copy(update={"scores": scores, "details": {**row.details, "likelihood": likelihoods[choices.right]}})


def _row(place: str, choices: Choices, best: int | None) -> EvaluatedRow:
    return EvaluatedRow(
        key=alone(choices.asked, place).key,
        row=place,
        prompt=choices.asked,
        answer=None if best is None else choices.answers[best],
        reference=choices.answers[choices.right],
        scores={},
        details={"choices": len(choices.texts)},
    )


def _texts(subject: Subject, choices: Choices) -> list[Text]:
    return [Text(*answered_ids(_dialogue(subject, choices, answer), subject.tokenizer)) for answer in choices.answers]


def _dialogue(subject: Subject, choices: Choices, answer: str) -> Dialogue:
    if subject.tokenizer.chat_template:
        return Dialogue([{"role": "user", "content": choices.asked}], [{"role": "assistant", "content": answer}])
    return Dialogue(f"{choices.asked}\n\nAnswer:", f" {answer}")


MEASURE = Measure(lambda task: _METRICS, _settings, _measure)
