"""Our tokens are TRL's, without the white space that a template writes after the end token of an answer."""

import re
from pathlib import Path
from types import SimpleNamespace

import datasets
import pytest
import trl
from alignment_trainer.data.tokens import IGNORED, dialogue_tokens, pair_tokens
from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.templates.named import NAMED
from template_families import CONTROL_TOKENS, FAMILIES, message
from transformers import AutoTokenizer

TRLS = {
    path.stem: path.read_text()
    for path in sorted((Path(trl.__file__).parent / "chat_templates").glob("*_training.jinja"))
    # Of vision models, whose messages have parts.
    if path.stem.partition("_training")[0] not in ("idefics3", "llava_next", "smolvlm")
}
MARKED = {**NAMED, **TRLS}
QUESTION, ANSWER = message("user", "What does a pig say?"), message("assistant", "Oink, says a pig.")
DIALOGUE = [QUESTION, ANSWER, message("user", "And a cow?"), message("assistant", "Moo.")]
PAIRS = [
    {"prompt": [QUESTION], "chosen": [ANSWER], "rejected": [message("assistant", "No idea.")]},
    {"prompt": DIALOGUE[:3], "chosen": DIALOGUE[3:], "rejected": [message("assistant", "Quack, \n\nI think.")]},
]


@pytest.fixture(scope="module")
def with_template(workspace):
    """Return a function that gives a template its tokenizer, which knows the template's control tokens."""

    def load(template):
        tokenizer = AutoTokenizer.from_pretrained(workspace / "inputs" / "tiny" / "model")
        words = re.findall(r"<[|｜]?[\w▁]+[|｜]?>|<[|]?turn[|]?>", template)
        tokenizer.add_special_tokens({"extra_special_tokens": sorted({*words, *CONTROL_TOKENS} - {"<think>"})})
        tokenizer.chat_template = template
        return tokenizer

    return load


def is_end_of(ids, longer, tokenizer):
    return longer[: len(ids)] == ids and not tokenizer.decode(longer[len(ids) :]).strip()


@pytest.mark.parametrize("template", MARKED.values(), ids=MARKED)
def test_dialogues(template, with_template):
    tokenizer = with_template(template)
    theirs = tokenizer.apply_chat_template(DIALOGUE, return_dict=True, return_assistant_tokens_mask=True)
    ours, _ = dialogue_tokens(Dialogue(None, DIALOGUE), tokenizer, True, 4096)
    assert ours["input_ids"] == theirs["input_ids"]
    learned = [label != IGNORED for label in ours["labels"]]
    for token, mark, is_learned in zip(ours["input_ids"], theirs["assistant_masks"], learned, strict=True):
        assert is_learned == bool(mark) or (mark and not tokenizer.decode([token]).strip())
    ends = [at for at, each in enumerate(learned) if each and not any(learned[at + 1 : at + 2])]
    assert all(tokenizer.decode([ours["input_ids"][at]]).strip() for at in ends)


@pytest.mark.parametrize("template", [*MARKED.values(), *(each.template for each in FAMILIES.values())], ids=[*MARKED, *FAMILIES])
def test_pairs(template, with_template):
    tokenizer = with_template(template)
    prepared = trl.DPOTrainer._prepare_dataset(
        SimpleNamespace(_tokenizer=tokenizer),
        datasets.Dataset.from_list(PAIRS),
        tokenizer,
        SimpleNamespace(dataset_num_proc=None, max_length=None, truncation_mode="keep_start"),
        "train",
    )
    for row, theirs in zip(PAIRS, prepared, strict=True):
        ours, _ = pair_tokens(Pair(**row), tokenizer, 4096)
        assert ours["prompt_ids"] == theirs["prompt_ids"]
        for name in ("chosen_ids", "rejected_ids"):
            assert is_end_of(ours[name], theirs[name], tokenizer)
            assert tokenizer.decode(ours[name][-1:]).strip()
