"""Log-probabilities in batches: which texts are computed together, and that this changes nothing."""

import pytest
from alignment_api.results.evaluation import EvaluatedRow
from alignment_trainer.evaluation import likelihood
from alignment_trainer.evaluation.likelihood import Item, Text, measure_items
from alignment_trainer.evaluation.row_file import RowFile

ITEMS = [Item(f"row {n}", [Text([5, *range(6, 8 + n % 7)], 1), Text([5, 9, 7], 2)]) for n in range(20)]


def unread(item, why):
    return EvaluatedRow(key=item.row, row=item.row, prompt="", scores={}, reason=why)


def measured(subject, stage):
    """Return the log-probabilities of each row, and the number of texts of each call of the model."""
    calls = []

    def evaluated(item, found):
        values = {f"{text}": sum(logps) for text, logps in enumerate(found)}
        return EvaluatedRow(key=item.row, row=item.row, prompt="", scores=values)

    original = likelihood.log_probabilities
    with pytest.MonkeyPatch.context() as patch, RowFile(stage, "task", "model") as file:
        patch.setattr(likelihood, "log_probabilities", lambda given, texts: calls.append(len(texts)) or original(given, texts))
        measure_items(subject, ITEMS, file, evaluated, unread)
        return {row.row: row.scores for row in file.read()}, calls


def test_exact_is_one_row_at_a_time_and_batches_change_nothing(subject, tmp_path):
    together, calls = measured(subject, tmp_path / "together")
    alone, single = measured(subject._replace(exact=True), tmp_path / "alone")
    assert (calls, single) == ([32, 8], [2] * len(ITEMS))
    assert set(together) == set(alone) == {item.row for item in ITEMS}
    for row, scores in alone.items():
        assert together[row] == pytest.approx(scores, rel=1e-4)


def test_rows_that_are_too_long_have_one_reason_whatever_their_length(subject, tmp_path):
    """A stage that fails counts them by it."""
    items = [Item(f"row {n}", [Text([5] * (600 + n), 1)]) for n in range(3)]
    with RowFile(tmp_path, "task", "model") as file:
        measure_items(subject, items, file, lambda *_: pytest.fail("none fits"), unread)
        rows = file.read()
    assert {row.reason for row in rows} == {"it has more tokens than the 512 that the model reads"}
    assert [row.details["tokens"] for row in rows] == [600, 601, 602]


def test_known_rows_are_left_out_of_their_batches_and_the_others_stay_together(subject, tmp_path):
    """In 16 bit batch mates may decide a digit, but a row that is measured is never computed again."""
    whole, _ = measured(subject, tmp_path / "stage")
    file = next((tmp_path / "stage").rglob("process-0.jsonl"))
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:3]) + b'{"key": "torn')
    again, calls = measured(subject, tmp_path / "stage")
    assert again == whole and calls == [26, 8]
