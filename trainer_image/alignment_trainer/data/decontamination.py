"""Finds texts of evaluation sets in training rows, by matching n-grams of words."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_WORD = re.compile(r"[^\W_]+")


class EvaluationIndex:
    """The n-grams of evaluation texts; built first, then searched."""

    def __init__(self, ngram_words: int, overlap: float) -> None:
        self._length = ngram_words
        self._overlap = overlap
        self._places: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
        self._sets: list[str] = []
        self._sizes: list[int] = []

    def add(self, name: str, row: Mapping[str, Any]) -> bool:
        """Add the texts of an evaluation row; return False if all are shorter than an n-gram and cannot be found."""
        texts = [words for words in map(words_of, texts_of(row)) if len(words) >= self._length]
        for words in texts:
            for start, ngram in enumerate(self._ngrams(words)):
                self._places[ngram].append((len(self._sets), start))
            self._sets.append(name)
            self._sizes.append(len(words))
        return bool(texts)

    def found_in(self, texts: Iterable[str]) -> str | None:
        """Return the name of the evaluation set of which a training row contains at least the `overlap` share of a text."""
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
    """Split a text into lower-case words, without punctuation."""
    return _WORD.findall(text.lower())


def texts_of(value: Any) -> Iterator[str]:
    """Yield all texts of a row except system messages, because many questions share one system prompt."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        if value.get("role") != "system":
            for item in value.values():
                yield from texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)
