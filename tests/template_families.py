"""Chat templates as the families of models have them, none with marks, each written for these tests; and what the answers are."""

from typing import Any, NamedTuple

BOS, EOS = "<s>", "</s>"
CONTROL_TOKENS = frozenset(
    ("<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|head|>", "<|eoh|>", "<|eot|>", "<turn>", "</turn>", "<|user|>", "<|end|>")
)


class Family(NamedTuple):
    """A template, and what it writes for an answer that is followed by other messages, and for the last one."""

    template: str
    earlier: str
    last: str
    opening: str = ""
    """What the template writes to open an answer, where an answer may begin with the same."""

    def answers(self, *contents: str) -> list[str]:
        """Return what is learned of a dialogue with these answers."""
        begun = [content.removeprefix(self.opening) for content in contents]
        return [*(self.earlier.format(content) for content in begun[:-1]), self.last.format(begun[-1])]


def _family(template: str, answer: str, last: str | None = None, opening: str = "") -> Family:
    return Family(template, answer, last or answer, opening)


FAMILIES = {
    "headers around each role": _family(
        "{{ bos_token }}{% for m in messages %}"
        "{{ '<|head|>' + m.role + '<|eoh|>\n\n' + m.content | trim + '<|eot|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|head|>assistant<|eoh|>\n\n' }}{% endif %}",
        "{}<|eot|>",
    ),
    "a line break after each end": _family(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        "{}<|im_end|>",
    ),
    "other names of roles, and no system": _family(
        "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
        "{% for m in messages %}{% set role = 'model' if m.role == 'assistant' else m.role %}"
        "{{ '<turn>' + role + '\n' + m.content | trim + '</turn>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<turn>model\n' }}{% endif %}",
        "{}</turn>",
    ),
    "questions in brackets": _family(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{{ ' ' + m.content + eos_token }}"
        "{% else %}{{ '[INST] ' + m.content + ' [/INST]' }}{% endif %}{% endfor %}",
        " {}</s>",
    ),
    "a space before the end, and each turn is a text": _family(
        "{% for m in messages %}{% if m.role == 'assistant' %}{{ ' ' + m.content | trim + ' ' + eos_token }}"
        "{% else %}{{ bos_token + '[INST] ' + m.content + ' [/INST]' }}{% endif %}{% endfor %}",
        " {} </s>",
    ),
    "names in words": _family(
        "{% for m in messages %}{{ m.role | capitalize + ': ' + m.content }}"
        "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
        " {}</s>",
    ),
    "one more end after the last message": _family(
        "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
        "{}<|end|>",
        "{}<|end|>\n</s>",
    ),
    "the end of all texts after each end": _family(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}"
        "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        "{}<|im_end|></s>",
    ),
    "a thought is opened for the model, but not written": _family(
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|><think>\n' }}{% endif %}",
        "{}<|end|>",
        opening="<think>\n",
    ),
    "an empty thought in the last turn only": _family(
        "{% set ns = namespace(last=-1) %}{% for m in messages %}"
        "{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}"
        "{% endfor %}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
        "{% if m.role == 'assistant' and loop.index0 > ns.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
        "{{ m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        "{}<|im_end|>",
        "<think>\n\n</think>\n\n{}<|im_end|>",
    ),
    "no text that opens an answer": _family(
        "{% for m in messages %}{{ m.role + ': ' + m.content + eos_token }}{% endfor %}",
        "assistant: {}</s>",
    ),
    "the system message in the first question": _family(
        "{% if messages[0].role == 'system' %}{% set system = messages[0].content + '\n\n' %}{% set turns = messages[1:] %}"
        "{% else %}{% set system = '' %}{% set turns = messages %}{% endif %}"
        "{% for m in turns %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}"
        "{% endif %}{{ '<turn>' + m.role + '\n' + (system if loop.first else '') + m.content + '</turn>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<turn>assistant\n' }}{% endif %}",
        "{}</turn>",
    ),
    "the first message is written again before the last question": _family(
        "{% for m in messages %}{% if m.role == 'user' and loop.revindex0 < 2 %}{{ '(' + messages[0].content + ')' }}{% endif %}"
        "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        "{}<|im_end|>",
    ),
}

UNFIT: dict[str, tuple[str, str]] = {
    "no end token": (
        "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}",
        "the chat template writes no end token after an answer (a question and its answer)",
    ),
    "no end token after earlier answers": (
        "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}{{ eos_token }}",
        "the chat template does not write message 2 (assistant) as it is, with its end token after it "
        "(two questions and their answers)",
    ),
    "another end token after earlier answers": (
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + ('<|end|>' if loop.last else '<|eot|>') }}{% endfor %}",
        "the chat template does not write message 2 (assistant) as it is, with its end token after it "
        "(two questions and their answers)",
    ),
    "only the beginning of an answer": (
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content[:9] + '<|end|>' }}{% endfor %}",
        "the chat template does not write a question and its answer (a question and its answer)",
    ),
    "earlier answers are shortened": (
        "{% for m in messages %}{{ '<|' + m.role + '|>' + "
        "(m.content[:9] if m.role == 'assistant' and not loop.last else m.content) + '<|end|>' }}{% endfor %}",
        "the chat template does not write message 2 (assistant) as it is, with its end token after it "
        "(two questions and their answers)",
    ),
    "no answers at all": (
        "{% for m in messages if m.role == 'user' %}{{ m.content + eos_token }}{% endfor %}",
        "the chat template does not write a question and its answer (a question and its answer)",
    ),
    "the last answer first": (
        "{% for m in messages | reverse %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}",
        "the chat template does not write the answers one after another (two questions and their answers)",
    ),
    "fails on every dialogue": (
        "{{ raise_exception('documents are needed') }}",
        "the chat template does not write a question and its answer (documents are needed)",
    ),
}
"""Templates that are refused, and the sentence that names them."""


def message(role: str, content: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}
