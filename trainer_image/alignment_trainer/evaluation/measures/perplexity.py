"""Perplexity of texts and of the answers of dialogues, in windows of tokens; its variant is named in the settings."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from accelerate import PartialState
from alignment_api.results.evaluation import Details, EvaluatedRow, Settings
from alignment_api.spec.settings.evaluation import USUAL_WINDOW
from jinja2 import TemplateError

from alignment_trainer.asking.answering import readable_tokens
from alignment_trainer.asking.prompts import readable
from alignment_trainer.data.tasks.documents import Document
from alignment_trainer.evaluation.encoded import Encoded, encode
from alignment_trainer.evaluation.likelihood import Item, Text, measure_items
from alignment_trainer.evaluation.measure import Corpus, Measure, Metric, RowsOfModels
from alignment_trainer.evaluation.measures.short_texts import perplexity_faults
from alignment_trainer.evaluation.row_file import RowFile
from alignment_trainer.evaluation.subject import Subject
from alignment_trainer.evaluation.tasks import OpenTask, TaskRow
from alignment_trainer.evaluation.windows import Window, windows
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.synthesis.prompts import alone
from alignment_trainer.workspace.activity import measured

_SHOWN_CHARACTERS = 2000
_LOSS, _TOKENS, _WORDS, _BYTES, _WHOLE_LOSS, _WHOLE_TOKENS = "loss", "tokens", "words", "bytes", "whole_loss", "whole_tokens"
_PERPLEXITY = "perplexity"
_WINDOWS = "@windows"
"""No model has this sign in its name."""

_ONE_TOKEN = "it has one token, and only a token before it predicts a token"


class Cut(NamedTuple):
    """A document with its windows."""

    encoded: Encoded
    windows: list[Window]
    size: int
    """Tokens of a whole window."""
    bos: bool = False
    """Whether the document begins with the tokenizer's token for that."""
    fault: str | None = None
    """Why it cannot be measured."""

    def numbers(self, window: Window, found: Sequence[float]) -> Details:
        """Return what adds up over windows, from the log-probabilities of the tokens that one predicts."""
        counted = self.encoded.counted(window)
        loss = -sum(value for value, counts in zip(found, counted, strict=True) if counts)
        is_whole = window.size == self.size
        return {
            _LOSS: loss,
            _TOKENS: sum(counted),
            _WORDS: self.encoded.words(window),
            _BYTES: self.encoded.bytes(window),
            _WHOLE_LOSS: loss if is_whole else 0.0,
            _WHOLE_TOKENS: sum(counted) if is_whole else 0,
        }


def _exponential(value: Any) -> Any:
    """Return e to a power: a script without white space has few words, and more loss for each than a float holds."""
    with np.errstate(over="ignore"):
        return np.exp(value)


def _settings(task: OpenTask) -> Settings:
    texts, window = _are_texts(task), task.task.window
    return {
        "window": window or f"as many tokens as the model reads, at most {USUAL_WINDOW}",
        "stride": task.task.stride or "the window, so that windows do not overlap",
        "counted": "all tokens that another one precedes in their window" if texts else "tokens of answers, with their ends",
        "bos": "once before each document, if the tokenizer writes it" if texts else "as the chat template writes it",
        "perplexity": "per token",
        "interval": "documents drawn again",
    }


def _metrics(task: OpenTask) -> Sequence[Metric]:
    perplexity = Metric(_PERPLEXITY, "Lower", is_main=True, corpus=_per(_LOSS, _TOKENS, _exponential))
    return [perplexity, *(_OF_TEXTS if _are_texts(task) else ()), _ALL_TOKENS]


def _are_texts(task: OpenTask) -> bool:
    return all(isinstance(row.value, str) for row in task.rows)


def _measure(subject: Subject, task: OpenTask, file: RowFile) -> None:
    size, stride = _sizes(subject, task)
    cuts = {row.place: _cut(subject, row.value, size, stride) for row in task.rows}
    places = {f"{place}#{index}": (place, window) for place, cut in cuts.items() for index, window in enumerate(cut.windows)}
    items = [Item(row, [_text(cuts[place], window)]) for row, (place, window) in places.items()]

    def evaluated(item: Item, found: list[list[float]]) -> EvaluatedRow:
        place, window = places[item.row]
        return EvaluatedRow(key=place, row=item.row, prompt="", scores={}, details=cuts[place].numbers(window, found[0]))

    def unread(item: Item, why: str) -> EvaluatedRow:
        return EvaluatedRow(key=places[item.row][0], row=item.row, prompt="", scores={}, reason=why)

    # Windows are dealt to the processes, not documents: one joined text keeps all of them busy.
    with RowFile(task.stage, task.name, f"{subject.name}{_WINDOWS}") as parts:
        with measured(f"perplexity of {subject.name} on {task.name}", len(items), "windows", parts.count):
            measure_items(subject, items, parts, evaluated, unread)
        parts.await_all(list(places))
        if PartialState().is_main_process:
            known, of_places = file.known_here(), _by_place(parts.read())
            file.append(whole(row, of_places[row.place], cuts[row.place]) for row in task.rows if row.place not in known)


def whole(row: TaskRow, windows: Sequence[EvaluatedRow], cut: Cut) -> EvaluatedRow:
    """Return the row of a document from what its windows gave."""
    text = _shown(row.value)
    found = EvaluatedRow(
        key=alone(text, row.place).key, row=row.place, prompt=_shortened(text), scores={_PERPLEXITY: None}, reason=cut.fault
    )
    fault = next((window.reason for window in windows if window.reason), None)
    if fault or not windows:
        return found.model_copy(update={"reason": fault or cut.fault or _ONE_TOKEN})
    sums = {name: _sum([window.details[name] for window in windows]) for name in windows[0].details}
    perplexity = float(_exponential(float(sums[_LOSS] or 0) / float(sums[_TOKENS] or 1)))
    details = {**sums, "windows": len(windows), "bos": cut.bos}
    if math.isinf(perplexity):
        return found.model_copy(update={"reason": "its perplexity is larger than a number can be", "details": details})
    return found.model_copy(update={"scores": {_PERPLEXITY: perplexity}, "details": details})


def _cut(subject: Subject, document: Document, size: int, stride: int) -> Cut:
    try:
        encoded = encode(document, subject.tokenizer)
    except (BadRow, TemplateError) as error:
        return Cut(Encoded([], []), [], size, fault=str(error))
    found = [window for window in windows(len(encoded.ids), size, stride) if any(encoded.counted(window))]
    return Cut(encoded, found, size, bos=encoded.ids[:1] == [subject.tokenizer.bos_token_id])


def _sizes(subject: Subject, task: OpenTask) -> tuple[int, int]:
    most = readable_tokens(subject.model)
    size = task.task.window or min(most or USUAL_WINDOW, USUAL_WINDOW)
    stride = task.task.stride or size
    if most and size > most:
        raise BadConfiguration(f"{task.path}.window: {size}, but {subject.name} reads at most {most} tokens; lower it")
    if stride > size:
        raise BadConfiguration(
            f"{task.path}.stride: {stride}, so the text between two windows of {size} tokens would not be measured; lower it"
        )
    return size, stride


def _notes(task: OpenTask, rows: RowsOfModels) -> Iterator[str]:
    for model, of in rows.items():
        for metric in _metrics(task):
            if metric.corpus and _is_too_large(metric.corpus, of):
                yield (
                    f"{task.name}: {metric.name} of {model} is larger than a number can be; "
                    "of text without white space between its words read bits_per_byte"
                )


def _is_too_large(corpus: Corpus, rows: Sequence[EvaluatedRow]) -> bool:
    numbers = [found for row in rows if (found := corpus.statistics(row)) is not None]
    return bool(numbers) and math.isinf(corpus.value(np.sum(numbers, axis=0)))


def _text(cut: Cut, window: Window) -> Text:
    return Text(cut.encoded.ids[window.start : window.end], window.first - window.start)


def _by_place(rows: Sequence[EvaluatedRow]) -> Mapping[str, list[EvaluatedRow]]:
    found: defaultdict[str, list[EvaluatedRow]] = defaultdict(list)
    # In the order of the windows: a sum of floats depends on the order.
    for row in sorted(rows, key=lambda row: int(row.row.rpartition("#")[2])):
        found[row.key].append(row)
    return found


def _sum(values: Sequence[Any]) -> float | int | None:
    return None if None in values else sum(values)


def _shown(document: Document) -> str:
    return document if isinstance(document, str) else "\n\n".join(readable(part) for part in document.parts if part)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _per(part: str, of: str, value: Callable[[Any], Any]) -> Corpus:
    """Return a metric of a loss by some number, such as that of tokens; rows without any of these have none."""

    def statistics(row: EvaluatedRow) -> Sequence[float] | None:
        numbers = [row.details.get(name) for name in (part, of)]
        return [float(number) for number in numbers if number is not None] if numbers[1] else None

    return Corpus(statistics, lambda sums: value(sums[0] / sums[1]))


def _tokens(row: EvaluatedRow) -> Sequence[float] | None:
    tokens = row.details.get(_TOKENS)
    return None if tokens is None else [float(tokens)]


_OF_TEXTS = (
    Metric("whole_window_perplexity", "Lower", corpus=_per(_WHOLE_LOSS, _WHOLE_TOKENS, _exponential)),
    Metric("word_perplexity", "Lower", corpus=_per(_LOSS, _WORDS, _exponential)),
    Metric("bits_per_byte", "Lower", corpus=_per(_LOSS, _BYTES, lambda loss: loss / math.log(2))),
)
_ALL_TOKENS = Metric("tokens", "Neither", corpus=Corpus(_tokens, lambda sums: sums[0]))
MEASURE = Measure(_metrics, _settings, _measure, notes=_notes, faults=perplexity_faults)
