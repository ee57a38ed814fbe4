"""Finds the prompt that two answers share, wherever a row repeats it."""

from alignment_trainer.forms.examples import Pair
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.messages import Message, Text
from alignment_trainer.forms.pairs.transcripts import is_open_transcript, prompt_of
from alignment_trainer.reading.bad_row import BadRow


def pair_from(prompt: Text | None, chosen: Text, rejected: Text) -> Pair:
    """Return a pair from a prompt and answers that are texts or messages and may repeat the prompt."""
    if isinstance(chosen, str) and isinstance(rejected, str):
        return _of_texts(prompt, chosen, rejected)
    if isinstance(chosen, list) and isinstance(rejected, list):
        return _of_messages(prompt, chosen, rejected)
    raise BadRow("chosen and rejected must both be texts, or both be lists of messages; make them the same")


def said(prompt: str) -> list[Message]:
    """Return a prompt as messages: one message of the user, or the turns of a transcript."""
    return prompt_of(prompt) if is_open_transcript(prompt) else [{"role": "user", "content": prompt}]


def answered(answer: str) -> list[Message]:
    """Return an answer as messages."""
    return [{"role": "assistant", "content": answer}]


def split_dialogues(chosen: list[Message], rejected: list[Message]) -> Pair:
    """Split whole dialogues where they begin to differ; their last messages are always answers."""
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    if not shared:
        raise BadRow("chosen and rejected do not begin with the same message; add prompt as a list of messages")
    ends = (chosen[shared], rejected[shared], chosen[-1], rejected[-1])
    if any(message["role"] in ("user", "system") for message in ends):
        raise LeftOut("unpaired")
    return Pair(chosen[:shared], chosen[shared:], rejected[shared:])


def _of_texts(prompt: Text | None, chosen: str, rejected: str) -> Pair:
    if prompt is None:
        return _split_texts(chosen, rejected)
    if isinstance(prompt, str) and not is_open_transcript(prompt):
        if _goes_on(prompt, chosen) and _goes_on(prompt, rejected):
            return Pair(prompt, chosen[len(prompt) :], rejected[len(prompt) :])
        return Pair(prompt, chosen, rejected)
    if isinstance(prompt, str):
        return Pair(prompt_of(prompt), answered(chosen.strip()), answered(rejected.strip()))
    return Pair(prompt, answered(chosen), answered(rejected))


def _of_messages(prompt: Text | None, chosen: list[Message], rejected: list[Message]) -> Pair:
    if isinstance(prompt, list):
        return Pair(prompt, _without(prompt, chosen, "chosen"), _without(prompt, rejected, "rejected"))
    if prompt is not None and chosen[0]["role"] == rejected[0]["role"] == "assistant":
        return Pair(said(prompt), chosen, rejected)
    pair = split_dialogues(chosen, rejected)
    if prompt is not None and not _is_said(prompt, pair.prompt):
        raise BadRow(
            "prompt is not a message that chosen and rejected begin with; correct it, or name only chosen and rejected in columns"
        )
    return pair


def _is_said(prompt: str, messages: Text) -> bool:
    """Return whether messages contain a prompt: within one message, or as all turns of a transcript."""
    assert not isinstance(messages, str)
    if is_open_transcript(prompt):
        return prompt_of(prompt) == [{**message, "content": message["content"].strip()} for message in messages]
    return any(message["role"] != "assistant" and prompt.strip() in message["content"] for message in messages)


def _without(prompt: list[Message], answer: list[Message], column: str) -> list[Message]:
    """Return an answer without the prompt that it repeats, with or without the prompt's system message."""
    for repeated in (prompt, [message for message in prompt if message["role"] != "system"]):
        if repeated and len(answer) > len(repeated) and answer[: len(repeated)] == repeated:
            return answer[len(repeated) :]
    if answer[0]["role"] in ("user", "system"):
        role = answer[0]["role"]
        raise BadRow(f"{column} begins with a message of role {role} and does not repeat prompt; begin it with the answer")
    return answer


def _split_texts(chosen: str, rejected: str) -> Pair:
    """Split whole texts after the last word that they share; white space before the answers belongs to them."""
    shorter = min(len(chosen), len(rejected))
    end = next((position for position in range(shorter) if chosen[position] != rejected[position]), shorter)
    while end and (_is_within_word(chosen, end) or _is_within_word(rejected, end)):
        end -= 1
    prompt = chosen[:end].rstrip()
    if not prompt:
        raise BadRow("chosen and rejected do not begin with the same words; add prompt")
    return Pair(prompt, chosen[len(prompt) :], rejected[len(prompt) :])


def _goes_on(prompt: str, text: str) -> bool:
    return bool(prompt) and text.startswith(prompt) and not _is_within_word(text, len(prompt))


def _is_within_word(text: str, position: int) -> bool:
    return 0 < position < len(text) and all(sign.isalnum() or sign == "_" for sign in text[position - 1 : position + 1])
