"""A stage that asks a real server which answers right, wrongly or not at all."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from alignment_api.run_config import RunConfig
from alignment_trainer.endpoints.asking import Asking
from alignment_trainer.endpoints.counts import Counts
from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.endpoints.servers import servers_of
from alignment_trainer.failures import BudgetSpent, KeyRefused, StageFailure, Stopped, Unreachable
from asked_stages import IMPATIENT, KEY, a_question, a_stage, ask_all, with_asking
from faulty_server import Act, a_faulty_server, answers, completion, cuts_body, drips, resets, says, waits

PAGE = says(200, "<html>Bad gateway</html>", kind="text/html")


def asked(config: RunConfig, count: int = 1, workers: int = 16, **question: Any) -> tuple[list[Answer | Unanswered], Counts]:
    """Ask questions 0, 1, 2..., and return the answers and the counts."""

    async def work(asking: Asking) -> tuple[list[Answer | Unanswered], Counts]:
        questions = [a_question(f"{number:03}", **question) for number in range(count)]
        return await ask_all(asking, config, questions, workers), asking.counts()

    return with_asking(config, work)


def failed(config: RunConfig, count: int = 100, workers: int = 16) -> StageFailure:
    with pytest.raises(StageFailure) as failure:
        asked(config, count, workers)
    return failure.value


def lines(config: RunConfig) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(config.paths.stage) / "asked.jsonl").read_text().splitlines()]


PASSING: dict[str, Act] = {
    "Status429": says(429, "", {"Retry-After": "0.1"}),
    "Status408": says(408, ""),
    "Status409": says(409, ""),
    "Status425": says(425, ""),
    "Status500": says(500, ""),
    "Status502": says(502, "<html></html>", kind="text/html"),
    "Status503": says(503, "", {"retry-after-ms": "50"}),
    "Status529": says(529, ""),
    "NoJson": PAGE,
    "NoChoices": says(200, {"choices": []}),
    "EmptyAnswer": answers(None),
    "ConnectionLost": cuts_body,
    "Timeout": drips(2.5),
}
UNPAID = {"Status429", "Status408", "Status409", "Status425", "Status500", "Status502", "Status503", "Status529"}


@pytest.mark.parametrize("reason", PASSING)
def test_what_may_pass_is_asked_again_and_counted(reason: str, tmp_path: Path) -> None:
    with a_faulty_server(PASSING[reason], PASSING[reason]) as server:
        config = a_stage(tmp_path, server.url, timeoutSeconds=2 if reason == "Timeout" else 30)
        (answer,), counts = asked(config)
    assert answer == Answer("yes", "stop", 7, 3)
    assert server.arrivals == 3
    assert (counts.requests, counts.faults, counts.unanswered) == (3, {reason: 2}, {})
    assert counts.estimated == (0 if reason in UNPAID | {"EmptyAnswer"} else 2)


FINAL: dict[str, Act] = {
    "Status400": says(400, {"error": {"message": "too long"}}),
    "Status404": says(404, ""),
    "Status413": says(413, ""),
    "Status422": says(422, ""),
    "FilteredAnswer": answers("ye", finish="content_filter"),
    "CutAnswer": answers(None, finish="length"),
}


@pytest.mark.parametrize("reason", FINAL)
def test_what_would_be_the_same_again_is_asked_once_and_never_kept(reason: str, tmp_path: Path) -> None:
    with a_faulty_server(FINAL[reason]) as server:
        config = a_stage(tmp_path, server.url)
        (answer,), counts = asked(config)
        assert isinstance(answer, Unanswered)
        assert answer.reason == reason
        assert answer.detail.startswith(f"{server.url} ")
        assert (server.arrivals, counts.requests, counts.unanswered) == (1, 1, {reason: 1})
        # The next attempt asks again.
        (answer,), counts = asked(config)
    assert isinstance(answer, Answer)
    assert (server.arrivals, counts.requests, counts.unanswered) == (2, 2, {})


@pytest.mark.parametrize("reason", ["EmptyAnswer", "NoChoices", "Status500"])
def test_a_question_that_always_fails_is_given_up_while_others_are_answered(reason: str, tmp_path: Path) -> None:
    def act(handler: Any) -> None:
        is_bad = handler.body["messages"][0]["content"] == "005"
        (PASSING[reason] if is_bad else answers())(handler)

    with a_faulty_server() as server:
        server.otherwise = act
        found, counts = asked(a_stage(tmp_path, server.url), 40, workers=4)
    assert [number for number, answer in enumerate(found) if isinstance(answer, Unanswered)] == [5]
    assert counts.unanswered == {reason: 1}
    assert counts.faults == {reason: IMPATIENT.tries}
    assert server.arrivals == counts.requests == 39 + IMPATIENT.tries


@pytest.mark.parametrize("reason", ["Status500", "NoJson", "ConnectionLost", "Status429"])
def test_questions_that_always_fail_are_given_up_where_nothing_else_is_left_to_ask(reason: str, tmp_path: Path) -> None:
    def act(handler: Any) -> None:
        is_bad = handler.body["messages"][0]["content"] in ("001", "003")
        (AWAY[reason] if is_bad else answers())(handler)

    with a_faulty_server() as server:
        server.otherwise = act
        config = a_stage(tmp_path, server.url)
        for kept in (0, 2):
            found, counts = asked(config, 4)
            assert [isinstance(answer, Answer) for answer in found] == [True, False, True, False]
            assert (counts.unanswered, counts.kept_answers, counts.requests) == ({reason: 2}, kept, server.arrivals)


def test_many_faults_among_many_answers_are_counted_exactly(tmp_path: Path) -> None:
    faults = [reason for reason in PASSING if reason != "Timeout"] * 2
    acts = []
    for reason in faults:
        acts += [answers()] * 5 + [PASSING[reason]]
    with a_faulty_server(*acts) as server:
        found, counts = asked(a_stage(tmp_path, server.url), 200)
    assert all(isinstance(answer, Answer) for answer in found)
    assert counts.faults == Counter(faults)
    assert counts.requests == server.arrivals == 200 + len(faults)
    ledger = lines(a_stage(tmp_path, server.url))
    assert Counter(line["reason"] for line in ledger if "failed" in line) == Counter(faults)


def test_each_answer_is_paid_for_once_in_all_jobs_of_a_namespace(tmp_path: Path) -> None:
    with a_faulty_server() as server:
        first, second = a_stage(tmp_path, server.url), a_stage(tmp_path, server.url, job="other", concurrency=3)
        found, _ = asked(first, 20)
        again, counts = asked(second, 20)
    assert server.arrivals == 20
    assert [(answer.text, answer.was_kept) for answer in again if isinstance(answer, Answer)] == [("yes", True)] * 20
    assert (counts.requests, counts.kept_answers) == (0, 20)
    assert not any(answer.was_kept for answer in found if isinstance(answer, Answer))


def test_a_stage_that_asks_several_times_counts_all_kept_answers(tmp_path: Path) -> None:
    with a_faulty_server() as server:
        asked(a_stage(tmp_path, server.url, job="first"), 20)
        config = a_stage(tmp_path, server.url)
        counts = [asked(config, 12)[1], asked(config, 5)[1], asked(config, 21)[1], asked(config, 0)[1]]
    assert [(one.kept_answers, one.requests) for one in counts] == [(12, 0), (17, 0), (37, 1), (37, 1)]


KEEPS = """
import asyncio, sys, time
from pathlib import Path
from alignment_trainer.endpoints import asking
from asked_stages import a_question, a_stage, ask_all, with_asking
asking._NOTE_SECONDS = 0.0
config = a_stage(Path(sys.argv[1]), sys.argv[2])

async def take(asking):
    await ask_all(asking, config, [a_question(f"{number:03}") for number in range(20)])
    print("taken", flush=True)
    time.sleep(600)

with_asking(config, take)
"""


def test_a_kill_forgets_only_the_kept_answers_of_some_seconds(tmp_path: Path) -> None:
    with a_faulty_server() as server:
        asked(a_stage(tmp_path, server.url, job="first"), 20)
        command = [sys.executable, "-c", KEEPS, str(tmp_path), server.url]
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as process:
            assert process.stdout and process.stdout.readline() == b"taken\n"
            os.kill(process.pid, signal.SIGKILL)
        counts = asked(a_stage(tmp_path, server.url), 0)[1]
    assert (counts.kept_answers, counts.requests) == (20, 0)


def test_the_same_question_at_the_same_time_is_asked_once(tmp_path: Path) -> None:
    with a_faulty_server() as server:
        config = a_stage(tmp_path, server.url)

        async def work(asking: Asking) -> list[Answer | Unanswered]:
            return await ask_all(asking, config, [a_question()] * 10)

        assert len(with_asking(config, work)) == 10
    assert server.arrivals == 1


def test_a_cut_answer_is_kept_and_a_cut_verdict_is_not(tmp_path: Path) -> None:
    with a_faulty_server() as server:
        server.otherwise = answers("ye", finish="length")
        config = a_stage(tmp_path, server.url)
        assert asked(config)[0] == [Answer("ye", "length", 7, 3)]
        assert asked(config)[0] == [Answer("ye", "length", 7, 3, was_kept=True)]
        for _ in range(2):
            (verdict,), _ = asked(config, needs_end=True)
            assert isinstance(verdict, Unanswered)
            assert verdict.reason == "CutAnswer"
    assert server.arrivals == 3


def test_requests_at_the_same_time_never_exceed_the_endpoint_s_concurrency(tmp_path: Path) -> None:
    with a_faulty_server() as server:
        server.otherwise = waits(0.02)
        asked(a_stage(tmp_path, server.url, concurrency=6), 60)
    assert 4 <= server.most <= 6


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    "headers", [lambda: {"Retry-After": "1"}, lambda: {"retry-after-ms": "1000"}, lambda: {"Retry-After": in_seconds(2)}]
)
def test_a_429_stops_every_worker(headers: Callable[[], dict[str, str]], tmp_path: Path) -> None:
    with a_faulty_server(*[answers()] * 30, lambda handler: says(429, "", headers())(handler)) as server:
        asked(a_stage(tmp_path, server.url), 100)
    assert server.arrivals == 101
    refused = server.times[30]
    # Only what was under way together with the refused request still arrives; a date has whole seconds.
    assert sum(refused < time < refused + 0.9 for time in server.times) <= 15


def test_a_server_that_asks_to_wait_90_seconds_hears_nothing_before(tmp_path: Path) -> None:
    with a_faulty_server(*[answers()] * 30) as server:
        server.otherwise = says(429, "", {"Retry-After": "90"})
        config = a_stage(tmp_path, server.url)

        async def work(asking: Asking) -> None:
            waiting = asyncio.create_task(ask_all(asking, config, map(a_question, map(str, range(100)))))
            seen = 0
            # Until all that is under way has its answer, and nothing more is sent.
            while not waiting.done() and (seen <= 30 or server.arrivals > seen):
                seen = server.arrivals
                await asyncio.sleep(1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

        with_asking(config, work)
        assert 31 <= server.arrivals <= 30 + 16
        server.otherwise = answers()
        found, counts = asked(config, 3)
    assert len(found) == 3
    assert counts.possibly_paid == 0


def test_who_waits_to_send_gets_the_failure_that_ends_the_stage_and_what_is_under_way_is_answered(tmp_path: Path) -> None:
    with a_faulty_server() as server:
        server.otherwise = waits(0.5)
        config = a_stage(tmp_path, server.url, concurrency=2)

        async def work(asking: Asking) -> list[Any]:
            (server_of,) = servers_of(config)
            tasks = [asyncio.create_task(asking(server_of, a_question(str(number)))) for number in range(6)]
            while server.arrivals < 2:
                await asyncio.sleep(0.01)
            asking.end(Stopped("stopped on request"))
            return await asyncio.gather(*tasks, return_exceptions=True)

        found = with_asking(config, work)
    assert [type(each).__name__ for each in found] == ["Answer"] * 2 + ["Stopped"] * 4
    assert server.arrivals == 2


@pytest.mark.parametrize(("asked_wait", "days"), [("129600", "1.5"), ("1e12", "11,5")])
@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_to_wait_longer_than_a_day_ends_the_stage(
    status: int, asked_wait: str, days: str, tmp_path: Path
) -> None:
    with a_faulty_server() as server:
        server.otherwise = says(status, "", {"Retry-After": asked_wait})
        failure = failed(a_stage(tmp_path, server.url), 1)
    assert isinstance(failure, Unreachable)
    assert f"{server.url} answers {status} " in str(failure)
    assert f"asks to wait {days}" in str(failure)
    assert server.arrivals == 1


BUDGETS: list[tuple[dict[str, Any], int, str]] = [
    ({"requests": 37}, 37, "spec.stages[0].distill.budget.requests: all 37 requests are spent; 37 answers are paid for and kept"),
    ({"tokens": 1000}, 90, "spec.stages[0].distill.budget.tokens: "),
    ({"cost": 0.9}, 80, "spec.stages[0].distill.budget.cost: "),
]
PRICE = {"promptPerMillionTokens": 1000, "answerPerMillionTokens": 1000}


@pytest.mark.parametrize(("budget", "least", "sentence"), BUDGETS)
def test_a_budget_is_never_exceeded_and_a_higher_one_continues(
    budget: dict[str, Any], least: int, sentence: str, tmp_path: Path
) -> None:
    with a_faulty_server() as server:
        server.otherwise = waits(0.005)
        failure = failed(a_stage(tmp_path, server.url, budget, price=PRICE), 200)
        arrivals = server.arrivals
        # All requests so far are answered and counted, and a next attempt sends none.
        assert str(failed(a_stage(tmp_path, server.url, budget, price=PRICE), 200)) == str(failure)
        assert server.arrivals == arrivals
        found, counts = asked(a_stage(tmp_path, server.url, {"requests": 1000}, price=PRICE), 200)
    assert isinstance(failure, BudgetSpent)
    assert str(failure).startswith(sentence)
    assert str(failure).endswith(f"{arrivals} answers are paid for and kept; raise it to continue with them")
    assert least <= arrivals <= budget.get("requests", 10**9)
    assert arrivals * 10 <= budget.get("tokens", 10**9)
    assert arrivals * 0.01 <= budget.get("cost", 10**9)
    assert len(found) == 200
    assert (server.arrivals, counts.requests, counts.answers) == (200, 200, 200)
    # The second attempt has taken some of them too.
    assert arrivals <= counts.kept_answers <= 2 * arrivals


def test_a_budget_counts_every_attempt_of_a_server_that_mostly_fails(tmp_path: Path) -> None:
    cycle: list[Act] = [answers(), says(500, ""), resets, says(429, "", {"retry-after-ms": "1"}), answers(None), PAGE]
    with a_faulty_server(*cycle * 10) as server:
        failure = failed(a_stage(tmp_path, server.url, {"requests": 50}), 200)
    assert isinstance(failure, BudgetSpent)
    assert server.arrivals == 50


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("needs_key", [True, False])
def test_a_refused_key_ends_the_stage_at_once(status: int, needs_key: bool, tmp_path: Path) -> None:
    with a_faulty_server() as server:
        server.otherwise = says(status, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
        failure = failed(a_stage(tmp_path, server.url, needs_key=needs_key))
    assert isinstance(failure, KeyRefused)
    assert str(failure).startswith(f"spec.stages[0].distill.teachers[0].apiKeySecret: {server.url} answers {status} ")
    assert ("entry 'api-key' of Secret 'teacher'" in str(failure)) == needs_key
    # Those that were under way together.
    assert server.arrivals <= 4


def test_a_refused_key_ends_also_those_who_wait_for_the_budget(tmp_path: Path) -> None:
    def refuses(handler: Any) -> None:
        time.sleep(0.2)
        says(401, "")(handler)

    with a_faulty_server() as server:
        server.otherwise = refuses
        config = a_stage(tmp_path, server.url, {"tokens": 150})

        async def work(asking: Asking) -> list[Any]:
            (server_of,) = servers_of(config)
            tasks = [asyncio.create_task(asking(server_of, a_question(str(number)))) for number in range(6)]
            done, _ = await asyncio.wait(tasks, timeout=10)
            return [type(task.exception()).__name__ for task in done]

        found = with_asking(config, work)
    assert found == ["KeyRefused"] * 6
    assert server.arrivals == 1


AWAY: dict[str, Act] = {
    "Status500": says(500, ""),
    "Status503": says(503, "", {"retry-after-ms": "1"}),
    "Status429": says(429, "", {"retry-after-ms": "1"}),
    "NoJson": PAGE,
    "ConnectionLost": resets,
}


@pytest.mark.parametrize("reason", AWAY)
def test_a_server_that_always_fails_ends_the_stage_which_keeps_its_answers(reason: str, tmp_path: Path) -> None:
    with a_faulty_server(*[answers()] * 30) as server:
        server.otherwise = AWAY[reason]
        config = a_stage(tmp_path, server.url)
        failure = failed(config)
        server.otherwise = answers()
        arrivals = server.arrivals
        found, counts = asked(config, 100)
    assert isinstance(failure, Unreachable)
    assert str(failure).startswith(f"spec.stages[0].distill.teachers[0].baseUrl: {server.url} ")
    assert f"failed {IMPATIENT.failures} times in a row" in str(failure)
    assert all(isinstance(answer, Answer) for answer in found)
    assert counts.kept_answers == 30
    assert server.arrivals == arrivals + 70
    assert counts.requests == server.arrivals


def test_a_server_that_is_not_there_costs_no_budget(tmp_path: Path) -> None:
    with a_faulty_server() as server:
        pass
    config = a_stage(tmp_path, server.url, {"requests": 5})
    failure = failed(config)
    assert isinstance(failure, Unreachable)
    assert "accepts no connection" in str(failure)
    assert {line["requests"] for line in lines(config) if "failed" in line} == {0}


PROBES: dict[str, tuple[Act, str]] = {
    "an answer": (answers("y", finish="length"), ""),
    "a token that is no text": (answers(None, finish="length"), ""),
    "an empty answer": (answers(""), ""),
    "an unknown model": (
        says(404, {"error": {"message": "The model `large` does not exist."}}),
        'BadConfiguration: spec.stages[0].distill.teachers[0].model: {url} answers 404 Not Found ("The model `large` does not '
        "exist\") to a question of one token; correct the model's name, or baseUrl, which for most servers ends in /v1",
    ),
    "a refused parameter": (
        says(400, {"error": {"message": "No top_p.", "param": "top_p"}}),
        'BadConfiguration: spec.stages[0].distill.teachers[0]: {url} answers 400 Bad Request ("No top_p") '
        "to a question of one token with temperature, top_p and n; choose a model and a server that take these, or correct "
        "the model's name",
    ),
    "a form that is not understood": (says(422, ""), "BadConfiguration: spec.stages[0].distill.teachers[0]: {url} answers 422"),
    "a refused key": (says(401, ""), "KeyRefused: spec.stages[0].distill.teachers[0].apiKeySecret: {url} answers 401"),
    "a page": (PAGE, "Unreachable: spec.stages[0].distill.teachers[0].baseUrl: {url} answers 200 with a page"),
    "a closed connection": (resets, "Unreachable: spec.stages[0].distill.teachers[0].baseUrl: {url} closed the connection"),
}


@pytest.mark.parametrize("case", PROBES)
def test_the_first_call_of_one_token_says_what_is_wrong(case: str, tmp_path: Path) -> None:
    act, sentence = PROBES[case]
    with a_faulty_server() as server:
        server.otherwise = act
        config = a_stage(tmp_path, server.url)

        async def work(asking: Asking) -> str:
            try:
                await asking.probe(servers_of(config))
            except StageFailure as failure:
                return f"{failure.reason}: {failure}"
            return ""

        shown = with_asking(config, work)
    assert shown.startswith(sentence.format(url=server.url))
    assert bool(shown) == bool(sentence)
    assert server.bodies[0]["max_tokens"] == 1
    assert list((tmp_path / "team/answers").iterdir()) == []
    assert sum(line["requests"] for line in lines(config) if "sent" not in line) == server.arrivals


def test_a_probe_leaves_a_spent_budget_to_the_first_question(tmp_path: Path) -> None:
    with a_faulty_server() as server:
        config = a_stage(tmp_path, server.url, {"requests": 1})

        async def work(asking: Asking) -> None:
            for _ in range(3):
                await asking.probe(servers_of(config))

        with_asking(config, work)
    assert server.arrivals == 1


def test_a_probe_is_none_of_the_answers_that_are_paid_for_and_kept(tmp_path: Path) -> None:
    with a_faulty_server() as server:
        config = a_stage(tmp_path, server.url, {"requests": 12})

        async def work(asking: Asking) -> str:
            await asking.probe(servers_of(config))
            with pytest.raises(BudgetSpent) as spent:
                await ask_all(asking, config, [a_question(str(number)) for number in range(20)])
            return str(spent.value)

        shown = {with_asking(config, work) for _ in range(2)}
    assert server.arrivals == 12
    assert shown == {
        "spec.stages[0].distill.budget.requests: all 12 requests are spent; 11 answers are paid for and kept; "
        "raise it to continue with them"
    }


def test_another_model_than_the_one_asked_for_is_a_warning(tmp_path: Path) -> None:
    with a_faulty_server() as server:
        for name, answered in (("exact", "large"), ("dated", "large-2026-01-01"), ("other", "tiny")):
            server.otherwise = answers(model=answered)
            config = a_stage(tmp_path, server.url, job=name, model="large")
            asked(config, 3, seed=len(name) + ord(name[0]))
            warnings = Path(config.paths.stage) / "warnings.json"
            assert warnings.exists() == (name == "other")
    assert json.loads(warnings.read_text()) == [
        "spec.stages[0].distill.teachers[0].model: the server was asked for 'large' and says that 'tiny' answered; check its name"
    ]


def test_a_server_that_refuses_seeds_is_asked_without_and_pays_for_no_answer_twice(tmp_path: Path) -> None:
    def act(handler: Any) -> None:
        refuses = says(400, {"error": {"message": "Unsupported parameter: 'seed'.", "param": "seed"}})
        (refuses if "seed" in handler.body else answers())(handler)

    with a_faulty_server() as server:
        server.otherwise = act
        config = a_stage(tmp_path, server.url)
        found, counts = asked(config, 8, workers=1)
        again, counts_again = asked(config, 8, workers=1)
    assert all(isinstance(answer, Answer) and not answer.was_kept for answer in found)
    assert (server.arrivals, counts.requests, counts.faults, counts.unanswered) == (9, 9, {"Status400": 1}, {})
    # The seed of a question still belongs to the key of its answer.
    assert all(isinstance(answer, Answer) and answer.was_kept for answer in again)
    assert counts_again.kept_answers == 8
    assert json.loads((Path(config.paths.stage) / "warnings.json").read_text()) == [
        f"spec.stages[0].distill.teachers[0]: {server.url} takes no seed, and is asked without one; an answer that is paid again "
        f"may be another one"
    ]


ASKS = """
import asyncio, sys
from pathlib import Path
from asked_stages import a_question, a_stage, ask_all, with_asking
config = a_stage(Path(sys.argv[1]), sys.argv[2])
with_asking(config, lambda asking: ask_all(asking, config, [a_question(f"{number:03}") for number in range(200)]))
"""


def test_after_a_kill_no_answered_question_arrives_again(tmp_path: Path) -> None:
    with a_faulty_server() as server:
        server.otherwise = waits(0.02)
        config = a_stage(tmp_path, server.url)
        process = subprocess.Popen([sys.executable, "-c", ASKS, str(tmp_path), server.url], env=environment())
        wait_for(lambda: server.arrivals >= 60)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        # The server still works on what has arrived.
        wait_for(lambda: server.now == 0)
        before = Counter(body["messages"][0]["content"] for body in server.bodies)
        # The last line may be torn.
        answered = (Path(config.paths.stage) / "asked.jsonl").read_text().count('"answered"') - 1
        found, counts = asked(config, 200)
        later = asked(config, 200)[1]
    arrived = Counter(body["messages"][0]["content"] for body in server.bodies)
    twice = [text for text, times in arrived.items() if times > 1]
    assert set(before.values()) == {1}
    assert len(found) == len(arrived) == 200
    assert answered > 0
    # A line is written before its request is sent: a few more may be possibly paid than have arrived.
    assert len(twice) <= counts.possibly_paid <= 16
    assert counts.requests == 200 + counts.possibly_paid
    assert counts.kept_answers >= answered
    # A further attempt knows the same, although the questions are answered now.
    assert (later.requests, later.possibly_paid, later.answers) == (counts.requests, counts.possibly_paid, counts.answers)
    assert server.arrivals == 200 + len(twice)


def test_an_answer_that_was_kept_just_before_a_kill_is_not_possibly_paid(tmp_path: Path) -> None:
    with a_faulty_server() as server:
        config = a_stage(tmp_path, server.url)
        asked(config, 3)
        ledger = Path(config.paths.stage) / "asked.jsonl"
        ends = [line for line in ledger.read_text().splitlines(keepends=True) if '"answered": 3' not in line]
        ledger.write_text("".join(ends))
        found, counts = asked(config, 3)
    assert all(isinstance(answer, Answer) and answer.was_kept for answer in found)
    assert (counts.answers, counts.possibly_paid, counts.requests, server.arrivals) == (3, 0, 3, 3)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def wait_for(condition: Any) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


LEAKS: dict[str, Act] = {
    "an answer": answers(),
    "an answer with the key": answers(f"Your key is {KEY}"),
    "an error with the key": says(400, {"error": {"message": f"no {KEY}"}}),
    "a failure with the key": says(500, {"error": {"message": f"no {KEY[3:]}"}}),
    "a refusal with the key": says(401, {"error": {"message": f"no {KEY}"}}),
    "a busy server with the key": says(429, {"detail": KEY}, {"Retry-After": "0.01"}),
    "a page with the key": says(200, f"<html>{KEY}</html>", kind="text/html"),
    "broken JSON with the key": says(200, f'{{"{KEY}'),
    "a model with the key": says(200, completion(model=KEY)),
    "a reason with the key": says(200, completion(finish=KEY)),
    "a redirect with the key": says(307, "", {"Location": f"/v2/{KEY}"}),
    "a redirect to another server": says(307, "", {"Location": "http://127.0.0.1:1/v1"}),
    "a header with the key": says(503, "", {"Retry-After": KEY}),
    "a cut body": cuts_body,
    "a closed connection": resets,
}


@pytest.mark.parametrize("case", LEAKS)
def test_the_key_is_in_no_file_no_output_no_log_and_no_failure(
    case: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    shown = ""
    # Only httpcore2, which nobody asks for its thoughts, repeats a server's headers when it logs everything.
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "httpcore2")
    with a_faulty_server() as server:
        server.otherwise = LEAKS[case]
        config = a_stage(tmp_path, server.url, {"requests": 30}, needs_key=True)
        try:
            shown = repr(asked(config, 3))
        except StageFailure as failure:
            shown = repr(failure) + repr(failure.__cause__) + repr(failure.__context__)
    assert set(server.keys) == {f"Bearer {KEY}"}
    written = "".join(path.read_text() for folder in ("job", "team") for path in (tmp_path / folder).rglob("*") if path.is_file())
    output = capfd.readouterr()
    for text in (shown, written, caplog.text, output.out, output.err):
        assert not any(KEY[start : start + 8] in text for start in range(len(KEY) - 7))


def test_the_module_needs_no_torch() -> None:
    program = "import sys, alignment_trainer.endpoints.asking; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_servers_of_a_stage_have_their_field(tmp_path: Path) -> None:
    (server,) = servers_of(a_stage(tmp_path, "http://teacher/v1"))
    assert server.field == "spec.stages[0].distill.teachers[0]"
