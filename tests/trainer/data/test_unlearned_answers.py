"""Answers that a row excludes from the loss, and calls of tools, with every kind of marks."""

import pytest
from alignment_trainer.data.tokens import IGNORED, dialogue_tokens, pair_tokens
from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.templates.named import NAMED
from template_families import CONTROL_TOKENS, FAMILIES, UNFIT, message
from transformers import AutoTokenizer

DIALOGUE = [
    message("user", "What does a pig say?"),
    message("assistant", "It says oink."),
    message("user", "And a cow?"),
    message("assistant", "It says moo."),
    message("user", "And a duck?"),
    message("assistant", "It says quack."),
]
SOUNDS = ("oink", "moo", "quack")
TEMPLATES = {**NAMED, **{name: family.template for name, family in FAMILIES.items()}}


@pytest.fixture
def with_template(workspace):
    def load(template):
        tokenizer = AutoTokenizer.from_pretrained(workspace / "inputs" / "tiny" / "model")
        tokenizer.add_special_tokens({"extra_special_tokens": sorted(CONTROL_TOKENS)})
        tokenizer.chat_template = template
        return tokenizer

    return load


def learned_sounds(tokens, tokenizer):
    text = tokenizer.decode([label for label in tokens["labels"] if label != IGNORED])
    return {sound for sound in SOUNDS if sound in text}


@pytest.mark.parametrize("unlearned", [{1}, {3}, {1, 5}], ids=str)
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_the_other_answers_are_learned(template, unlearned, with_template):
    tokenizer = with_template(template)

    def learned(assistant_only, excluded):
        row = Dialogue(None, DIALOGUE, unlearned=frozenset(excluded))
        tokens, _ = dialogue_tokens(row, tokenizer, assistant_only, 4096)
        sounds = {sound for sound, position in zip(SOUNDS, (1, 3, 5), strict=True) if position not in excluded}
        assert learned_sounds(tokens, tokenizer) == sounds
        return {at for at, label in enumerate(tokens["labels"]) if label != IGNORED}

    answers, whole = learned(True, ()), learned(False, ())
    kept, left_out = learned(True, unlearned), learned(True, {1, 3, 5} - unlearned)
    assert kept | left_out == answers
    assert not kept & left_out
    assert learned(False, unlearned) == whole - left_out


@pytest.mark.parametrize("assistant_only", [True, False])
def test_positions_count_from_the_answer(assistant_only, with_template):
    tokenizer = with_template(NAMED["Zephyr"])
    row = Dialogue(DIALOGUE[:3], DIALOGUE[3:], unlearned=frozenset({0}))
    tokens, _ = dialogue_tokens(row, tokenizer, assistant_only, 4096)
    # Messages of a prompt are never answers that are learned on their own.
    assert learned_sounds(tokens, tokenizer) == ({"quack"} if assistant_only else {"oink", "quack"})


@pytest.mark.parametrize("assistant_only", [True, False])
def test_a_row_that_is_too_long_is_cut_after_an_answer(assistant_only, with_template):
    tokenizer = with_template(NAMED["Zephyr"])
    row = Dialogue(None, DIALOGUE, unlearned=frozenset({1}))
    whole, _ = dialogue_tokens(row, tokenizer, assistant_only, 4096)
    tokens, cut = dialogue_tokens(row, tokenizer, assistant_only, len(whole["input_ids"]) - 4)
    assert cut == "cut"
    length = len(tokens["input_ids"])
    assert (tokens["input_ids"], tokens["labels"]) == (whole["input_ids"][:length], whole["labels"][:length])
    assert tokens["labels"][-1] == tokenizer.eos_token_id
    assert learned_sounds(tokens, tokenizer) == {"moo"}


def test_a_template_in_which_the_answer_is_not_found_is_named_with_what_to_do(with_template):
    tokenizer = with_template(UNFIT["no end token after earlier answers"][0])
    said = r"^the chat template does not write message 2 \(assistant\) as it is, with its end token after it; "
    advice = r"set spec.model.chatTemplate to Zephyr or ChatML, or "
    with pytest.raises(BadRow, match=said + advice + "assistantOnlyLoss to false$"):
        dialogue_tokens(Dialogue(None, DIALOGUE), tokenizer, True, 4096)
    with pytest.raises(BadRow, match=said + advice + "remove the weights of its messages$"):
        dialogue_tokens(Dialogue(None, DIALOGUE, unlearned=frozenset({1})), tokenizer, False, 4096)
    assert dialogue_tokens(Dialogue(None, DIALOGUE), tokenizer, False, 4096)[0]


CALL = {"type": "function", "function": {"name": "sound_of", "arguments": {"animal": "pig"}}}
TOOL = {"type": "function", "function": {"name": "sound_of", "description": "Knows sounds.", "parameters": {}}}
CALLED = [DIALOGUE[0], message("assistant", "", tool_calls=[CALL]), message("tool", "oink", name="sound_of"), DIALOGUE[1]]
WITH_TOOLS = (
    "{% if tools %}{{ '<|im_start|>system\n' + tools | tojson + '<|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content }}"
    "{% for call in m.tool_calls or [] %}{{ '[call]' + call.function | tojson }}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def test_calls_of_tools_are_learned_and_their_results_are_not(with_template):
    tokenizer = with_template(WITH_TOOLS)
    tokens, _ = dialogue_tokens(Dialogue(None, CALLED, [TOOL]), tokenizer, True, 4096)
    assert "Knows sounds." in tokenizer.decode(tokens["input_ids"])
    learned = tokenizer.decode([label for label in tokens["labels"] if label != IGNORED])
    assert learned == '[call]{"name": "sound_of", "arguments": {"animal": "pig"}}<|im_end|>It says oink.<|im_end|>'
    pair, _ = pair_tokens(Pair(CALLED[:1], CALLED[1:2], DIALOGUE[1:2], [TOOL]), tokenizer, 4096)
    assert "Knows sounds." in tokenizer.decode(pair["prompt_ids"])
    assert tokenizer.decode(pair["chosen_ids"]) == learned.partition("It says")[0]


@pytest.mark.parametrize(
    ("messages", "tools", "lost"),
    [
        (DIALOGUE, [TOOL], "tools"),
        (CALLED, None, r"the tool calls of message 2 \(assistant\)"),
    ],
    ids=["tools", "calls"],
)
def test_a_template_that_cannot_write_tools_is_named(messages, tools, lost, with_template):
    tokenizer = with_template(NAMED["ChatML"])
    for assistant_only in (True, False):
        with pytest.raises(BadRow, match=f"^the chat template does not write {lost}, so the model would not see"):
            dialogue_tokens(Dialogue(None, messages, tools), tokenizer, assistant_only, 4096)
    with pytest.raises(BadRow, match=f"^the chat template does not write {lost}"):
        pair_tokens(Pair(messages[:-1], messages[-1:], [message("assistant", "Hm.")], tools), tokenizer, 4096)


def test_a_tokenizer_that_does_not_know_its_characters_is_named(with_template, monkeypatch):
    tokenizer = with_template(NAMED["Zephyr"])
    monkeypatch.setattr(type(tokenizer), "is_fast", property(lambda _: False))
    with pytest.raises(BadRow, match=r"cannot tell which tokens are its answers; add tokenizer.json to the model's folder"):
        dialogue_tokens(Dialogue(None, DIALOGUE), tokenizer, True, 4096)
    assert dialogue_tokens(Dialogue(None, DIALOGUE), tokenizer, False, 4096)[0]
    assert pair_tokens(Pair(DIALOGUE[:1], DIALOGUE[1:2], DIALOGUE[3:4]), tokenizer, 4096)[0]
