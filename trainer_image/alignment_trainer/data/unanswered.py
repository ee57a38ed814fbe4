"""Finds rows that answer nothing: an empty answer teaches to end at once, two answers that are the same teach no preference."""

from collections.abc import Iterator

from alignment_trainer.reading.rows import Dialogue, Pair


def answers_nothing(row: Dialogue | Pair) -> bool:
    """Say whether an answer is empty or white space, or both answers of a pair are the same."""
    if isinstance(row, Pair) and row.chosen == row.rejected:
        return True
    return any(not answer or answer.isspace() for answer in _answers(row))


def _answers(row: Dialogue | Pair) -> Iterator[str]:
    """Give all answers, those of earlier turns too: each is learned, or was given to what is learned."""
    prompt, *answers = row
    yield from (answer for answer in answers if isinstance(answer, str))
    for part in (prompt, *answers):
        if isinstance(part, list):
            yield from (message["content"] for message in part if message["role"] == "assistant")
