"""What transformers writes for a dialogue, we write; and what its generation blocks write, we know."""

from datetime import datetime
from pathlib import Path

import pytest
import trl
from alignment_trainer.templates.named import NAMED
from alignment_trainer.templates.rendering import ChatTemplate, Unparsed
from jinja2 import TemplateError
from jinja2.exceptions import SecurityError
from template_families import FAMILIES, UNFIT, message
from transformers.utils.chat_template_utils import render_jinja_template

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "image_token": "<image>"}
CALL = {"type": "function", "id": "abcdefghi", "function": {"name": "sound_of", "arguments": {"animal": "pig <&> 'ü'"}}}
TOOL = {
    "type": "function",
    "function": {
        "name": "sound_of",
        "description": "Says <what> an animal's sound is & more.",
        "parameters": {
            "type": "object",
            "properties": {"animal": {"type": "string", "description": "ü"}},
            "required": ["animal"],
        },
    },
}
TURNS = [
    message("user", " Who says oink? 🐖\n"),
    message("assistant", "<think>\nhm\n</think>\n\nA pig.  "),
    message("user", "Sure?"),
    message("assistant", "Yes."),
]
CALLED = [
    message("user", "How does a pig sound?"),
    message("assistant", "", tool_calls=[CALL]),
    message("tool", '{"sound": "oink"}', name="sound_of", tool_call_id="abcdefghi"),
    message("assistant", "It says oink.", refusal=None),
]
DIALOGUES = {
    "turns": (TURNS, None, False),
    "the next answer is opened": (TURNS[:3], None, True),
    "system": ([message("system", "Be kind."), *TURNS], None, False),
    "tools": (CALLED, [TOOL], False),
    "tools that are not called": (TURNS, [TOOL], False),
    "an unknown role": ([message("critic", "Bad."), *TURNS], None, False),
    "two questions": ([TURNS[0], *TURNS], None, False),
}
TRLS = {path.stem: path.read_text() for path in sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))}
OURS = {
    **{name: family.template for name, family in FAMILIES.items()},
    **{name: template for name, (template, _) in UNFIT.items()},
    **NAMED,
}
CORNERS = {
    "blocks are trimmed": "  {% for m in messages %}\n    {%- if 1 %}\n  {{ m.content }}\n  {% endif %}\n  {% endfor %}\nend\n",
    "break and continue": "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}"
    "{{ m.role }}{% break %}{% endfor %}",
    "json": "{{ messages | tojson }}{{ tools | tojson(indent=2) }}"
    "{{ messages[0] | tojson(separators=('', '='), sort_keys=true) }}",
    "json in ASCII": "{{ messages | tojson(ensure_ascii=true) }}",
    "dict": "{{ dict(a=1, **{'b': 2}) }}{{ dict.fromkeys('ab', 0) }}",
    "dict has no more": "{{ dict.update }}|{{ dict.__class__ }}",
    "namespace": "{% set ns = namespace(n=0, self=1) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
    "namespace keeps out of the sandbox": "{% set ns = namespace(_private=1) %}{{ ns }}",
    "namespace keeps out of the sandbox later too": "{% set ns = namespace(n=0) %}{% set ns._private = 1 %}{{ ns }}",
    "attributes of Python": "{{ messages.__class__.__mro__ }}",
    "messages stay": "{{ messages.append(1) }}",
    "an error of Python": "{{ messages[0].content + 1 }}",
    "an unknown name": "{{ nothing }}|{{ documents }}|{{ add_generation_prompt }}",
    "part of an unknown name": "{{ nothing.more }}",
    "a refusal": "{{ raise_exception('never') }}",
    "special tokens": "{{ bos_token ~ eos_token ~ unk_token ~ image_token }}",
    "generation within a loop, a condition and a macro": "{% macro say(m) %}{% generation %}{{ m.content }}{% endgeneration %}"
    "{% endmacro %}{% for m in messages %}a{% generation %}{% if m.content %}{{ m.content }}b{% endif %}{% endgeneration %}"
    "{{ m.role }}{% endfor %}{{ say(messages[0]) }}",
    "generation within set": "{% set x %}{% generation %}ab{% endgeneration %}{% endset %}c{{ x }}",
}


def theirs(template, messages, tools, opens_answer):
    kept = [{key: value for key, value in each.items() if value is not None} for each in messages]
    given = {"tools": tools, "add_generation_prompt": opens_answer, "chat_template": template, **SPECIAL}
    (text,), _ = render_jinja_template([kept], **given)
    (marked,), (blocks,) = render_jinja_template([kept], return_assistant_tokens_mask=True, **given)
    assert marked == text
    return text, tuple(block for block in blocks if block[0] < block[1])


@pytest.mark.parametrize("template", [*TRLS.values(), *OURS.values(), *CORNERS.values()], ids=[*TRLS, *OURS, *CORNERS])
def test_the_text_is_that_of_transformers(template):
    ours = ChatTemplate(template, SPECIAL)
    for name, dialogue in DIALOGUES.items():
        try:
            expected = theirs(template, *dialogue)
        except Exception as refusal:
            with pytest.raises(TemplateError) as refused:
                ours.write(*dialogue)
            # The sandbox of transformers has its own words.
            assert str(refusal) in str(refused.value) or isinstance(refusal, SecurityError), name
        else:
            assert ours.write(*dialogue) == expected, name


def test_the_date_is_todays():
    template = "{{ strftime_now('%d %B %Y') }}"
    before = datetime.now()
    assert ChatTemplate(template, {}).write(TURNS).text in {f"{day:%d %B %Y}" for day in (before, datetime.now())}


@pytest.mark.parametrize(("tools", "written"), [(None, "plain"), ([TOOL], "with tools")], ids=["without tools", "with tools"])
def test_of_several_templates_the_one_for_tools_is_taken_where_there_are_tools(tools, written):
    assert ChatTemplate({"default": "plain", "tool_use": "with tools"}, {}).write(TURNS, tools).text == written
    assert ChatTemplate({"default": "plain", "rag": "more"}, {}).write(TURNS, tools).text == "plain"


def test_a_template_without_an_end_is_refused_with_its_line():
    with pytest.raises(Unparsed, match=r"^line 2: Unexpected end of template"):
        ChatTemplate("{% for m in messages %}\n{{ m.content }}\n", {})
