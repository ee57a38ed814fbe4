"""Turns rows into token ids: what is learned of each, where answers end, and what does not fit."""

import re
from typing import Any

from alignment_trainer.messages import BadRow, Message, Text
from alignment_trainer.rows import Dialogue, Pair

IGNORED = -100

Tokens = dict[str, list[int]]


def marks_answers(template: str | None) -> bool:
    """Say whether a chat template marks which part of a dialogue is the answer."""
    return re.search(r"\{%-?\s*generation\s*-?%\}", template or "") is not None


def dialogue_tokens(dialogue: Dialogue, tokenizer: Any, assistant_only: bool, max_length: int) -> tuple[Tokens | None, bool]:
    """Give ids and labels, None where nothing is left to learn, and whether something had to be cut off."""
    ids, learned = _learned(dialogue, tokenizer, assistant_only)
    labels = [token if is_learned else IGNORED for token, is_learned in zip(ids, learned, strict=True)][:max_length]
    is_cut = len(ids) > max_length
    if all(label == IGNORED for label in labels):
        return None, is_cut
    return {"input_ids": ids[:max_length], "labels": labels}, is_cut


def pair_tokens(pair: Pair, tokenizer: Any, max_length: int) -> tuple[Tokens | None, bool]:
    """Give the ids of prompt and both answers, None where the prompt fills it all, and whether an answer had to be cut."""
    prompt = _ids(pair.prompt, tokenizer, opens_answer=True)
    chosen = _with_end(pair.prompt, pair.chosen, tokenizer)
    rejected = _with_end(pair.prompt, pair.rejected, tokenizer)
    # Where the prompt ends within a token, the answers begin at the token that they do not share with it.
    shared = min(_common_prefix(prompt, chosen), _common_prefix(prompt, rejected))
    is_cut = max(len(chosen), len(rejected)) > max_length
    if shared >= max_length:
        return None, is_cut
    return {
        "prompt_ids": chosen[:shared],
        "chosen_ids": chosen[shared:max_length],
        "rejected_ids": rejected[shared:max_length],
    }, is_cut


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
