"""Turns rows into token ids and labels, and shortens rows that do not fit."""

from typing import Any, Literal

from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.forms.messages import Message, Text
from alignment_trainer.reading.bad_row import BadRow

IGNORED = -100

_SILENT = {"verbose": False}
"""No warnings about texts longer than the model's limit, because they are cut here."""

Tokens = dict[str, list[int]]
Cut = Literal["cut", "unended"]
"""What a too long row has lost: "cut" means later turns or the start of its prompt, "unended" also the end of an answer."""


def dialogue_tokens(
    dialogue: Dialogue, tokenizer: Any, assistant_only: bool, max_length: int
) -> tuple[Tokens | None, Cut | None]:
    """Return ids and labels, or None if nothing is left to learn, and what was cut off."""
    if dialogue.prompt is None and not assistant_only:
        ids, cut = _whole_turns(dialogue.answer, tokenizer, max_length)
        return {"input_ids": ids, "labels": ids}, cut
    ids, in_answer = _marked(dialogue, tokenizer)
    cut = None
    if len(ids) > max_length:
        ids, in_answer, cut = _fitted(ids, in_answer, max_length, tokenizer)
    labels = [token if is_learned or not assistant_only else IGNORED for token, is_learned in zip(ids, in_answer, strict=True)]
    if all(label == IGNORED for label in labels):
        return None, cut
    return {"input_ids": ids, "labels": labels}, cut


def pair_tokens(pair: Pair, tokenizer: Any, max_length: int) -> tuple[Tokens | None, Cut | None]:
    """Return the ids of prompt and both answers, and what was cut off."""
    prompt = _ids(pair.prompt, tokenizer, opens_answer=True)
    chosen = _with_end(pair.prompt, pair.chosen, tokenizer)
    rejected = _with_end(pair.prompt, pair.rejected, tokenizer)
    # The prompt may end within a token; the answers start at the first token that differs from the prompt.
    shared = min(_common_prefix(prompt, chosen), _common_prefix(prompt, rejected))
    longest = max(len(chosen), len(rejected)) - shared
    kept = _without_head(chosen[:shared], longest, max_length, tokenizer)
    room = max_length - len(kept)
    cut: Cut | None = "unended" if longest > room else "cut" if len(kept) < shared else None
    return {
        "prompt_ids": kept,
        "chosen_ids": chosen[shared : shared + room],
        "rejected_ids": rejected[shared : shared + room],
    }, cut


def _fitted(ids: list[int], in_answer: list[bool], max_length: int, tokenizer: Any) -> tuple[list[int], list[bool], Cut]:
    """Leave out the turns after the last answer that fits; if none fits, shorten the first one's prompt, then the answer."""
    ends = [end for end in range(1, len(ids) + 1) if in_answer[end - 1] and not any(in_answer[end : end + 1])]
    fitting = [end for end in ends if end <= max_length]
    if fitting:
        return ids[: fitting[-1]], in_answer[: fitting[-1]], "cut"
    if not ends:
        return ids[:max_length], in_answer[:max_length], "cut"
    start = in_answer.index(True)
    fitted, answer_length, cut = _first_answer(ids[: ends[0]], start, max_length, tokenizer)
    return fitted, [False] * (len(fitted) - answer_length) + in_answer[start : start + answer_length], cut


def _whole_turns(messages: Text, tokenizer: Any, max_length: int) -> tuple[list[int], Cut | None]:
    """Do the same for a dialogue without marked answers: try shorter dialogues, each ending with an answer."""
    assert not isinstance(messages, str)
    ids = _ids(messages, tokenizer)
    if len(ids) <= max_length:
        return ids, None
    ends = [index + 1 for index, message in enumerate(messages) if message["role"] == "assistant"]
    for end in reversed(ends):
        ids = _ids(messages[:end], tokenizer)
        if len(ids) <= max_length:
            return ids, "cut"
    before = messages[: ends[0] - 1]
    start = _common_prefix(_ids(before, tokenizer, opens_answer=True), ids) if before else 0
    ids, _, cut = _first_answer(ids, start, max_length, tokenizer)
    return ids, cut


def _first_answer(ids: list[int], start: int, max_length: int, tokenizer: Any) -> tuple[list[int], int, Cut]:
    """Shorten the prompt, then the answer, which starts at `start`; return the ids, the answer's length and what was cut off."""
    prompt = _without_head(ids[:start], len(ids) - start, max_length, tokenizer)
    answer = ids[start : start + max_length - len(prompt)]
    return prompt + answer, len(answer), "cut" if start + len(answer) == len(ids) else "unended"


def _without_head(prompt: list[int], answer_length: int, max_length: int, tokenizer: Any) -> list[int]:
    """Cut the start of a prompt to make room for its answer, but leave the prompt at least half of `max_length`."""
    room = max(max_length - answer_length, max_length // 2)
    if len(prompt) <= room:
        return prompt
    # Keep the token that opens every text; it is not part of the question.
    opening = prompt[:1] if prompt[0] == tokenizer.bos_token_id else []
    return opening + prompt[len(prompt) - room + len(opening) :]


def _marked(dialogue: Dialogue, tokenizer: Any) -> tuple[list[int], list[bool]]:
    """Return ids, and for each whether it belongs to an answer."""
    if dialogue.prompt is None:
        _check_template(tokenizer)
        encoded = tokenizer.apply_chat_template(
            dialogue.answer, tokenize=True, return_dict=True, return_assistant_tokens_mask=True, tokenizer_kwargs=_SILENT
        )
        return list(encoded["input_ids"]), [bool(mark) for mark in encoded["assistant_masks"]]
    ids = _with_end(dialogue.prompt, dialogue.answer, tokenizer)
    start = _common_prefix(_ids(dialogue.prompt, tokenizer, opens_answer=True), ids)
    in_answer = [position >= start for position in range(len(ids))]
    return ids, in_answer if isinstance(dialogue.answer, str) else _up_to_last_end(ids, in_answer, tokenizer)


def _with_end(prompt: Text, answer: Text, tokenizer: Any) -> list[int]:
    if isinstance(prompt, str):
        assert isinstance(answer, str)
        ids = _ids(prompt + answer, tokenizer)
        return ids if ids[-1] == tokenizer.eos_token_id else [*ids, tokenizer.eos_token_id]
    assert not isinstance(answer, str)
    return _ids([*prompt, *answer], tokenizer)


def _check_template(tokenizer: Any) -> None:
    if tokenizer.chat_template is None:
        raise BadRow(
            "is a dialogue, but the model's tokenizer has no chat template; set spec.model.chatTemplate to Zephyr or ChatML"
        )


def _ids(text: str | list[Message], tokenizer: Any, opens_answer: bool = False) -> list[int]:
    if isinstance(text, str):
        ids = list(tokenizer(text, **_SILENT)["input_ids"])
        if len(ids) > 1 and ids[0] == ids[1] == tokenizer.bos_token_id:
            # The tokenizer adds the opening token, and this text already starts with it.
            ids = ids[1:]
        # Some tokenizers end every text; here the end token belongs only after the answer.
        return ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id and not text.endswith(tokenizer.eos_token) else ids
    _check_template(tokenizer)
    encoded = tokenizer.apply_chat_template(
        text, tokenize=True, return_dict=True, add_generation_prompt=opens_answer, tokenizer_kwargs=_SILENT
    )
    return list(encoded["input_ids"])


def _up_to_last_end(ids: list[int], in_answer: list[bool], tokenizer: Any) -> list[bool]:
    """Unmark what a template writes after the end of the last answer, such as a line break."""
    ends = [position for position, token in enumerate(ids) if token == tokenizer.eos_token_id]
    last = ends[-1] if ends else len(ids) - 1
    return [mark and position <= last for position, mark in enumerate(in_answer)]


def _common_prefix(first: list[int], second: list[int]) -> int:
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length
