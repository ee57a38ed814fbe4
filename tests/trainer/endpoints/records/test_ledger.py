"""What a stage has asked, as its next attempt reads it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from alignment_trainer.endpoints.records.ledger import History, Ledger, read_history
from alignment_trainer.endpoints.spending import Charge

MOST, CHARGE = Charge(1, 80, 20, 0.5), Charge(1, 7, 3, 0.01)


def sent(number: int) -> dict[str, Any]:
    return {"sent": number, "key": "key of lost", "requests": 1, "promptTokens": 80, "answerTokens": 20, "cost": 0.5}


async def write(path: Path, *ends: str) -> None:
    """Write one request after the other, each with its end."""
    ledger = Ledger(path, read_history(path).last)
    for end in ends:
        number = ledger.next_number()
        await ledger.sent(number, f"key of {end}", MOST)
        if end == "answered":
            await ledger.answered(number, CHARGE, is_estimated=False)
        elif end == "estimated":
            await ledger.answered(number, MOST, is_estimated=True)
        elif end == "failed":
            await ledger.failed(number, "Status500", Charge(1), is_estimated=False)
        elif end == "possibly paid":
            await ledger.possibly_paid(number, MOST)
    await ledger.close()


HISTORIES = {
    "nothing": ((), History()),
    "an answer": (("answered",), History(1, CHARGE, answers=1)),
    "a failure": (("failed",), History(1, Charge(1))),
    "an answer without usage": (("estimated",), History(1, MOST, answers=1, estimated=1)),
    "a request in flight": (("lost",), History(1, in_flight={1: sent(1)})),
    "a request whose answer nobody knows": (("possibly paid",), History(1, MOST, possibly_paid=1)),
    "all of them": (
        ("answered", "lost", "failed", "answered", "lost"),
        History(5, CHARGE + CHARGE + Charge(1), 2, 0, 0, {2: sent(2), 5: sent(5)}),
    ),
}


@pytest.mark.parametrize("case", HISTORIES)
def test_the_next_attempt_knows_what_was_paid_and_what_possibly_was(case: str, tmp_path: Path) -> None:
    ends, history = HISTORIES[case]
    asyncio.run(write(tmp_path / "asked.jsonl", *ends))
    assert read_history(tmp_path / "asked.jsonl") == history


def test_kept_answers_of_all_openings_are_counted(tmp_path: Path) -> None:
    async def take(answers: int) -> None:
        ledger = Ledger(tmp_path / "asked.jsonl", 0)
        await ledger.kept(answers)
        await ledger.close()

    for answers in (12, 5):
        asyncio.run(take(answers))
    assert read_history(tmp_path / "asked.jsonl") == History(kept=17)


def test_attempts_continue_the_numbers_of_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "asked.jsonl"
    asyncio.run(write(path, "answered", "lost"))
    asyncio.run(write(path, "answered"))
    assert [line.get("sent") for line in map(json.loads, path.read_text().splitlines())] == [1, None, 2, 3, None]
    assert read_history(path).answers == 2


def test_half_a_line_of_a_crash_is_cut_off_and_its_request_is_possibly_paid(tmp_path: Path) -> None:
    path = tmp_path / "asked.jsonl"
    asyncio.run(write(path, "answered", "answered"))
    path.write_bytes(path.read_bytes()[:-10])
    history = read_history(path)
    assert (history.answers, list(history.in_flight)) == (1, [2])
    asyncio.run(write(path, "answered"))
    assert read_history(path).answers == 2


@pytest.mark.parametrize(
    "damaged", [b'{"answered": 1, "req{"sent": 2, "key": "lost"}', b"\0\xff", b"[]", b"{}", b"1", b'{"answered": 1}', b""]
)
def test_a_damaged_line_leaves_its_request_in_flight_and_the_others_as_they_are(damaged: bytes, tmp_path: Path) -> None:
    path = tmp_path / "asked.jsonl"
    asyncio.run(write(path, "lost"))
    path.write_bytes(path.read_bytes() + damaged + b"\n")
    asyncio.run(write(path, "answered"))
    history = read_history(path)
    assert (history.answers, history.spent, list(history.in_flight)) == (1, CHARGE, [1])
