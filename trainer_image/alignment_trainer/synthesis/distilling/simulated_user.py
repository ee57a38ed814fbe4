"""The prompts for a model that asks in the user's place: to open a dialogue about a topic, and to ask on."""

import re
from collections.abc import Iterable

from alignment_trainer.endpoints.question import Message
from alignment_trainer.judging.material import template_hash

_OPEN = """Somebody opens a chat assistant because of this topic:

{topic}

Write the first message that this person sends. It asks for one thing that can be answered in text, in the person's own words, \
and it can be understood by a reader who has not seen the topic. Write only the message."""

_ASK_ON = """Below is a conversation between a person and a chat assistant.

{dialogue}

Write what the person says next: a question that goes deeper, a doubt, or a new request that follows from the last answer. Write \
as the person would, not as the assistant, do not thank or say goodbye, and write only this one message."""

_SPEAKERS = {"system": "Setting", "user": "Person", "assistant": "Assistant"}
_LABEL = re.compile(r"^\s*(?:person|user|human|me)\s*:\s*", re.IGNORECASE)
_QUOTES = {'"': '"', "“": "”", "«": "»", "'": "'"}

OPENING_TEMPLATE = template_hash(_OPEN)
NEXT_TEMPLATE = template_hash(_ASK_ON)


def asked_to_open(topic: str) -> tuple[Message, ...]:
    """Return what the user's model is asked for the first question of a dialogue."""
    return _alone(_OPEN.format(topic=topic.strip()))


def asked_to_go_on(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Return what the user's model is asked for the next question.

    The prompt holds the dialogue in one message of a user: as messages of their own, with the system message of the teacher, they
    would make the model answer as the assistant.
    """
    written = "\n\n".join(f"{_SPEAKERS[message['role']]}: {message['content'].strip()}" for message in messages)
    return _alone(_ASK_ON.format(dialogue=written))


def message_of(reply: str) -> str:
    """Return the message in what a model wrote as the user: without the label and the quotes that some put around it."""
    text = _LABEL.sub("", reply).strip()
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        return text[1:-1].strip()
    return text


def _alone(text: str) -> tuple[Message, ...]:
    return ({"role": "user", "content": text},)
