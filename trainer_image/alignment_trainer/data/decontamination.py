"""Finds what a model will be measured on within training rows, by words in a row that agree."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_WORD = re.compile(r"[^\W_]+")


class EvaluationIndex:
    """The n-grams of evaluation texts; made once, then only asked."""

    def __init__(self, ngram_words: int, overlap: float) -> None:
        self._length = ngram_words
        self._overlap = overlap
        self._places: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
        self._sets: list[str] = []
        self._sizes: list[int] = []

    def add(self, name: str, row: Mapping[str, Any]) -> bool:
        """Add the texts of an evaluation row; False where all are shorter than an n-gram, so that none can be found."""
        texts = [words for words in map(words_of, texts_of(row)) if len(words) >= self._length]
        for words in texts:
            for start, ngram in enumerate(self._ngrams(words)):
                self._places[ngram].append((len(self._sets), start))
            self._sets.append(name)
            self._sizes.append(len(words))
        return bool(texts)

    def found_in(self, texts: Iterable[str]) -> str | None:
        """Name the evaluation set of which a training row holds a text, whole or for the share that counts as such."""
        covered: dict[int, set[int]] = defaultdict(set)
        for text in texts:
            for ngram in self._ngrams(words_of(text)):
                for index, start in self._places.get(ngram, ()):
                    covered[index].update(range(start, start + self._length))
        known = (index for index, words in covered.items() if len(words) >= self._overlap * self._sizes[index])
        first = min(known, default=None)
        return None if first is None else self._sets[first]

    def _ngrams(self, words: list[str]) -> Iterator[tuple[str, ...]]:
        return zip(*(words[start:] for start in range(self._length)), strict=False)


def words_of(text: str) -> list[str]:
    """Split a text into words, without case and signs."""
    return _WORD.findall(text.lower())


def texts_of(value: Any) -> Iterator[str]:
    """Give all texts of a row, but those of system messages: one such prompt stands before many questions."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        if value.get("role") != "system":
            for item in value.values():
                yield from texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)
