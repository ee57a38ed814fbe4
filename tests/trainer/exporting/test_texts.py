"""Which tokens of which rows a written model is compared on."""

import json

import pytest
from alignment_api.spec.data import Dataset
from alignment_trainer.exporting.texts import calibration, first_tokens, texts_of
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.models.tokenizer import load_tokenizer
from alignment_trainer.settings.export import export_settings
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


def calibrating(root, tokenizer, model, rows, seed=0, **dataset):
    (root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = export_config(
        root, quantization="GPTQ", calibration={"uri": "workspace://rows.jsonl", **dataset}, proof=None, seed=seed
    )
    found = calibration(config, export_settings(config), tokenizer, model)
    return [tokenizer.decode(text.ids, skip_special_tokens=True).strip() for text in found]


def test_weights_are_rounded_by_rows_that_the_seed_draws(tmp_path, tokenizer, workspace):
    model = workspace / "inputs/tiny/model"
    rows = [{"text": f"A fox {number}."} for number in range(600)]
    found = calibrating(tmp_path, tokenizer, model, rows)
    assert len(found) == len(set(found)) == 512
    assert found == calibrating(tmp_path, tokenizer, model, rows) != calibrating(tmp_path, tokenizer, model, rows, seed=1)
    assert len(calibrating(tmp_path, tokenizer, model, rows, maxExamples=20)) == 20
    assert calibrating(tmp_path, tokenizer, model, rows[:3]) == ["A fox 0.", "A fox 1.", "A fox 2."]


def test_a_text_is_cut_to_what_the_model_can_read(tmp_path, tokenizer, workspace):
    model, long = workspace / "inputs/tiny/model", {"text": "A fox lives in a den. " * 400}
    (whole,) = calibrating(tmp_path, tokenizer, model, [long])
    described = json.loads((model / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**described, "max_position_embeddings": 32}))
    (cut,) = calibrating(tmp_path, tokenizer, tmp_path, [long])
    assert [len(tokenizer(text)["input_ids"]) for text in (whole, cut)] == [512, 32]


def test_without_a_text_nothing_can_be_rounded(tmp_path, tokenizer, workspace):
    with pytest.raises(BadConfiguration, match=r"export.calibration: workspace://rows.jsonl has no text; name a dataset with"):
        calibrating(tmp_path, tokenizer, workspace / "inputs/tiny/model", [{"text": ""}])
