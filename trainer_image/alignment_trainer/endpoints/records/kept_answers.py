"""The answers that were paid for, kept on the workspace for all jobs of a namespace."""

import hashlib
import json
import sys
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np
from alignment_api.spec.endpoints import Endpoint

from alignment_trainer.endpoints.question import Answer, Question
from alignment_trainer.endpoints.records.committed_file import CommittedFile
from alignment_trainer.workspace.activity import reading

ANSWERS_FOLDER = "answers"
_FORMAT = 1
_BEFORE_KEY, _KEY_LENGTH = b'{"key": "', 64
_OFFSET_BITS = 40
_OPEN_FILES = 32
_UNSORTED = 8192


def answer_key(endpoint: Endpoint, question: Question) -> str:
    """Return the hash of all that shapes an answer."""
    sampling = question.sampling
    shapes: list[Any] = [
        _FORMAT,
        endpoint.base_url.rstrip("/"),
        endpoint.model,
        *(_message(message) for message in question.messages),
    ]
    shapes += [sampling.temperature, sampling.top_p, sampling.maximum_tokens]
    shapes += [question.seed, question.sample, question.template, question.needs_end]
    return hashlib.sha256(json.dumps(shapes).encode()).hexdigest()


def _message(message: Any) -> list[str]:
    return [message["role"], message["content"]]


class KeptAnswers:
    """Answers in files that only grow, one for each process that writes: several jobs and a network volume need no locks."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._files = sorted(folder.glob("*.jsonl"))
        self._places = _Places(self._scanned())
        self._opened = lru_cache(maxsize=_OPEN_FILES)(self._open)
        self._written: CommittedFile | None = None

    def get(self, key: str) -> Answer | None:
        """Return a kept answer."""
        place = self._places.get(_short(key))
        if place is None:
            return None
        number, offset = place >> _OFFSET_BITS, place & ((1 << _OFFSET_BITS) - 1)
        file = self._opened(number)
        file.seek(offset)
        return _answer(file.readline(), key)

    async def put(self, key: str, answer: Answer) -> None:
        """Keep an answer, and return when it is on the disk."""
        if self._written is None:
            name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid4().hex[:8]}.jsonl"
            self._files.append(self._folder / name)
            self._written = CommittedFile(self._files[-1])
        line = {
            "key": key,
            "text": answer.text,
            "finish": answer.finish,
            "promptTokens": answer.prompt_tokens,
            "answerTokens": answer.answer_tokens,
        }
        place = (len(self._files) - 1) << _OFFSET_BITS | self._written.size
        await self._written.append(f"{json.dumps(line)}\n".encode())
        self._places.add(_short(key), place)

    async def close(self) -> None:
        """Close all files."""
        if self._written:
            await self._written.close()
        self._opened.cache_clear()

    def _open(self, number: int) -> BinaryIO:
        return self._files[number].open("rb")

    def _scanned(self) -> Iterator[tuple[int, int]]:
        """Yield the key of each whole line with its place."""
        with reading("reading kept answers", self._files):
            for number, path in enumerate(self._files):
                offset = number << _OFFSET_BITS
                with path.open("rb") as file:
                    for line in file:
                        if key := _key_of(line):
                            yield _short(key), offset
                        offset += len(line)


def _key_of(line: bytes) -> str | None:
    end = len(_BEFORE_KEY) + _KEY_LENGTH
    if line.startswith(_BEFORE_KEY) and line[end : end + 1] == b'"' and line.endswith(b"}\n"):
        return line[len(_BEFORE_KEY) : end].decode("ascii", errors="replace")
    return None


def _answer(line: bytes, key: str) -> Answer | None:
    """Return the answer of a line; None if the line is damaged or of another key, so that the question is asked again."""
    if _key_of(line) != key:
        return None
    try:
        kept = json.loads(line)
        return Answer(kept["text"], kept["finish"], kept["promptTokens"], kept["answerTokens"], was_kept=True)
    except (ValueError, KeyError):
        print(f"a kept answer is damaged, and its question is asked again: {key}", file=sys.stderr, flush=True)
        return None


def _short(key: str) -> int:
    # The line itself has the whole key, so two keys that begin alike are never confused.
    try:
        return int(key[:16], 16)
    except ValueError:
        return 0


class _Places:
    """Where the answers of many keys are, in 16 bytes for each."""

    def __init__(self, found: Iterator[tuple[int, int]]) -> None:
        keys, places = array("Q"), array("Q")
        for key, place in found:
            keys.append(key)
            places.append(place)
        self._keys, self._places = np.array(keys, np.uint64), np.array(places, np.uint64)
        self._new: dict[int, int] = {}
        self._sort()

    def get(self, key: int) -> int | None:
        if key in self._new:
            return self._new[key]
        # Of several lines with one key, the newest: an earlier one may be damaged.
        index = int(np.searchsorted(self._keys, np.uint64(key), side="right")) - 1
        found = index >= 0 and int(self._keys[index]) == key
        return int(self._places[index]) if found else None

    def add(self, key: int, place: int) -> None:
        self._new[key] = place
        if len(self._new) >= _UNSORTED:
            self._keys = np.concatenate([self._keys, np.array(list(self._new), np.uint64)])
            self._places = np.concatenate([self._places, np.array(list(self._new.values()), np.uint64)])
            self._new = {}
            self._sort()

    def _sort(self) -> None:
        order = np.argsort(self._keys, kind="stable")
        self._keys, self._places = self._keys[order], self._places[order]
