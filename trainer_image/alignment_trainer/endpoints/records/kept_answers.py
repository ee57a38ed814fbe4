"""The answers that were paid for, kept on the workspace for all jobs of a namespace."""

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from alignment_api.spec.endpoints import Endpoint

from alignment_trainer.endpoints.question import Answer, Question
from alignment_trainer.endpoints.records.committed_file import CommittedFile
from alignment_trainer.endpoints.records.places import Places
from alignment_trainer.workspace.activity import reading

ANSWERS_FOLDER = "answers"
_NAMES = "*.jsonl"
_FORMAT = 1
_BEFORE_KEY, _KEY_LENGTH = b'{"key": "', 64
_OFFSET_BITS = 40
_OPEN_FILES = 32
_LOOK_SECONDS = 5.0
_LATELY_SECONDS = 24 * 60 * 60
"""A file that did not grow for a day has no writer any longer: a stage whose servers ask to wait so long ends."""


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

    def __init__(self, folder: Path, look_seconds: float = _LOOK_SECONDS) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._look_seconds = folder, look_seconds
        self._files: list[Path] = []
        self._growing: dict[int, int] = {}
        """How far each file is read to which another process may append, by its number."""
        self._opened = lru_cache(maxsize=_OPEN_FILES)(self._open)
        self._written: CommittedFile | None = None
        with reading("reading kept answers", folder.glob(_NAMES)):
            self._places = Places(self._unseen())
        self._looked = time.monotonic()

    def get(self, key: str) -> Answer | None:
        """Return a kept answer; those that other jobs keep meanwhile are found some seconds later."""
        place = self._places.get(_short(key))
        if place is None and time.monotonic() - self._looked >= self._look_seconds:
            self._look_again()
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

    def _look_again(self) -> None:
        for key, place in self._unseen():
            self._places.add(key, place)
        self._looked = time.monotonic()

    def _unseen(self) -> Iterator[tuple[int, int]]:
        """Yield the key of each whole line that was not read yet, with its place."""
        known = set(self._files)
        for path in sorted(found for found in self._folder.glob(_NAMES) if found not in known):
            self._files.append(path)
            self._growing[len(self._files) - 1] = 0
        for number, read_to in list(self._growing.items()):
            found = self._files[number].stat()
            if found.st_size > read_to:
                yield from self._lines(number, read_to)
            elif found.st_mtime < time.time() - _LATELY_SECONDS:
                del self._growing[number]

    def _lines(self, number: int, offset: int) -> Iterator[tuple[int, int]]:
        with self._files[number].open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    # Half of it may not be written yet.
                    break
                if key := _key_of(line):
                    yield _short(key), number << _OFFSET_BITS | offset
                offset += len(line)
        self._growing[number] = offset


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
