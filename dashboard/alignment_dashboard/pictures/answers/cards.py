"""The answers to one prompt as cards: each output with what changed in it, then the answers of the data."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from alignment_dashboard.facts.samples import DATA, Output, Sample
from alignment_dashboard.facts.word_difference import Piece, count_words, difference, share_changed
from alignment_dashboard.pictures.answers.markup import Answer

Against = Literal["previous", "base", "nothing"]
"""With which output each one is compared."""

AGAINST: tuple[Against, ...] = get_args(Against)
_NOTES = {"chosen": "the data's better answer", "rejected": "the data's worse answer", "reference": "the data's answer"}


def columns(outputs: Sequence[Output], sample: Sample, against: Against, colours: Mapping[str, str]) -> list[list[Answer]]:
    """Return one column for each output, with the answers of the data below the first; colours are those of the jobs."""
    drawn = [
        [_card(output, answer, _old(outputs, sample, number, against), "" if output.is_base else colours.get(output.job, ""))]
        for number, (output, answer) in enumerate(zip(outputs, sample.answers, strict=True))
    ]
    # The first outputs are the shortest in most jobs, so that below them is room.
    for number, name in enumerate(name for name in DATA if name in sample.data):
        drawn[number % len(drawn)].append(_data_card(name, sample.data[name]))
    return drawn


def _data_card(name: str, text: str) -> Answer:
    return Answer(name, f"{_NOTES[name]}, {_words(text)}", (Piece("same", text),), is_data=True)


def _card(output: Output, answer: str | None, old: tuple[Output, str] | None, colour: str) -> Answer:
    if answer is None:
        return Answer(output.label, "no answer to this prompt at this step", None, colour)
    if old is None:
        return Answer(output.label, _words(answer), (Piece("same", answer),), colour)
    before, text = old
    return Answer(output.label, f"{_words(answer)}, {_change(before, text, answer)}", difference(text, answer), colour)


def _old(outputs: Sequence[Output], sample: Sample, number: int, against: Against) -> tuple[Output, str] | None:
    """Return the output and the answer that one is compared with: the nearest before it, or the base model's."""
    if outputs[number].is_base or against == "nothing":
        return None
    known = [
        (output, answer)
        for output, answer in zip(outputs[:number], sample.answers[:number], strict=True)
        if answer is not None and (against == "previous" or (output.is_base and output.model == outputs[number].model))
    ]
    return known[-1] if known else None


def _change(before: Output, old: str, new: str) -> str:
    if old == new:
        return f"the same as {before.label}"
    longer = count_words(new) - count_words(old)
    length = f"{abs(longer)} {'more' if longer > 0 else 'fewer'}, " if longer else ""
    return f"{length}{share_changed(old, new):.0%} changed from {before.label}"


def _words(text: str) -> str:
    words = count_words(text)
    return f"{words:,} word{'' if words == 1 else 's'}"
