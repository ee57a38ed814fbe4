"""The tokens of a prompt are those with which the rows of a stage begin."""

import copy

import pytest
from alignment_trainer.asking.prompts import Prompt
from alignment_trainer.asking.rendering import Rendered, rendered
from alignment_trainer.data.tokens import IGNORED, dialogue_tokens, pair_tokens
from alignment_trainer.forms.examples import Dialogue, Pair
from messages import assistant, system, user


def ids_of(example, tokenizer, answers):
    prompt = Prompt(key="k", stage="sft", prompt=example.prompt, **answers)
    (found,) = rendered([prompt], tokenizer, 128)
    assert isinstance(found, Rendered)
    return found.ids


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ([user("Which is it?")], [assistant("This one.")]),
        ([system("Be short."), user("Which?"), assistant("That."), user("No.")], [assistant("This one.")]),
        ("Which is it? ", "This one."),
    ],
)
def test_a_prompt_begins_as_the_rows_of_both_kinds(tokenizer, prompt, answer):
    dialogue = Dialogue(prompt, answer)
    tokens, _ = dialogue_tokens(dialogue, tokenizer, True, 128)
    learned = next(position for position, label in enumerate(tokens["labels"]) if label != IGNORED)
    assert ids_of(dialogue, tokenizer, {"reference": answer}) == tokens["input_ids"][:learned]
    rejected = "That one." if isinstance(answer, str) else [assistant("That one.")]
    tokens, _ = pair_tokens(Pair(prompt, answer, rejected), tokenizer, 128)
    assert ids_of(dialogue, tokenizer, {"chosen": answer, "rejected": rejected}) == tokens["prompt_ids"]


REFUSES_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{{ m.content }}{{ eos_token }}{% endfor %}"
)


@pytest.mark.parametrize(
    ("messages", "max_length", "reason"),
    [
        ([system("Be short."), user("Which?")], 128, "no system role"),
        ([user("Which </s> is it?")], 128, "control tokens"),
        ([user("Which is it? " * 9)], 16, "more than maxLength 16"),
    ],
)
def test_a_prompt_that_a_stage_cannot_write_has_a_reason(tokenizer, messages, max_length, reason):
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.chat_template = REFUSES_SYSTEM
    bad = Prompt(key="k", stage="sft", prompt=messages, reference=[assistant("This.")])
    good = Prompt(key="l", stage="sft", prompt=[user("Which?")], reference=[assistant("This.")])
    unrendered, fine = rendered([bad, good], tokenizer, max_length)
    assert reason in unrendered.reason
    assert isinstance(fine, Rendered)
