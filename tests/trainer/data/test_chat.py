"""The tokens at which the samples of training end, for each way in which a template ends an answer."""

import pytest
from alignment_trainer.data.chat import end_ids
from alignment_trainer.templates.named import CHATML, ZEPHYR
from template_families import FAMILIES, UNFIT
from transformers import AutoTokenizer

ENDS = {
    "no template": (None, ["</s>"]),
    "Zephyr": (ZEPHYR, ["</s>"]),
    "ChatML": (CHATML, ["<|im_end|>", "</s>"]),
    "another token": (FAMILIES["headers around each role"].template, ["<|eot|>", "</s>"]),
    "a space before it": (FAMILIES["a space before the end, and each turn is a text"].template, ["</s>"]),
    "no end token": (UNFIT["no end token"][0], ["</s>"]),
    "only a name that is not default": ({"rag": ZEPHYR}, ["</s>"]),
}


@pytest.mark.parametrize(("template", "ends"), ENDS.values(), ids=ENDS)
def test_where_a_sample_ends(workspace, template, ends):
    tokenizer = AutoTokenizer.from_pretrained(workspace / "inputs" / "tiny" / "model")
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_end|>", "<|eot|>"]})
    tokenizer.chat_template = template
    assert end_ids(tokenizer) == sorted(map(tokenizer.convert_tokens_to_ids, ends))
