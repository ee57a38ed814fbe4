"""Turns rows into token ids: what is learned of each, where answers end, and what does not fit."""

import re
from typing import Any, Literal

from alignment_trainer.messages import BadRow, Message, Text
from alignment_trainer.rows import Dialogue, Pair

IGNORED = -100

Tokens = dict[str, list[int]]
Cut = Literal["cut", "unended"]
"""What a row that is too long has lost: later turns or the head of its prompt, or also the end of an answer."""


def marks_answers(template: str | None) -> bool:
    """Say whether a chat template marks which part of a dialogue is the answer."""
    return re.search(r"\{%-?\s*generation\s*-?%\}", template or "") is not None


def dialogue_tokens(
    dialogue: Dialogue, tokenizer: Any, assistant_only: bool, max_length: int
) -> tuple[Tokens | None, Cut | None]:
    """Give ids and labels, None where nothing is left to learn, and what had to be cut off."""
    ids, learned = _learned(dialogue, tokenizer, assistant_only)
    labels = [token if is_learned else IGNORED for token, is_learned in zip(ids, learned, strict=True)]
    cut: Cut | None = None
    if len(ids) > max_length:
        ids, labels, cut = _fitted(ids, labels, max_length, tokenizer)
    if all(label == IGNORED for label in labels):
        return None, cut
    return {"input_ids": ids, "labels": labels}, cut


def pair_tokens(pair: Pair, tokenizer: Any, max_length: int) -> tuple[Tokens | None, Cut | None]:
    """Give the ids of prompt and both answers, and what had to be cut off."""
    prompt = _ids(pair.prompt, tokenizer, opens_answer=True)
    chosen = _with_end(pair.prompt, pair.chosen, tokenizer)
    rejected = _with_end(pair.prompt, pair.rejected, tokenizer)
    # Where the prompt ends within a token, the answers begin at the token that they do not share with it.
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


def _fitted(ids: list[int], labels: list[int], max_length: int, tokenizer: Any) -> tuple[list[int], list[int], Cut]:
    """Leave out the turns after the last answer that fits; where none does, shorten the first one's prompt, then it."""
    learned = [label != IGNORED for label in labels] + [False]
    ends = [end for end in range(1, len(learned)) if learned[end - 1] and not learned[end]]
    fitting = [end for end in ends if end <= max_length]
    if fitting:
        return ids[: fitting[-1]], labels[: fitting[-1]], "cut"
    if not ends:
        return ids[:max_length], labels[:max_length], "cut"
    start = learned.index(True)
    prompt = _without_head(ids[:start], ends[0] - start, max_length, tokenizer)
    end = min(ends[0], start + max_length - len(prompt))
    return prompt + ids[start:end], [IGNORED] * len(prompt) + labels[start:end], "cut" if end == ends[0] else "unended"


def _without_head(prompt: list[int], answer_length: int, max_length: int, tokenizer: Any) -> list[int]:
    """Take away as much of a prompt's head as its answer needs, but no more than leaves it half of all room."""
    room = max(max_length - answer_length, max_length // 2)
    if len(prompt) <= room:
        return prompt
    # The token that opens every text is no part of what was asked.
    opening = prompt[:1] if prompt[0] == tokenizer.bos_token_id else []
    return opening + prompt[len(prompt) - room + len(opening) :]


def _learned(dialogue: Dialogue, tokenizer: Any, assistant_only: bool) -> tuple[list[int], list[bool]]:
    if dialogue.prompt is None:
        _check_template(tokenizer)
        encoded = tokenizer.apply_chat_template(
            dialogue.answer, tokenize=True, return_dict=True, return_assistant_tokens_mask=assistant_only
        )
        ids = list(encoded["input_ids"])
        return ids, [bool(mark) for mark in encoded["assistant_masks"]] if assistant_only else [True] * len(ids)
    ids = _with_end(dialogue.prompt, dialogue.answer, tokenizer)
    start = _common_prefix(_ids(dialogue.prompt, tokenizer, opens_answer=True), ids) if assistant_only else 0
    learned = [position >= start for position in range(len(ids))]
    if assistant_only and not isinstance(dialogue.answer, str):
        learned = _up_to_last_end(ids, learned, tokenizer)
    return ids, learned


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
            "is a dialogue, and the model's tokenizer has no chat template; set spec.model.chatTemplate to Zephyr or ChatML"
        )


def _ids(text: str | list[Message], tokenizer: Any, opens_answer: bool = False) -> list[int]:
    if isinstance(text, str):
        ids = list(tokenizer(text)["input_ids"])
        if len(ids) > 1 and ids[0] == ids[1] == tokenizer.bos_token_id:
            # The tokenizer opens every text, and this one says so itself.
            ids = ids[1:]
        # Some tokenizers end every text; the end belongs after the answer.
        return ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id and not text.endswith(tokenizer.eos_token) else ids
    _check_template(tokenizer)
    encoded = tokenizer.apply_chat_template(text, tokenize=True, return_dict=True, add_generation_prompt=opens_answer)
    return list(encoded["input_ids"])


def _up_to_last_end(ids: list[int], learned: list[bool], tokenizer: Any) -> list[bool]:
    """Leave out what a template writes after the end of the last answer, such as a line break."""
    ends = [position for position, token in enumerate(ids) if token == tokenizer.eos_token_id]
    last = ends[-1] if ends else len(ids) - 1
    return [mark and position <= last for position, mark in enumerate(learned)]


def _common_prefix(first: list[int], second: list[int]) -> int:
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length
