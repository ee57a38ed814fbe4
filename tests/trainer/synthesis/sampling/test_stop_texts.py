"""Where answers end that a text ends: at the token with which it is complete, whatever tokens it is made of."""

import re

import pytest
import torch
from alignment_trainer.evaluation.programs.assembly import NEXT
from alignment_trainer.models.tokenizer import load_tokenizer
from alignment_trainer.synthesis.sampling.stop_texts import StopTexts


@pytest.fixture(scope="module")
def tokenizer(workspace):
    return load_tokenizer(workspace / "inputs/tiny/model", "Model", needs_answers=False)


@pytest.mark.parametrize(
    ("prompt", "written", "read"),
    [
        ("def one():\n", "    return 1\n\ndef two():\n    return 2", "    return 1\n\ndef"),
        ("def one():\n", "    return 1\nprint(one())", "    return 1\nprint"),
        ("def one():\n", "    # one\n    return 1\n# two", "    # one\n    return 1\n#"),
        ("x = 1\n\ndef one():\n", "    return 1", None),
        ("def one():\n", "def one():\n    return 1", None),
    ],
    ids=["a function", "a call", "a comment", "only in the prompt", "half of it in the prompt"],
)
def test_an_answer_ends_with_the_token_that_completes_the_text(tokenizer, prompt, written, read):
    before, made = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, written))
    stops = StopTexts(tokenizer, [NEXT, None], len(before))
    ended = []
    for length in range(1, len(made) + 1):
        # The second row has no text at which it ends.
        ended.append(stops(torch.tensor([before + made[:length]] * 2), torch.empty(0)).tolist())
    (length, other) = stops.lengths
    assert other is None and not any(second for _, second in ended)
    assert (None if length is None else tokenizer.decode(made[:length])) == read
    assert [first for first, _ in ended] == [length is not None and at >= length for at in range(1, len(made) + 1)]


def test_a_text_of_another_row_ends_none(tokenizer):
    stops = StopTexts(tokenizer, [re.compile("a"), re.compile("b")], 0)
    (a,), (c,) = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in "ac")
    assert stops(torch.tensor([[c], [a]]), torch.empty(0)).tolist() == [False, False]
