"""Our tokens are TRL's, without the white space that a template writes after the end token of an answer."""

import re
from pathlib import Path
from types import SimpleNamespace

import datasets
import pytest
import trl
from alignment_trainer.data.tokens import IGNORED, dialogue_tokens, pair_tokens
from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.reading.bad_row import BadRow
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
OWN = {
    name: (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text()
    for name in (stem.removesuffix("_training") for stem in TRLS)
}
"""The templates of the models themselves, without marks."""
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


def learned_of(dialogue, tokenizer):
    tokens, _ = dialogue_tokens(Dialogue(None, dialogue), tokenizer, True, 4096)
    return tokens["input_ids"], [label != IGNORED for label in tokens["labels"]]


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("dialogue", [DIALOGUE[:2], DIALOGUE], ids=["one turn", "two turns"])
def test_a_models_own_template_writes_what_is_learned(name, dialogue, with_template):
    tokenizer = with_template(OWN[name])
    if name == "glm4moe":
        # Each answer ends where the next question opens; TRL's template ends the last one with the opening of a question.
        with pytest.raises(BadRow, match="the chat template writes no end token after an answer"):
            learned_of(dialogue, tokenizer)
        return
    ids, learned = learned_of(dialogue, tokenizer)
    assert ids == tokenizer.apply_chat_template(dialogue, return_dict=True)["input_ids"]
    marked_ids, marked = learned_of(dialogue, with_template(TRLS[f"{name}_training"]))
    # What differs is an empty thought, which TRL's templates write into every answer, and the model's into the last one.
    assert (learned == marked) if ids == marked_ids else (len(ids) < len(marked_ids) and len(dialogue) > 2)
    text = tokenizer.decode([token for token, each in zip(ids, learned, strict=True) if each])
    assert all(answer["content"].split("\n")[0] in text for answer in dialogue[1::2])
    assert not any(question["content"] in text for question in dialogue[::2])


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
