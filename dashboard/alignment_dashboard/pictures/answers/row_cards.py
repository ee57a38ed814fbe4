"""One row of a task as cards: the answers of two models with their scores and what a judge said, and the reference."""

from alignment_api.results.evaluation import EvaluatedRow
from alignment_api.results.rows import RowPair
from alignment_api.results.written import write_number

from alignment_dashboard.facts.word_difference import Piece, difference
from alignment_dashboard.pictures.answers.markup import Answer

_LONGEST_DETAIL = 120


def row_columns(pair: RowPair, models: tuple[str, str], marks_words: bool) -> list[list[Answer]]:
    """Return a column for each model, and one for the reference if there is one."""
    first, second = pair.first, pair.second
    old = first.answer if marks_words else None
    columns = [[_card(first, models[0], None)], [_card(second, models[1], old)]]
    reference = second.reference or first.reference
    if reference:
        columns.append([Answer("reference", "the data's answer", (Piece("same", reference),), is_data=True)])
    return columns


def _card(row: EvaluatedRow, model: str, old: str | None) -> Answer:
    note = "  ·  ".join([*_scores(row), *_details(row), *([row.reason] if row.reason else [])])
    if row.answer is None:
        return Answer(model, note, None)
    return Answer(model, note, (Piece("same", row.answer),) if old is None else difference(old, row.answer))


def _scores(row: EvaluatedRow) -> list[str]:
    return [f"{name} {'no score' if value is None else write_number(value)}" for name, value in row.scores.items()]


def _details(row: EvaluatedRow) -> list[str]:
    texts = (f"{name} {value}" for name, value in row.details.items() if value is not None)
    return [text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]}…" for text in texts]
