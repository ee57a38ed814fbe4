"""The example teacher answers the OpenAI protocol, as its own SDK understands it, and refuses what it does not serve."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from example_teacher import ExampleTeacher, served_teacher
from openai import OpenAI

MODELS = Path(__file__).parents[2] / "examples" / "models"
QUESTION = [{"role": "user", "content": "What colour is a plum?"}]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server with a key that answers four requests a minute."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "key").write_text("right\n")
    options = ("--api-key-file", str(folder / "key"), "--allowed-requests-per-minute", "4")
    with served_teacher(MODELS, folder / "log", *options) as server:
        yield server


def text(teacher: ExampleTeacher, **changes: Any) -> str:
    status, body, _ = teacher.ask(**{"model": "apprentice", "messages": QUESTION, "max_tokens": 24, **changes})
    assert status == 200, body
    return str(body["choices"][0]["message"]["content"])


def test_openais_sdk_reads_the_answer(example_teacher: ExampleTeacher) -> None:
    client = OpenAI(base_url=example_teacher.base_url, api_key="none", max_retries=0)
    answer = client.chat.completions.create(model="teacher", messages=QUESTION, max_tokens=3, temperature=0)  # type: ignore[arg-type]
    (choice,) = answer.choices
    assert (choice.message.role, choice.finish_reason, answer.model) == ("assistant", "length", "teacher")
    assert answer.usage is not None
    assert (answer.usage.completion_tokens, answer.usage.total_tokens) == (3, answer.usage.prompt_tokens + 3)
    assert "teacher" in [model.id for model in client.models.list()]


def test_a_seeded_answer_does_not_depend_on_what_else_is_asked(example_teacher: ExampleTeacher) -> None:
    def ask(seed: int) -> str:
        # of different lengths, so that a batch needs padding
        messages = [{"role": "user", "content": "What colour is a plum?" + " Please!" * (seed % 5)}]
        return text(example_teacher, messages=messages, seed=seed, temperature=1.5, top_p=0.9)

    alone = [ask(seed) for seed in range(12)]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(ask, range(12)))
    assert together == alone
    assert len(set(alone)) > 6


def test_temperature_zero_and_a_tiny_nucleus_take_the_likeliest_token(example_teacher: ExampleTeacher) -> None:
    greedy = {text(example_teacher, temperature=0, seed=seed) for seed in range(3)}
    nucleus = {text(example_teacher, temperature=2, top_p=1e-6, seed=seed) for seed in range(3)}
    assert len(greedy) == 1
    assert nucleus == greedy


def test_an_answer_ends_before_a_stop_text(example_teacher: ExampleTeacher) -> None:
    whole = text(example_teacher, temperature=0)
    status, body, _ = example_teacher.ask(model="apprentice", messages=QUESTION, max_tokens=24, temperature=0, stop=[whole[5:8]])
    assert status == 200
    assert body["choices"][0]["message"]["content"] == whole[: whole.index(whole[5:8])].strip()
    assert body["choices"][0]["finish_reason"] == "stop"


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"n": 2}, 400, "n: "),
    ({"stream": True}, 400, "stream: "),
    ({"logprobs": True}, 400, "logprobs: "),
    ({"response_format": {"type": "json_object"}}, 400, "response_format: "),
    ({"tools": []}, 400, "tools: "),
    ({"temperature": 3}, 400, "temperature: "),
    ({"messages": []}, 400, "messages: "),
    ({"messages": [{"role": "tool", "content": "x"}]}, 400, "messages.0.role: "),
    ({"max_tokens": 100_000}, 400, "has room for"),
    ({"model": "oracle"}, 404, "no model 'oracle'"),
    ({"path": "/v1/embeddings"}, 404, "does not serve POST /v1/embeddings"),
]


@pytest.mark.parametrize(("changes", "status", "words"), REFUSED, ids=lambda value: str(value) if isinstance(value, dict) else "")
def test_it_refuses_what_it_does_not_serve(
    example_teacher: ExampleTeacher, changes: dict[str, Any], status: int, words: str
) -> None:
    refused, body, _ = example_teacher.ask(**{"model": "teacher", "messages": QUESTION, **changes})
    assert refused == status
    assert words in body["error"]["message"]
    assert body["error"]["message"].endswith(".")


def test_it_counts_each_request(example_teacher: ExampleTeacher) -> None:
    before_arrived, before_answered = example_teacher.counts()
    for seed in (901, 901, 902):
        text(example_teacher, seed=seed)
    arrived, answered = example_teacher.counts()
    assert sorted(arrived[digest] for digest in arrived.keys() - before_arrived.keys()) == [1, 2]
    assert sorted(answered[digest] for digest in answered.keys() - before_answered.keys()) == [1, 2]


def test_it_requires_its_key_and_allows_a_number_of_requests_per_minute(guarded: ExampleTeacher) -> None:
    body = {"model": "teacher", "messages": QUESTION, "max_tokens": 2}
    assert [guarded.ask(key=key, **body)[0] for key in (None, "wrong")] == [401, 401]
    assert [guarded.ask(key="right", **body)[0] for _ in range(4)] == [200] * 4
    status, _, headers = guarded.ask(key="right", **body)
    assert status == 429
    assert 1 <= int(headers["Retry-After"]) <= 60
