import pytest
from alignment_trainer.templates.rendering import ChatTemplate
from alignment_trainer.templates.unwritten import unwritten
from template_families import FAMILIES, message

CALL = {"type": "function", "function": {"name": "sound_of", "arguments": {"animal": "pig"}}}
TOOL = {"type": "function", "function": {"name": "sound_of", "description": "", "parameters": {}}}
QUESTION, ANSWER = message("user", "How does a pig sound?"), message("assistant", "It says oink.")
CALLED = [QUESTION, message("assistant", "Let me look.", tool_calls=[CALL]), message("tool", 'a "sound":\noink'), ANSWER]
PLAIN = "{% for m in messages %}{{ m.content }}{% endfor %}"
CALLS = "{% for m in messages %}{{ m.content | trim }}{{ (m.tool_calls or '') | tojson }}{% endfor %}"
ONLY_THE_LAST_ANSWER = "{% for m in messages %}{{ m.content if m.role == 'user' or loop.last }}{% endfor %}"

SITUATIONS = {
    "all is written": (CALLS + "{{ tools | tojson }}", CALLED, [TOOL], None),
    "white space is trimmed": (CALLS, [message("user", " Hi. \n"), ANSWER], None, None),
    "no tools": (CALLS, CALLED, [TOOL], "tools"),
    "a tool that only the question names": (PLAIN, [message("user", "Call sound_of."), ANSWER], [TOOL], "tools"),
    "only how many tools there are": (CALLS + "{{ tools | length }}", [QUESTION, ANSWER], [TOOL], "tools"),
    "no calls": (PLAIN, CALLED, None, "the tool calls of message 2 (assistant)"),
    "that there is a call, but not which": (
        PLAIN + "{% if messages[1].tool_calls %}call{% endif %}",
        CALLED,
        None,
        "the tool calls of message 2 (assistant)",
    ),
    "either a content or its calls": (
        "{% for m in messages %}{{ m.tool_calls | tojson if m.tool_calls else m.content }}{% endfor %}",
        CALLED,
        None,
        "message 2 (assistant)",
    ),
    "no results of tools": (
        "{% for m in messages if m.role != 'tool' %}{{ m.content }}{{ m.tool_calls | default('') }}{% endfor %}",
        CALLED,
        None,
        "message 3 (tool)",
    ),
    "results as JSON": ("{% for m in messages %}{{ m | tojson }}{% endfor %}", CALLED, None, None),
    "no system message": (
        "{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}",
        [message("system", "Be kind."), QUESTION, ANSWER],
        None,
        "message 1 (system)",
    ),
    "an answer whose words stand in the question": (
        ONLY_THE_LAST_ANSWER,
        [message("user", "Answer Yes or No."), message("assistant", "Yes"), QUESTION, ANSWER],
        None,
        "message 2 (assistant)",
    ),
    "an answer whose words stand in the next question": (
        ONLY_THE_LAST_ANSWER,
        [QUESTION, ANSWER, message("user", "Why do you say: It says oink.?"), message("assistant", "It does.")],
        None,
        "message 2 (assistant)",
    ),
    "a refusal of other contents": (
        "{% for m in messages %}{% if 'oink' not in m.content and not loop.first %}{{ raise_exception('no') }}{% endif %}"
        "{{ m.content }}{% endfor %}",
        [QUESTION, ANSWER],
        None,
        None,
    ),
    "a thought of an earlier answer is dropped, as such templates do": (
        "{% for m in messages %}{{ m.content.split('</think>')[-1] }}{% endfor %}",
        [QUESTION, message("assistant", "<think>hm</think>Oink.")],
        None,
        None,
    ),
}


@pytest.mark.parametrize(("template", "messages", "tools", "lost"), SITUATIONS.values(), ids=SITUATIONS)
def test_what_a_template_does_not_write(template, messages, tools, lost):
    chat = ChatTemplate(template, {})
    assert unwritten(chat, messages, tools, chat.write(messages, tools).text) == lost


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_families_write_all_messages_and_no_tools(family):
    chat = ChatTemplate(family.template, {"bos_token": "<s>", "eos_token": "</s>"})
    dialogue = [QUESTION, ANSWER, QUESTION, ANSWER]
    assert unwritten(chat, dialogue, None, chat.write(dialogue).text) is None
    assert unwritten(chat, dialogue, [TOOL], chat.write(dialogue, [TOOL]).text) == "tools"
