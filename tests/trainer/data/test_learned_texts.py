"""What is learned of rows in the shapes of public datasets, token by token."""

import pytest
from alignment_trainer.data.tokens import IGNORED, dialogue_tokens
from dialogue_rows import ROWS, TEMPLATE, dialogue_of
from transformers import AutoTokenizer


@pytest.fixture(scope="module")
def tokenizer(workspace):
    loaded = AutoTokenizer.from_pretrained(workspace / "inputs" / "tiny" / "model")
    loaded.chat_template = TEMPLATE
    return loaded


def learned(tokens, end):
    """Split what is learned after each end token."""
    texts, current = [], []
    for label in tokens["labels"]:
        current += [] if label == IGNORED else [label]
        if label == end:
            texts.append(current)
            current = []
    assert not current
    return texts


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_answers_of_a_row_are_learned_each_with_its_end(tokenizer, row):
    tokens, cut = dialogue_tokens(dialogue_of(row.row), tokenizer, assistant_only=True, max_length=512)
    texts = [tokenizer.decode(ids) for ids in learned(tokens, tokenizer.eos_token_id)]
    assert cut is None
    assert texts == [f"{text}{tokenizer.eos_token}" for text in row.learned]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_tools_are_written_before_the_dialogue(tokenizer, row):
    tokens, _ = dialogue_tokens(dialogue_of(row.row), tokenizer, assistant_only=True, max_length=512)
    assert ("Adds two numbers." in tokenizer.decode(tokens["input_ids"])) == (row.dialogue.tools is not None)
