"""One attempt at a real server that answers right, wrongly or not at all."""

import asyncio
from threading import Barrier
from typing import Any

import pytest
from alignment_api.run_config import EndpointKey
from alignment_api.spec.endpoints import Endpoint, SecretKey
from alignment_trainer.endpoints.key import Access
from alignment_trainer.endpoints.permission import permission
from alignment_trainer.endpoints.question import Question, SamplingSettings, Server
from alignment_trainer.endpoints.replies import Fault, Reply, Usage
from alignment_trainer.endpoints.wire import Wire
from faulty_server import Act, FaultyServer, a_faulty_server, answers, completion, cuts_body, drips, resets, says, waits
from pydantic import SecretStr

KEY = "sk-0123456789abcdef"
QUESTION = Question(({"role": "user", "content": "hi"},), SamplingSettings(0.5, 0.9, 5), seed=3)
VERDICT = Question(QUESTION.messages, QUESTION.sampling, seed=3, needs_end=True)
PAGE = "<html><body>Bad gateway</body></html>"


def send(server: FaultyServer, question: Question = QUESTION, needs_key: bool = False, timeout: int = 30) -> Reply | Fault:
    known = EndpointKey(secret=SecretKey(name="teacher", key="api-key"), namespace="team", allowed_endpoints="/none")
    access = Access(SecretStr(KEY), permission(server.url, known, server.url)) if needs_key else None
    endpoint = Endpoint(base_url=server.url, model="large", timeout_seconds=timeout)

    async def once() -> Reply | Fault:
        wire = Wire(Server("spec.stages[0].distill.teachers[0]", endpoint), access)
        try:
            return await wire.send(question)
        finally:
            await wire.close()

    return asyncio.run(once())


FAULTS: dict[str, tuple[Act, str, str]] = {
    "429": (says(429, {"error": {"message": "slow down"}}), "Busy", "Status429"),
    "408": (says(408, ""), "Down", "Status408"),
    "409": (says(409, ""), "Down", "Status409"),
    "425": (says(425, ""), "Down", "Status425"),
    "500 with a page": (says(500, PAGE, kind="text/html"), "Down", "Status500"),
    "502": (says(502, ""), "Down", "Status502"),
    "503 that claims to be final": (says(503, "", {"x-should-retry": "false"}), "Down", "Status503"),
    "529": (says(529, ""), "Down", "Status529"),
    "400 that claims to pass": (says(400, "", {"x-should-retry": "true"}), "Rejected", "Status400"),
    "404": (says(404, {"error": {"message": "no such model"}}), "Rejected", "Status404"),
    "413": (says(413, ""), "Rejected", "Status413"),
    "422": (says(422, {"detail": [{"loc": ["n"]}]}), "Rejected", "Status422"),
    "401": (says(401, {"error": "?"}), "Refused", "Status401"),
    "403": (says(403, ""), "Refused", "Status403"),
    "a page with 200": (says(200, PAGE, kind="text/html"), "Down", "NoJson"),
    "a page that claims to be JSON": (says(200, PAGE), "Down", "NoJson"),
    "broken JSON": (says(200, '{"id": "1", "choi'), "Down", "NoJson"),
    "a list": (says(200, [1]), "Down", "NoJson"),
    "no choices": (says(200, {"id": "1"}), "Unusable", "NoChoices"),
    "an empty list of choices": (says(200, {"choices": []}), "Unusable", "NoChoices"),
    "choices that are a text": (says(200, {"choices": "yes"}), "Unusable", "NoChoices"),
    "choices that are texts": (says(200, {"choices": ["yes"]}), "Unusable", "NoChoices"),
    "null content": (answers(None), "Unusable", "EmptyAnswer"),
    "empty content": (answers(""), "Unusable", "EmptyAnswer"),
    "blank content": (answers(" \n"), "Unusable", "EmptyAnswer"),
    "content that is a list": (answers([{"text": "yes"}]), "Unusable", "EmptyAnswer"),
    "null content, cut": (answers(None, finish="length"), "Rejected", "CutAnswer"),
    "a filtered answer": (answers("ye", finish="content_filter"), "Rejected", "FilteredAnswer"),
    "a cut body": (cuts_body, "Down", "ConnectionLost"),
    "a closed connection": (resets, "Down", "ConnectionLost"),
    "a slow answer": (waits(1.5), "Down", "Timeout"),
    "an answer byte by byte": (drips(1.5), "Down", "Timeout"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_each_fault_has_its_kind_and_reason(case: str) -> None:
    act, kind, reason = FAULTS[case]
    with a_faulty_server(act) as server:
        fault = send(server, timeout=1 if reason == "Timeout" else 30)
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.reason) == (kind, reason)
    # One attempt is one request: the SDK tries nothing again.
    assert server.arrivals == 1


ANSWERS = {
    "an answer": (answers("yes"), Reply("yes", "stop", Usage(7, 3), "large")),
    "a cut answer": (answers("ye", finish="length"), Reply("ye", "length", Usage(7, 3), "large")),
    "an answer of another model": (answers("yes", model="small"), Reply("yes", "stop", Usage(7, 3), "small")),
    "an answer without usage": (answers("yes", usage=None), Reply("yes", "stop", None, "large")),
    "an answer with a usage of nothing": (answers("yes", usage=(0, 0)), Reply("yes", "stop", None, "large")),
    "an answer with a prompt of nothing": (answers("yes", usage=(0, 3)), Reply("yes", "stop", None, "large")),
    "an answer of no tokens": (answers("yes", usage=(7, 0)), Reply("yes", "stop", None, "large")),
    "an answer with a usage of words": (
        says(200, {**completion(), "usage": {"prompt_tokens": "many"}}),
        Reply("yes", "stop", None, "large"),
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_usable_answer_is_read_with_what_the_server_says_of_it(case: str) -> None:
    act, reply = ANSWERS[case]
    with a_faulty_server(act) as server:
        assert send(server) == reply


def test_a_cut_verdict_is_no_answer() -> None:
    with a_faulty_server(answers("score: 1", finish="length")) as server:
        fault = send(server, VERDICT)
    assert isinstance(fault, Fault)
    assert fault.reason == "CutAnswer"


def test_a_server_that_is_not_there_got_nothing() -> None:
    with a_faulty_server() as server:
        pass
    fault = send(server)
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.reason, fault.never_arrived) == ("Down", "NoConnection", True)


def test_the_request_asks_for_one_answer_with_its_seed_and_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "of-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    with a_faulty_server() as server:
        send(server)
    assert server.bodies == [
        {
            "model": "large",
            "messages": [{"role": "user", "content": "hi"}],
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 5,
            "seed": 3,
            "n": 1,
        }
    ]
    assert "of-the-environment" not in str(server.headers)


def test_a_server_that_knows_only_the_newer_name_of_the_limit_is_asked_with_it() -> None:
    unknown = says(400, {"error": {"message": "Unsupported parameter", "param": "max_tokens", "code": "unsupported_parameter"}})
    with a_faulty_server(unknown, answers(), unknown) as server:

        async def thrice() -> list[str]:
            wire = Wire(Server("teacher", Endpoint(base_url=server.url, model="large")), None)
            found = [await wire.send(QUESTION) for _ in range(3)]
            await wire.close()
            return [reply.kind if isinstance(reply, Fault) else reply.text for reply in found]

        # The second refusal of a limit is final.
        assert asyncio.run(thrice()) == ["Unusable", "yes", "Rejected"]
    limits = [{name: body.get(name) for name in ("max_tokens", "max_completion_tokens")} for body in server.bodies]
    newer = {"max_tokens": None, "max_completion_tokens": 5}
    assert limits == [{"max_tokens": 5, "max_completion_tokens": None}, newer, newer]


def test_a_server_that_takes_no_seed_is_asked_without_one() -> None:
    unknown = says(
        422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}
    )
    with a_faulty_server(unknown, answers(), unknown) as server:

        async def thrice() -> list[str]:
            wire = Wire(Server("teacher", Endpoint(base_url=server.url, model="large")), None)
            found = [await wire.send(QUESTION) for _ in range(3)]
            await wire.close()
            return [reply.kind if isinstance(reply, Fault) else reply.text for reply in found]

        # Without a seed, the same refusal has another cause.
        assert asyncio.run(thrice()) == ["Unusable", "yes", "Rejected"]
    assert ["seed" in body for body in server.bodies] == [True, False, False]


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("error", [{"param": "max_tokens"}, {"message": "Use 'max_completion_tokens' instead of 'max_tokens'."}])
def test_requests_that_go_out_together_all_learn_the_newer_name_of_the_limit(status: int, error: dict[str, str]) -> None:
    arrived = Barrier(3)

    def refuses(handler: Any) -> None:
        arrived.wait(10)
        says(status, {"error": error})(handler)

    with a_faulty_server(refuses, refuses, refuses) as server:

        async def twice() -> list[str]:
            wire = Wire(Server("teacher", Endpoint(base_url=server.url, model="large")), None)
            found = [*await asyncio.gather(*(wire.send(QUESTION) for _ in range(3))), await wire.send(QUESTION)]
            await wire.close()
            return [reply.kind if isinstance(reply, Fault) else reply.text for reply in found]

        assert asyncio.run(twice()) == ["Unusable", "Unusable", "Unusable", "yes"]


ECHOES = {
    "an error": says(400, {"error": {"message": f"Incorrect API key provided: {KEY}"}}),
    "an error with a part of it": says(401, {"error": {"message": f"Incorrect API key provided: {KEY[:10]}***"}}),
    "an answer": answers(f"Your key is {KEY}"),
    "a page": says(502, f"<html>{KEY}</html>", kind="text/html"),
    "a model's name": says(200, {**completion(None), "model": KEY}),
    "a reason": answers(finish=KEY),
    "a redirect": says(307, "", {"Location": f"http://127.0.0.1:1/{KEY}"}),
}


@pytest.mark.parametrize("case", ECHOES)
def test_no_server_gets_its_key_into_an_answer_or_a_sentence(case: str) -> None:
    with a_faulty_server(ECHOES[case]) as server:
        try:
            shown = repr(send(server, needs_key=True))
        except Exception as error:
            shown = repr(error)
    assert server.keys == [f"Bearer {KEY}"]
    assert not any(KEY[start : start + 8] in shown for start in range(len(KEY) - 7))
