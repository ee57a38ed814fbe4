"""Which tokens of which rows a written model is compared on."""

import json

import pytest
from alignment_api.spec.data import Dataset
from alignment_trainer.exporting.texts import first_tokens, texts_of
from alignment_trainer.models.tokenizer import load_tokenizer
from exports import export_config

MESSAGES = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
ROWS = [{"messages": MESSAGES}, {"text": ""}, {"text": "A fox."}, {"text": "A fox lives in a den."}]


@pytest.fixture(scope="module")
def tokenizer(workspace):
    return load_tokenizer(workspace / "inputs/tiny/model", "Model", needs_answers=False)


@pytest.fixture
def texts(tmp_path, tokenizer):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    dataset = Dataset(uri="workspace://rows.jsonl")
    return list(texts_of(export_config(tmp_path), dataset, "field", 0, tokenizer, 64))


def counted(tokenizer, text):
    return tokenizer.decode([token for token, counts in zip(text.ids, text.measured, strict=True) if counts])


def test_answers_count_and_texts_but_for_their_first_token(texts, tokenizer):
    assert [counted(tokenizer, text).strip() for text in texts[:1]] == ["So.</s>"]
    assert [text.measured for text in texts[1:]] == [[False, *[True] * (len(text.ids) - 1)] for text in texts[1:]]
    assert [text.opening for text in texts] == [MESSAGES[:1], [], []]


def test_the_last_row_is_cut_to_the_wanted_number(texts):
    most = texts[0].tokens + texts[1].tokens + 2
    found = first_tokens(iter(texts), most)
    assert sum(text.tokens for text in found) == most
    assert found[:2] == texts[:2]
    assert found[2].ids == texts[2].ids[: len(found[2].ids)]
    assert first_tokens(iter(texts), 10_000) == texts
