"""Whether a model's own template can be used: it is valid Jinja, and where the loss needs it, its answers can be found."""

from jinja2 import TemplateError

from alignment_trainer.forms.messages import Message
from alignment_trainer.model_folder.chat_template import Named
from alignment_trainer.templates.answers import Answers, Unfound, shown
from alignment_trainer.templates.rendering import ChatTemplate, Unparsed, Written

_SYSTEM: Message = {"role": "system", "content": "Be brief."}
_TURNS: list[Message] = [
    {"role": "user", "content": "What does a pig say?"},
    {"role": "assistant", "content": "A pig says oink."},
    {"role": "user", "content": "And where does a fox live?"},
    {"role": "assistant", "content": "It lives in a den."},
]
_DIALOGUES = {
    "a question and its answer": _TURNS[:2],
    "a system message, a question and its answer": [_SYSTEM, *_TURNS[:2]],
    "two questions and their answers": _TURNS,
    "a system message, two questions and their answers": [_SYSTEM, *_TURNS],
}


def template_fault(named: Named, needs_answers: bool) -> str | None:
    """Return in a sentence why the template of a model cannot be used, with what to do; None: it can, as far as is known."""
    if named.source is None:
        return None
    try:
        template = ChatTemplate(named.source, named.special_tokens)
    except Unparsed as error:
        return f"the model's own chat template is not valid Jinja ({error}); correct it in the model's folder, or {_NAMED}"
    if not needs_answers:
        return None
    answers = Answers(template, named.control_tokens, named.special_tokens.get("eos_token", ""))
    fault = _unfound(template, answers)
    return fault and f"{fault}, so the answers cannot be distinguished from the rest; {_NAMED}, or set assistantOnlyLoss to false"


_NAMED = "choose Zephyr or ChatML"


def _unfound(template: ChatTemplate, answers: Answers) -> str | None:
    """Try dialogues of a few words; that a template refuses some of them, such as those with a system message, is no fault."""
    refusals = []
    for name, messages in _DIALOGUES.items():
        try:
            _check(template, answers, messages)
        except TemplateError as error:
            refusals.append(error.message)
        except Unfound as error:
            return f"{error} ({name})"
    return (
        f"the chat template does not write a question and its answer ({refusals[0]})"
        if len(refusals) == len(_DIALOGUES)
        else None
    )


def _check(template: ChatTemplate, answers: Answers, messages: list[Message]) -> None:
    written: Written = template.write(messages)
    found = answers.found(messages, None, written)
    for position, message in enumerate(messages):
        parts = "".join(written.text[each.start : each.end] for each in found if each.message == position)
        if message["role"] == "assistant" and message["content"] not in parts:
            raise Unfound(f"the chat template does not mark {shown(messages, position)} as an answer")
