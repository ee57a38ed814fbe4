import re

import pytest
from alignment_trainer.templates.answers import Answers, Unfound
from alignment_trainer.templates.named import CHATML, ZEPHYR
from alignment_trainer.templates.rendering import ChatTemplate
from jinja2 import TemplateError
from template_families import BOS, CONTROL_TOKENS, EOS, FAMILIES, Family, message

SYSTEM = message("system", "Be kind.")
TURNS = [
    message("user", "Who says oink?"),
    message("assistant", "A pig."),
    message("user", "A pig."),
    message("assistant", "Yes, a pig."),
    message("user", "Thanks."),
]
DIALOGUES = {
    "one turn": TURNS[:2],
    "with a system message": [SYSTEM, *TURNS[:2]],
    "two turns": TURNS[:4],
    "the same answer twice": [*TURNS[:2], *TURNS[:2]],
    "a last question without an answer": TURNS,
    "an answer that begins and ends with white space": [*TURNS[:3], message("assistant", "\n  A pig. \n")],
    "an answer that the next question repeats": [*TURNS[:2], message("user", "A pig."), message("assistant", "A pig.")],
    "an answer with a thought": [*TURNS[:3], message("assistant", "<think>\nPigs.\n</think>\n\nA pig.")],
    "an answer in letters of several bytes": [TURNS[0], message("assistant", "Ein Schwein 🐖, чушка")],
}


def found(template, messages, tools=None):
    chat = ChatTemplate(template, {"bos_token": BOS, "eos_token": EOS})
    written = chat.write(messages, tools)
    answers = Answers(chat, CONTROL_TOKENS, EOS).found(messages, tools, written)
    assert [answer.start for answer in answers] == sorted(answer.start for answer in answers)
    return [(answer.message, written.text[answer.start : answer.end]) for answer in answers]


def contents(messages):
    return [each["content"] for each in messages if each["role"] == "assistant"]


def positions(messages):
    return [position for position, each in enumerate(messages) if each["role"] == "assistant"]


@pytest.mark.parametrize("dialogue", DIALOGUES.values(), ids=DIALOGUES)
@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_learned_of_each_family(name, dialogue):
    family = FAMILIES[name]
    if dialogue[0]["role"] == "system" and "no system" in name:
        with pytest.raises(TemplateError, match="System role not supported"):
            found(family.template, dialogue)
        return
    strips = "| trim" in family.template
    texts = [text.strip() if strips else text for text in contents(dialogue)]
    ends_the_dialogue = dialogue[-1]["role"] == "assistant"
    expected = (family if ends_the_dialogue else family._replace(last=family.earlier)).answers(*texts)
    assert found(family.template, dialogue) == list(zip(positions(dialogue), expected, strict=True))


@pytest.mark.parametrize("dialogue", DIALOGUES.values(), ids=DIALOGUES)
@pytest.mark.parametrize(("template", "end"), [(ZEPHYR, "</s>"), (CHATML, "<|im_end|></s>")], ids=["Zephyr", "ChatML"])
def test_marks_give_the_answers_where_a_template_has_them(template, end, dialogue):
    expected = [(position, content + end) for position, content in zip(positions(dialogue), contents(dialogue), strict=True)]
    assert found(template, dialogue) == expected


OPEN = "{% for m in messages %}{{ '<|' + m.role + '|>' }}{% if m.role == 'assistant' %}"
CLOSE = "{% else %}{{ m.content + '<|end|>\n' }}{% endif %}{% endfor %}"
MARKED = {
    "white space after the end": ("{% generation %}{{ m.content + '<|end|>\n' }}{% endgeneration %}", "", ["{}<|end|>"]),
    "two blocks for each answer": (
        "{% generation %}{{ m.content }}{% endgeneration %}{% generation %}{{ '<|end|>\n' }}{% endgeneration %}",
        "",
        ["{}", "<|end|>"],
    ),
    "a block that is empty": ("{% generation %}{% endgeneration %}{% generation %}{{ m.content + '<|end|>' }}{% endgeneration %}",
                              "", ["{}<|end|>"]),
}  # fmt: skip


@pytest.mark.parametrize(("block", "after", "parts"), MARKED.values(), ids=MARKED)
def test_every_block_belongs_to_its_answer(block, after, parts):
    dialogue = DIALOGUES["two turns"]
    expected = [
        (position, part.format(content))
        for position, content in zip(positions(dialogue), contents(dialogue), strict=True)
        for part in parts
    ]
    assert found(OPEN + block + CLOSE + after, dialogue) == expected


def test_a_block_after_all_messages_belongs_to_the_last_answer():
    block = "{% generation %}{{ m.content + '<|end|>\n' }}{% endgeneration %}"
    template = OPEN + block + CLOSE + "{% generation %}{{ eos_token }}{% endgeneration %}"
    dialogue = DIALOGUES["two turns"]
    assert found(template, dialogue) == [(1, "A pig.<|end|>"), (3, "Yes, a pig.<|end|>\n"), (3, "</s>")]


@pytest.mark.parametrize("dialogue", ["one turn", "two turns", "with a system message"])
def test_an_end_token_that_the_marks_leave_out_is_learned(dialogue):
    messages = DIALOGUES[dialogue]
    template = OPEN + "{% generation %}{{ m.content }}{% endgeneration %}{{ '<|end|>\n' }}" + CLOSE
    template += "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    assert found(template, messages) == [
        (position, f"{content}<|end|>") for position, content in zip(positions(messages), contents(messages), strict=True)
    ]


@pytest.mark.parametrize("dialogue", ["one turn", "two turns", "with a system message"])
def test_a_template_that_marks_every_message_is_refused(dialogue):
    block = "{% generation %}{{ m.content + '<|end|>\n' }}{% endgeneration %}"
    template = "{% for m in messages %}{{ '<|' + m.role + '|>' }}" + block + "{% endfor %}"
    with pytest.raises(Unfound, match="also marks messages of others"):
        found(template, DIALOGUES[dialogue])


CALL = {"type": "function", "function": {"name": "sound_of", "arguments": {"animal": "pig"}}}
TOOL = {"type": "function", "function": {"name": "sound_of", "description": "", "parameters": {}}}
CALLED = [
    TURNS[0],
    message("assistant", "", tool_calls=[CALL]),
    message("tool", "oink", name="sound_of"),
    message("assistant", "It says oink."),
]
WITH_TOOLS = (
    "{% if tools %}{{ '<|im_start|>system\n' + tools | tojson + '<|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content }}"
    "{% for call in m.tool_calls or [] %}{{ '<call>' + call.function | tojson + '</call>' }}{% endfor %}"
    "{{ END }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def test_a_call_of_a_tool_is_an_answer():
    template = WITH_TOOLS.replace("END", "'<|im_end|>\n'")
    call = '<call>{"name": "sound_of", "arguments": {"animal": "pig"}}</call><|im_end|>'
    assert found(template, CALLED, [TOOL]) == [(1, call), (3, "It says oink.<|im_end|>")]


def test_a_call_with_another_end_is_refused_because_the_result_would_be_learned():
    template = WITH_TOOLS.replace("END", "'<|eot|>' if m.tool_calls else '<|im_end|>\n'")
    with pytest.raises(Unfound, match=re.escape("does not write message 2 (assistant) as it is, with its end token after it")):
        found(template, CALLED, [TOOL])


DROPS_THOUGHTS = (
    "{% for m in messages %}{% set text = m.content if loop.last else m.content.split('</think>')[-1].lstrip() %}"
    "{{ '<|im_start|>' + m.role + '\n' + text + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def test_an_earlier_answer_that_loses_its_thought_is_refused_and_the_last_one_is_found():
    thoughtful = message("assistant", "<think>\nPigs.\n</think>\n\nA pig.")
    assert found(DROPS_THOUGHTS, [TURNS[0], thoughtful]) == [(1, thoughtful["content"] + "<|im_end|>")]
    with pytest.raises(Unfound, match=re.escape("does not write message 2 (assistant) as it is")):
        found(DROPS_THOUGHTS, [TURNS[0], thoughtful, *TURNS[2:4]])


def test_an_end_token_within_an_answer_is_refused():
    family: Family = FAMILIES["a line break after each end"]
    with pytest.raises(Unfound, match=re.escape("message 2 (assistant)")):
        found(family.template, [TURNS[0], message("assistant", "a<|im_end|>b"), *TURNS[2:4]])
