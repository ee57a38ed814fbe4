"""Turns rows into token ids and labels."""

from bisect import bisect_right
from typing import Any, NamedTuple

from alignment_trainer.data.chat import chat_of, end_ids
from alignment_trainer.data.fitting import Cut, fitted, shortened_first_answer, without_head
from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.forms.messages import Message, Text
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.templates.answers import Answer

IGNORED = -100

_SILENT = {"verbose": False}
"""No warnings about texts longer than the model's limit, because they are cut here."""

Tokens = dict[str, list[int]]
UNCUT = 1 << 40
"""As the longest length: nothing is cut."""


class _Encoded(NamedTuple):
    """A row as tokens."""

    ids: list[int]
    in_answer: list[bool]
    """Whether a token belongs to an answer; a row that is too long is cut after one."""
    is_learned: list[bool]


def dialogue_tokens(
    dialogue: Dialogue, tokenizer: Any, assistant_only: bool, max_length: int
) -> tuple[Tokens | None, Cut | None]:
    """Return ids and labels, or None if nothing is left to learn, and what was cut off."""
    if dialogue.prompt is None and not assistant_only and not dialogue.unlearned:
        ids, cut = _whole_turns(dialogue, tokenizer, max_length)
        return {"input_ids": ids, "labels": ids}, cut
    row = _encoded(dialogue, tokenizer, assistant_only)
    labels = [token if learned else IGNORED for token, learned in zip(row.ids, row.is_learned, strict=True)]
    kept, cut = fitted(row.ids, row.in_answer, max_length, tokenizer.bos_token_id)
    ids = row.ids
    if cut:
        ids, labels = [ids[position] for position in kept], [labels[position] for position in kept]
    if all(label == IGNORED for label in labels):
        return None, cut
    return {"input_ids": ids, "labels": labels}, cut


def pair_tokens(pair: Pair, tokenizer: Any, max_length: int) -> tuple[Tokens | None, Cut | None]:
    """Return the ids of prompt and both answers, and what was cut off."""
    prompt = prompt_ids(pair, tokenizer)
    chosen = _ids_to_the_end(pair, pair.chosen, tokenizer)
    rejected = _ids_to_the_end(pair, pair.rejected, tokenizer)
    # The prompt may end within a token; the answers start at the first token that differs from the prompt.
    shared = min(_common_prefix(prompt, chosen), _common_prefix(prompt, rejected))
    longest = max(len(chosen), len(rejected)) - shared
    kept = [chosen[position] for position in without_head(chosen[:shared], longest, max_length, tokenizer.bos_token_id)]
    room = max_length - len(kept)
    cut: Cut | None = "unended" if longest > room else "cut" if len(kept) < shared else None
    return {
        "prompt_ids": kept,
        "chosen_ids": chosen[shared : shared + room],
        "rejected_ids": rejected[shared : shared + room],
    }, cut


def asked_ids(row: Dialogue | Pair, tokenizer: Any) -> list[int]:
    """Return the ids of a prompt up to where the first of its answers begins; a prompt may end within a token."""
    prompt = prompt_ids(row, tokenizer)
    return prompt[: min(_common_prefix(prompt, _ids_to_the_end(row, answer, tokenizer)) for answer in row.answers)]


def answered_ids(dialogue: Dialogue, tokenizer: Any) -> tuple[list[int], int]:
    """Return the ids of a prompt with its answer, without the token that ends the answer, and where the answer begins."""
    ids = _ids_to_the_end(dialogue, dialogue.answer, tokenizer)
    start = _common_prefix(prompt_ids(dialogue, tokenizer), ids)
    return (ids[:-1] if ids[-1] in end_ids(tokenizer) and len(ids) > start + 1 else ids), start


def _encoded(dialogue: Dialogue, tokenizer: Any, assistant_only: bool) -> _Encoded:
    if isinstance(dialogue.answer, list) and (assistant_only or dialogue.unlearned):
        return _with_found_answers(dialogue, tokenizer, assistant_only)
    ids, end = _ids_and_end(dialogue, tokenizer)
    start = _common_prefix(prompt_ids(dialogue, tokenizer), ids)
    in_answer = [start <= position < end for position in range(len(ids))]
    return _Encoded(ids, in_answer, in_answer if assistant_only else [True] * len(ids))


def _with_found_answers(dialogue: Dialogue, tokenizer: Any, assistant_only: bool) -> _Encoded:
    """Encode a dialogue of which some messages are learned and others not."""
    before = _messages(dialogue.prompt or [])
    messages = [*before, *_messages(dialogue.answer)]
    chat = chat_of(tokenizer)
    written = chat.write(dialogue, messages)
    otherwise = "assistantOnlyLoss to false" if assistant_only else "remove the weights of its messages"
    answers = [each for each in chat.answers(dialogue, messages, written, otherwise) if each.message >= len(before)]
    excluded = {len(before) + position for position in dialogue.unlearned}
    encoding = _encoding(written.text, tokenizer)
    length = len(encoding["input_ids"])
    if assistant_only:
        learned = _within([each for each in answers if each.message not in excluded], encoding, length)
        return _Encoded(list(encoding["input_ids"]), learned, learned)
    unlearned = _within([each for each in answers if each.message in excluded], encoding, length)
    return _Encoded(list(encoding["input_ids"]), _within(answers, encoding, length), [not each for each in unlearned])


def _within(answers: list[Answer], encoding: Any, length: int) -> list[bool]:
    """Return for each token whether it writes a part of an answer."""
    within = [False] * length
    for answer in answers:
        characters = range(answer.start, answer.end)
        # A tokenizer may leave out a character, such as a space before a word.
        first = next(filter(None.__ne__, map(encoding.char_to_token, characters)), None)
        last = next(filter(None.__ne__, map(encoding.char_to_token, reversed(characters))), None)
        if first is not None and last is not None:
            within[first : last + 1] = [True] * (last + 1 - first)
    return within


def _whole_turns(dialogue: Dialogue, tokenizer: Any, max_length: int) -> tuple[list[int], Cut | None]:
    """Encode a dialogue that is learned whole; if it is too long, try shorter ones, each ending with an answer."""
    messages, chat = _messages(dialogue.answer), chat_of(tokenizer)

    def encoded(turns: list[Message], opens_answer: bool = False) -> list[int]:
        return _text_ids(chat.write(dialogue, turns, opens_answer).text, tokenizer)

    ids = encoded(messages)
    if len(ids) <= max_length:
        return ids, None
    ends = [index + 1 for index, message in enumerate(messages) if message["role"] == "assistant"]
    # Halving: a row may have thousands of turns, and each try encodes all of them that it keeps.
    fitting = bisect_right(ends, max_length, key=lambda end: len(encoded(messages[:end])))
    if fitting:
        return encoded(messages[: ends[fitting - 1]]), "cut"
    ids = encoded(messages[: ends[0]])
    before = messages[: ends[0] - 1]
    start = _common_prefix(encoded(before, opens_answer=True), ids) if before else 0
    kept, cut = shortened_first_answer(ids, start, len(ids), max_length, tokenizer.bos_token_id)
    return [ids[position] for position in kept], cut


def _ids_and_end(dialogue: Dialogue, tokenizer: Any) -> tuple[list[int], int]:
    """Return the ids of prompt and answer, and how many of them there are up to the end token."""
    if isinstance(dialogue.answer, str):
        ids = _ids_to_the_end(dialogue, dialogue.answer, tokenizer)
        return ids, len(ids)
    text, end = _text_and_end(dialogue, dialogue.answer, tokenizer)
    ids = _text_ids(text, tokenizer)
    return ids, _common_prefix(_text_ids(text[:end], tokenizer), ids)


def prompt_ids(row: Dialogue | Pair, tokenizer: Any) -> list[int]:
    """Return the ids of a prompt, up to where the answer begins."""
    if isinstance(row.prompt, str):
        return _raw_ids(row.prompt, tokenizer)
    return _text_ids(chat_of(tokenizer).write(row, _messages(row.prompt or []), opens_answer=True).text, tokenizer)


def _ids_to_the_end(row: Dialogue | Pair, answer: Text, tokenizer: Any) -> list[int]:
    """Return the ids of prompt and answer, up to the token that ends the answer."""
    if isinstance(answer, str):
        ids = _raw_ids(f"{row.prompt or ''}{answer}", tokenizer)
        return ids if ids[-1] == tokenizer.eos_token_id else [*ids, tokenizer.eos_token_id]
    text, end = _text_and_end(row, answer, tokenizer)
    return _text_ids(text[:end], tokenizer)


def _text_and_end(row: Dialogue | Pair, answer: list[Message], tokenizer: Any) -> tuple[str, int]:
    """Return what the template writes of prompt and answer, and how many characters of it there are up to the end token."""
    chat = chat_of(tokenizer)
    text = chat.write(row, [*_messages(row.prompt or []), *answer]).text
    return text, chat.end(text)


def _messages(text: Text) -> list[Message]:
    assert not isinstance(text, str), "a row is either texts or messages"
    return text


def _raw_ids(text: str, tokenizer: Any) -> list[int]:
    """Encode a text that no template has written."""
    ids = list(tokenizer(text, **_SILENT)["input_ids"])
    if len(ids) > 1 and ids[0] == ids[1] == tokenizer.bos_token_id:
        # The tokenizer adds the opening token, and this text already starts with it.
        ids = ids[1:]
    # Some tokenizers end every text; here the end token belongs only after the answer.
    return ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id and not text.endswith(tokenizer.eos_token) else ids


def _text_ids(text: str, tokenizer: Any) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, **_SILENT)["input_ids"])


def _encoding(text: str, tokenizer: Any) -> Any:
    if not tokenizer.is_fast:
        raise BadRow(
            "is a dialogue, and this model's tokenizer cannot tell which tokens are its answers; "
            "add tokenizer.json to the model's folder, or set assistantOnlyLoss to false"
        )
    return tokenizer(text, add_special_tokens=False, **_SILENT)


def _common_prefix(first: list[int], second: list[int]) -> int:
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length
