"""Shortens rows that do not fit: first whole turns, then the start of a prompt, then the end of an answer."""

from collections.abc import Sequence
from typing import Literal

Cut = Literal["cut", "unended"]
"""What a too long row has lost: "cut" means later turns or the start of its prompt, "unended" also the end of an answer."""


def fitted(ids: list[int], in_answer: list[bool], max_length: int, opening: int | None) -> tuple[Sequence[int], Cut | None]:
    """Return the positions that are kept, up to the end of the last answer that fits, or the first answer shortened."""
    if len(ids) <= max_length:
        return range(len(ids)), None
    ends = [end for end in range(1, len(ids) + 1) if in_answer[end - 1] and not any(in_answer[end : end + 1])]
    fitting = [end for end in ends if end <= max_length]
    if fitting or not ends:
        return range(fitting[-1] if fitting else max_length), "cut"
    return shortened_first_answer(ids, in_answer.index(True), ends[0], max_length, opening)


def shortened_first_answer(ids: list[int], start: int, end: int, max_length: int, opening: int | None) -> tuple[list[int], Cut]:
    """Shorten the prompt, then the answer between `start` and `end`; return the positions that are kept."""
    prompt = without_head(ids[:start], end - start, max_length, opening)
    kept_end = min(end, start + max_length - len(prompt))
    return [*prompt, *range(start, kept_end)], "cut" if kept_end == end else "unended"


def without_head(prompt: list[int], answer_length: int, max_length: int, opening: int | None) -> list[int]:
    """Cut the start of a prompt to make room for its answer, but leave the prompt at least half of `max_length`."""
    room = max(max_length - answer_length, max_length // 2)
    if len(prompt) <= room:
        return list(range(len(prompt)))
    # Keep the token that opens every text; it is not part of the question.
    begin = [0] if prompt[0] == opening else []
    return [*begin, *range(len(prompt) - room + len(begin), len(prompt))]
