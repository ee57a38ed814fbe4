"""What is learned of pairs, token by token: the prompt up to where the assistant speaks, and each answer up to its end token."""

import pytest
from alignment_trainer.data.tokens import pair_tokens
from pair_rows import CALL, ROWS, pair_of
from transformers import AutoTokenizer


@pytest.fixture(scope="module")
def tokenizer(workspace):
    return AutoTokenizer.from_pretrained(workspace / "inputs" / "tiny" / "model")


def written(messages):
    """Write messages as Zephyr's template does."""
    return "".join(f"<|{message['role']}|>\n{message['content']}</s>\n" for message in messages)


WITHOUT_CALLS = {name: row for name, row in ROWS.items() if row.pair.chosen != [CALL]}


@pytest.mark.parametrize("row", WITHOUT_CALLS.values(), ids=WITHOUT_CALLS)
def test_tokens_of_each_form(tokenizer, row):
    prompt, *answers = row.pair.parts
    if isinstance(prompt, str):
        texts = [prompt, *(f"{answer}</s>" for answer in answers)]
    else:
        opened = f"{tokenizer.bos_token}{written(prompt)}<|assistant|>\n"
        texts = [opened, *(f"{answer['content']}</s>" for (answer,) in answers)]
    expected = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    tokens, cut = pair_tokens(pair_of(row.row), tokenizer, max_length=256)
    assert [tokens[name] for name in ("prompt_ids", "chosen_ids", "rejected_ids")] == expected
    assert cut is None
