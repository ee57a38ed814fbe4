"""The files of the tokenizer that rows are shown with."""

import re

import pytest
from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.showing.model_files import tokenizer_folder

WHOLE = {"tokenizer.json": '{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}', "tokenizer_config.json": "{}"}


@pytest.mark.parametrize(
    ("damaged", "failure", "said"),
    [
        ({"tokenizer_config.json": "{"}, BadConfiguration, "has a tokenizer_config.json that is not valid JSON (Expecting"),
        ({"tokenizer.json": "[]"}, BadConfiguration, "has a tokenizer.json that is no JSON object; copy the tokenizer's files"),
        ({"tokenizer_config.json": '{"chat_template": 5}'}, BadConfiguration, "has a tokenizer_config.json whose chat_template"),
        (None, BadData, "is not a folder on the workspace volume; copy the model there or correct the path"),
    ],
    ids=["broken settings", "a list", "a number for a template", "no folder"],
)
def test_a_damaged_tokenizer_is_refused_with_the_field_that_names_it(tmp_path, trainer, damaged, failure, said):
    config = trainer.config(tmp_path, model__uri="workspace://inputs/base")
    base = tmp_path / "inputs" / "base"
    if damaged is not None:
        base.mkdir(parents=True)
        for name, text in {**WHOLE, **damaged}.items():
            (base / name).write_text(text)
    with pytest.raises(failure, match=re.escape(f"spec.model.uri: workspace://inputs/base {said}")):
        tokenizer_folder(config)


def test_a_tokenizer_alone_is_enough(tmp_path, trainer):
    base = tmp_path / "inputs" / "base"
    base.mkdir(parents=True)
    for name, text in WHOLE.items():
        (base / name).write_text(text)
    assert tokenizer_folder(trainer.config(tmp_path, model__uri="workspace://inputs/base")) == base
