"""The tokenizer that a stage trains with and publishes: it keeps the model's own chat template."""

import json
import shutil
from pathlib import Path

import pytest
import trl
from alignment_api.names import MANIFEST_FILE
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.models.tokenizer import load_tokenizer
from alignment_trainer.templates.named import CHATML
from alignment_trainer.templates.source import template_hash
from template_families import FAMILIES
from transformers import AutoTokenizer

OWN = {
    "TRL has the same with marks": (Path(trl.__file__).parent / "chat_templates" / "qwen2_5.jinja").read_text(),
    "TRL has another with marks": (Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja").read_text(),
    "without marks": FAMILIES["a line break after each end"].template,
    "with marks": CHATML,
}


@pytest.fixture
def folder(workspace, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(workspace / "inputs" / "tiny" / "model")
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def loaded(folder, needs_answers, chat_template="FromModel"):
    return load_tokenizer(folder, chat_template, needs_answers)


def published(tokenizer, folder):
    """Save a tokenizer as a stage does, with its manifest."""
    tokenizer.save_pretrained(folder / "model")
    (folder / MANIFEST_FILE).write_text(json.dumps({"templateHash": template_hash(tokenizer.chat_template)}))
    return folder / "model"


@pytest.mark.parametrize("own", OWN.values(), ids=OWN)
def test_stages_that_need_the_answers_and_others_publish_the_models_own_template(own, folder, tmp_path):
    (folder / "chat_template.jinja").write_text(own)
    for number, needs_answers in enumerate([False, True, False, True]):
        tokenizer = loaded(folder, needs_answers)
        assert tokenizer.chat_template == own
        folder = published(tokenizer, tmp_path / f"stage-{number}")


def test_a_stage_that_names_another_template_than_the_one_before_is_refused(folder, tmp_path):
    parent = published(loaded(folder, True, "Zephyr"), tmp_path / "stage")
    assert loaded(parent, True, "Zephyr").chat_template == loaded(parent, False).chat_template
    with pytest.raises(BadConfiguration, match="use the same template in all stages"):
        loaded(parent, True, "ChatML")
    shutil.copytree(parent, tmp_path / "alone" / "model")
    assert loaded(tmp_path / "alone" / "model", True, "ChatML").chat_template == CHATML
