"""One row of a task as cards."""

from alignment_api.results.rows import RowPair
from alignment_dashboard.facts.word_difference import Piece
from alignment_dashboard.pictures.answers.row_cards import row_columns
from reported import row

PAIR = RowPair(
    row("a", 0.0, answer="one two", details={"category": "math", "cut": None}),
    row("a", None, answer="one three", reason="No verdict.", reference="one two"),
    None,
)


def test_answers_with_their_scores_and_the_reference() -> None:
    first, second, reference = (column[0] for column in row_columns(PAIR, ("base", "dpo"), marks_words=False))
    assert (first.heading, first.note, first.pieces) == ("base", "accuracy 0  ·  category math", (Piece("same", "one two"),))
    assert (second.heading, second.note) == ("dpo", "accuracy no score  ·  No verdict.")
    assert (reference.heading, reference.is_data) == ("reference", True)


def test_words_that_differ_are_marked_if_asked_for() -> None:
    _, second, _ = (column[0] for column in row_columns(PAIR, ("base", "dpo"), marks_words=True))
    assert second.pieces and {piece.kind for piece in second.pieces} == {"same", "added", "removed"}


def test_rows_without_answers_have_no_text() -> None:
    pair = RowPair(row("a", 1.0), row("a", 0.0), -1.0)
    assert [column[0].pieces for column in row_columns(pair, ("base", "dpo"), marks_words=True)] == [None, None]
