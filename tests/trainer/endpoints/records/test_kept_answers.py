"""Answers that are kept for all jobs of a namespace."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alignment_api.spec.endpoints import Endpoint, Price, SecretKey
from alignment_trainer.endpoints.question import Answer, Question, SamplingSettings
from alignment_trainer.endpoints.records.kept_answers import KeptAnswers, answer_key

ENDPOINT = Endpoint(base_url="http://teacher/v1", model="large")
QUESTION = Question(({"role": "user", "content": "hi"},), SamplingSettings(0.5, 0.9, 20), seed=3)
ANSWER = Answer("yes, ü\n", "stop", 7, 3)
KEPT = replace(ANSWER, was_kept=True)


def of_endpoint(**changes: Any) -> str:
    return answer_key(ENDPOINT.model_copy(update=changes), QUESTION)


def of_question(**changes: Any) -> str:
    return answer_key(ENDPOINT, replace(QUESTION, **changes))


def of_sampling(**changes: Any) -> str:
    return of_question(sampling=replace(QUESTION.sampling, **changes))


SHAPING = {
    "the address": of_endpoint(base_url="http://other/v1"),
    "the model": of_endpoint(model="small"),
    "a letter of the message": of_question(messages=({"role": "user", "content": "ho"},)),
    "the role": of_question(messages=({"role": "system", "content": "hi"},)),
    "another message": of_question(messages=(*QUESTION.messages, {"role": "assistant", "content": "hi"})),
    "the same words in two messages": of_question(messages=({"role": "user", "content": "h"}, {"role": "user", "content": "i"})),
    "the temperature": of_sampling(temperature=0.6),
    "top_p": of_sampling(top_p=1.0),
    "the longest answer": of_sampling(maximum_tokens=21),
    "the seed": of_question(seed=4),
    "the sample": of_question(sample=1),
    "the template": of_question(template="abc"),
    "whether it must end": of_question(needs_end=True),
}


@pytest.mark.parametrize("case", SHAPING)
def test_whatever_shapes_an_answer_changes_its_key(case: str) -> None:
    assert SHAPING[case] != answer_key(ENDPOINT, QUESTION)
    assert list(SHAPING.values()).count(SHAPING[case]) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"api_key_secret": SecretKey(name="teacher", key="api-key")},
        {"concurrency": 3},
        {"requests_per_minute": 3},
        {"tokens_per_minute": 3},
        {"timeout_seconds": 3},
        {"price": Price(prompt_per_million_tokens=1, answer_per_million_tokens=1)},
        {"base_url": "http://teacher/v1/"},
    ],
)
def test_what_shapes_no_answer_does_not_change_its_key(changes: dict[str, Any]) -> None:
    assert of_endpoint(**changes) == answer_key(ENDPOINT, QUESTION)


def key(number: int) -> str:
    return of_question(seed=number)


async def put(folder: Path, *numbers: int) -> None:
    kept = KeptAnswers(folder)
    for number in numbers:
        await kept.put(key(number), replace(ANSWER, text=str(number)))
    await kept.close()


def texts(folder: Path, *numbers: int) -> list[str | None]:
    kept = KeptAnswers(folder)
    found = [kept.get(key(number)) for number in numbers]
    asyncio.run(kept.close())
    return [answer.text if answer else None for answer in found]


def test_an_answer_is_found_at_once_and_after_the_next_start(tmp_path: Path) -> None:
    async def run() -> None:
        kept = KeptAnswers(tmp_path / "answers")
        assert kept.get(key(1)) is None
        await kept.put(key(1), ANSWER)
        assert kept.get(key(1)) == KEPT
        assert kept.get(key(2)) is None
        await kept.close()

    asyncio.run(run())
    kept = KeptAnswers(tmp_path / "answers")
    assert kept.get(key(1)) == KEPT


def test_two_jobs_that_write_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        await asyncio.gather(put(tmp_path, *range(0, 40, 2)), put(tmp_path, *range(1, 40, 2)))

    asyncio.run(run())
    assert len(list(tmp_path.iterdir())) == 2
    assert texts(tmp_path, *range(41)) == [*map(str, range(40)), None]


def test_a_running_job_finds_what_another_one_keeps_meanwhile(tmp_path: Path) -> None:
    async def run() -> list[bool]:
        kept = KeptAnswers(tmp_path, look_seconds=0)
        before = kept.get(key(1))
        await put(tmp_path, 1, 2)
        await kept.put(key(3), ANSWER)
        after_others = [kept.get(key(number)) is not None for number in (1, 2, 3, 4)]
        (others,) = (path for path in tmp_path.iterdir() if b'"text": "1"' in path.read_bytes())
        whole = others.read_bytes()
        line = whole.splitlines(keepends=True)[0].replace(key(1).encode(), key(4).encode())
        others.write_bytes(whole + line[:50])
        half = kept.get(key(4))
        others.write_bytes(whole + line)
        found = [before is None, *after_others, half is None, kept.get(key(4)) is not None]
        await kept.close()
        return found

    assert asyncio.run(run()) == [True, True, True, True, False, True, True]


def test_a_file_that_nobody_has_written_to_for_a_day_is_read_once(tmp_path: Path) -> None:
    asyncio.run(put(tmp_path, 1))
    (file,) = tmp_path.iterdir()
    kept = KeptAnswers(tmp_path, look_seconds=0)
    os.utime(file, (0, 0))
    assert [kept.get(key(number)) is not None for number in (1, 2)] == [True, False]
    file.unlink()
    # A file whose answers are all read is not even looked at.
    assert kept.get(key(2)) is None


def test_more_answers_than_stay_unsorted_in_memory_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alignment_trainer.endpoints.records.places._UNSORTED", 7)

    async def run() -> None:
        kept = KeptAnswers(tmp_path)
        for number in range(40):
            await kept.put(key(number), replace(ANSWER, text=str(number)))
            assert [kept.get(key(each)) is not None for each in range(number + 2)] == [True] * (number + 1) + [False]
        await kept.close()

    asyncio.run(run())
    assert texts(tmp_path, *range(40)) == list(map(str, range(40)))


def test_many_attempts_leave_many_files_that_are_not_all_open(tmp_path: Path) -> None:
    async def run() -> None:
        for number in range(40):
            await put(tmp_path, number)

    asyncio.run(run())
    assert texts(tmp_path, *range(40)) == list(map(str, range(40)))


def test_a_process_that_keeps_nothing_leaves_no_file(tmp_path: Path) -> None:
    asyncio.run(put(tmp_path))
    assert list(tmp_path.iterdir()) == []


DAMAGES = {
    "cut in its last line": lambda whole: whole[:-5],
    "followed by zeros": lambda whole: whole + b"\0" * 500,
    "followed by half a line": lambda whole: whole + whole[:50],
    "followed by an empty line": lambda whole: whole + b"\n",
    "with a text that ends early": lambda whole: whole.replace(b'"text": "2", ', b'"text": "2, '),
    "with a field missing": lambda whole: whole.replace(b'"text": "2", ', b""),
    "with a key that is none": lambda whole: whole.replace(key(2)[:4].encode(), b"\xff\xff\xff\xff"),
    "empty": lambda whole: b"",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_costs_only_the_answers_of_its_damaged_lines(damage: str, tmp_path: Path) -> None:
    asyncio.run(put(tmp_path, 0, 1, 2))
    (file,) = tmp_path.iterdir()
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    found = texts(tmp_path, 0, 1, 2)
    assert found[:2] == ([None, None] if damage == "empty" else ["0", "1"])
    assert found[2] in ("2", None)
    asyncio.run(put(tmp_path, 0, 1, 2))
    assert texts(tmp_path, 0, 1, 2) == ["0", "1", "2"]


def test_keys_that_begin_alike_are_never_confused(tmp_path: Path) -> None:
    first, second = "a" * 64, "a" * 63 + "b"

    async def run() -> list[Answer | None]:
        kept = KeptAnswers(tmp_path)
        await kept.put(first, ANSWER)
        found = [kept.get(first), kept.get(second)]
        await kept.close()
        return found

    assert asyncio.run(run()) == [KEPT, None]
