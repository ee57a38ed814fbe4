"""Chat templates by name, which mark answers for the loss; the token that ends an answer is part of it."""

import hashlib
import re

ZEPHYR = (
    "{% if bos_token %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}"
    "{% else %}{{ message['content'] + eos_token }}{% endif %}"
    "{{ '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)

CHATML = (
    "{% if bos_token %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}"
    # If the model's end of text is not ChatML's end of message, it learns both, because generation stops at the former.
    "{% generation %}{{ message['content'] + '<|im_end|>' }}"
    "{% if eos_token != '<|im_end|>' %}{{ eos_token }}{% endif %}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}"
    "{{ '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

NAMED = {"Zephyr": ZEPHYR, "ChatML": CHATML}


def template_hash(template: str | None) -> str:
    """Hash a template, so that stages can compare theirs."""
    return hashlib.sha256((template or "").encode()).hexdigest()[:16]


def marks_answers(template: str | None) -> bool:
    """Return whether a chat template marks which part of a dialogue is the answer."""
    return re.search(r"\{%-?\s*generation\s*-?%\}", template or "") is not None
