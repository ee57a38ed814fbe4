"""The layout of pairs in a row, written out by hand."""

import pytest
from alignment_trainer.preference.layout import lay_out

FIRST = {"prompt_ids": [10, 11], "chosen_ids": [20, 21, 22], "rejected_ids": [30]}
UNPROMPTED = {"prompt_ids": [], "chosen_ids": [40, 41], "rejected_ids": [50]}
UNANSWERED = {"prompt_ids": [60], "chosen_ids": [], "rejected_ids": [70]}

LAID_OUT = {
    "a pair and one without a prompt": (
        [FIRST, UNPROMPTED],
        {
            "input_ids": [[10, 11, 20, 21, 22, 30, 40, 41, 50]],
            "position_ids": [[0, 1, 2, 3, 4, 2, 0, 1, 0]],
            "segments": [(2, 3, 1), (0, 2, 1)],
            # The prompt's last token predicts the first one of both answers.
            "predicting": [1, 2, 3, 1, 6],
            "targets": [20, 21, 22, 30, 41],
            "counts": [(3, 1), (1, 0)],
            "lengths": [[3, 1], [2, 1]],
            "query_bounds": [0, 5, 6, 8, 9],
            "key_bounds": [0, 5, 8, 10, 11],
            "key_tokens": [0, 1, 2, 3, 4, 0, 1, 5, 6, 7, 8],
            "most_queries": 5,
            "most_keys": 5,
        },
    ),
    "an answer of no token, then another pair": (
        [UNANSWERED, FIRST],
        {
            "input_ids": [[60, 70, 10, 11, 20, 21, 22, 30]],
            "position_ids": [[0, 1, 0, 1, 2, 3, 4, 2]],
            "segments": [(1, 0, 1), (2, 3, 1)],
            "predicting": [0, 3, 4, 5, 3],
            "targets": [70, 20, 21, 22, 30],
            "counts": [(0, 1), (3, 1)],
            "lengths": [[0, 1], [3, 1]],
            "query_bounds": [0, 1, 2, 7, 8],
            "key_bounds": [0, 1, 3, 8, 11],
            "key_tokens": [0, 0, 1, 2, 3, 4, 5, 6, 2, 3, 7],
            "most_queries": 5,
            "most_keys": 5,
        },
    ),
}


@pytest.mark.parametrize("situation", LAID_OUT)
def test_layout(situation):
    pairs, expected = LAID_OUT[situation]
    laid_out = lay_out(pairs)
    assert {name: value.tolist() if hasattr(value, "tolist") else value for name, value in laid_out.items()} == expected


def test_targets_are_the_next_tokens():
    laid_out = lay_out([FIRST, UNPROMPTED])
    ids, positions = laid_out["input_ids"][0], laid_out["position_ids"][0]
    where = [2, 3, 4, 5, 7]
    assert ids[where].tolist() == laid_out["targets"].tolist()
    assert (positions[where] - positions[laid_out["predicting"]]).tolist() == [1] * 5
