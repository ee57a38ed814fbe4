"""What we read of a model's folder is what transformers reads."""

import json
import shutil

import pytest
from alignment_trainer.model_folder.chat_template import read_chat_template
from alignment_trainer.models.tokenizer import control_tokens
from transformers import AutoTokenizer


@pytest.fixture
def folder(workspace, tmp_path):
    shutil.copytree(workspace / "inputs" / "tiny" / "model", tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").unlink()
    return tmp_path / "model"


def change(folder, **settings):
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))


def one_file(folder):
    (folder / "chat_template.jinja").write_text("a file, ü\n")
    change(folder, chat_template="older")


def several_files(folder):
    (folder / "chat_template.jinja").write_text("plain")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text("with tools")


def in_the_settings(folder):
    change(folder, chat_template="written there")


def several_in_the_settings(folder):
    change(folder, chat_template=[{"name": "default", "template": "plain"}, {"name": "rag", "template": "more"}])


def no_template(folder):
    pass


def tokens_with_properties(folder):
    change(folder, bos_token={"__type": "AddedToken", "content": "<s>", "lstrip": False, "special": True})


def more_special_tokens(folder):
    change(folder, extra_special_tokens=["<|user|>"], image_token="<|system|>")


def named_special_tokens(folder):
    change(folder, extra_special_tokens={"image_token": "<|user|>"})


def older_special_tokens(folder):
    change(folder, additional_special_tokens=["<|user|>"])


def no_opening_token(folder):
    change(folder, bos_token=None)


def a_map_of_special_tokens(folder):
    change(folder, pad_token=None)
    (folder / "special_tokens_map.json").write_text(json.dumps({"pad_token": "<pad>", "eos_token": {"content": "</s>"}}))


@pytest.mark.parametrize(
    "written",
    [
        one_file, several_files, in_the_settings, several_in_the_settings, no_template, tokens_with_properties,
        more_special_tokens, named_special_tokens, older_special_tokens, no_opening_token, a_map_of_special_tokens,
    ],
    ids=lambda written: written.__name__,
)  # fmt: skip
def test_the_template_and_the_tokens_are_those_of_transformers(folder, written):
    written(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    read = read_chat_template(folder)
    assert read.source == tokenizer.chat_template
    assert read.special_tokens == tokenizer.special_tokens_map
    assert read.control_tokens == control_tokens(tokenizer)


def test_a_token_that_only_the_class_of_the_tokenizer_knows_is_written_by_its_name(folder):
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({key: value for key, value in json.loads(file.read_text()).items() if key != "eos_token"}))
    read = read_chat_template(folder)
    assert read.special_tokens["eos_token"] == "<eos_token>"
    assert "<eos_token>" in read.control_tokens
