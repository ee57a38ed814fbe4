"""Finds texts that are nearly the same as one of many, by ROUGE-L; exactly, without comparing all of them."""

import re
from array import array
from collections import Counter

import numpy
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer

_WORD = re.compile(r"\w+")
_ROUNDING = 1e-9


class _Words(Tokenizer):  # type: ignore[misc]
    """The words of a text in any script; ROUGE's own reads only the letters a to z."""

    def tokenize(self, text: str) -> list[str]:
        """Return the words in lower case."""
        return _WORD.findall(text.lower())


class KeptTexts:
    """Texts of which none is nearly the same as another."""

    def __init__(self, maximum_similarity: float) -> None:
        self._maximum = maximum_similarity
        self._words = _Words()
        self._scorer = RougeScorer(["rougeL"], tokenizer=self._words)
        self._texts: list[str] = []
        self._known: set[str] = set()
        self._lengths = array("i")
        self._holders: dict[str, tuple[array[int], array[int]]] = {}
        """For each word the positions of the texts that hold it, and how often each of these does."""

    def add(self, text: str) -> None:
        """Keep a text."""
        words = self._words.tokenize(text)
        for word, times in Counter(words).items():
            positions, counts = self._holders.setdefault(word, (array("i"), array("i")))
            positions.append(len(self._texts))
            counts.append(times)
        self._texts.append(text)
        self._known.add(text)
        self._lengths.append(len(words))

    def has_similar(self, text: str) -> bool:
        """Return whether the similarity to any kept text is at least the maximum."""
        if text in self._known:
            return True
        bounds = self._bounds(self._words.tokenize(text))
        candidates = numpy.flatnonzero(bounds >= self._maximum - _ROUNDING)
        # The likeliest first, since one is enough.
        return any(self._similarity(text, int(position)) for position in candidates[numpy.argsort(-bounds[candidates])])

    def _similarity(self, text: str, position: int) -> bool:
        return bool(self._scorer.score(self._texts[position], text)["rougeL"].fmeasure >= self._maximum)

    def _bounds(self, words: list[str]) -> numpy.ndarray:
        """Return for each kept text how similar it can be at most: a common subsequence has only words that both have."""
        shared = numpy.zeros(len(self._texts), dtype=numpy.int32)
        for word, times in Counter(words).items():
            if word in self._holders:
                positions, counts = (numpy.frombuffer(column, dtype=numpy.int32) for column in self._holders[word])
                shared[positions] += numpy.minimum(counts, times)
        lengths = numpy.frombuffer(self._lengths, dtype=numpy.int32) + len(words)
        return 2 * shared / numpy.maximum(lengths, 1)
