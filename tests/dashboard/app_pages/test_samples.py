"""The page of samples as a visitor gets it, run by Streamlit's own test harness."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard import cache
from alignment_dashboard.cache import Known
from opened_pages import words
from streamlit.testing.v1 import AppTest

JobWriter = Callable[..., AlignmentJob]
Store = dict[tuple[str, str], list[dict[str, Any]]]
HOSTILE = """<script>alert(1)</script> <img src=x onerror=alert(1)> [a](javascript:alert(1))
$x$ :smile: **b** `c` http://example.com \u202egnp.exe half \ud83d"""
AS_OF = datetime(2026, 1, 1, 12, 3, tzinfo=UTC)
PROBLEM = "MLflow does not answer."


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """Let the page read rows from this dictionary, by job and stage; with a stage "away" nothing newer is known."""
    rows: Store = {}

    def samples(job_uid: str, stage: str) -> Known[list[dict[str, Any]]]:
        return Known(rows.get((job_uid, stage), []), PROBLEM if (job_uid, "away") in rows else None, AS_OF)

    monkeypatch.setattr(cache, "samples", samples)
    return rows


def row(step: int, policy: str, prompt: str = "Why?", **others: Any) -> dict[str, Any]:
    return {"step": step, "key": f"key-{prompt}", "prompt": prompt, "policy": policy, **others}


def samples_page(jobs: str, **query: str) -> AppTest:
    """Open the page of samples at an address."""
    cache.clear()
    app = AppTest.from_file(str(files("alignment_dashboard") / "app.py"), default_timeout=30)
    app.switch_page("app_pages/samples.py")
    for name, value in {"jobs": jobs, **query}.items():
        app.query_params[name] = value
    return rerun(app)


def rerun(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def html(app: AppTest) -> str:
    """Return the HTML of the prompt and of its answers."""
    return "".join(element.proto.body for element in app.get("html"))


def headings(app: AppTest) -> list[str]:
    return re.findall(r"<h3[^>]*>(.*?)</h3>", html(app))


@pytest.fixture
def job(write_job: JobWriter, store: Store) -> AlignmentJob:
    """Write a job with samples of the base model, of sft and of dpo."""
    store["uid-a", "sft"] = [row(step, f"sft {step}", prompt) for step in (0, 50, 100) for prompt in ("Why?", "How?")]
    store["uid-a", "dpo"] = [row(100, "dpo 100", chosen="good", rejected="bad"), row(200, "dpo 200"), row(200, "sft 100", "How?")]
    return write_job("a", {"phase": "Succeeded"})


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, ["base", "sft, step 100", "dpo, step 200"]),
        ({"step": "100"}, ["base", "chosen", "sft, step 100", "rejected", "dpo, step 100"]),
        ({"step": "100", "step.sft": "50"}, ["base", "chosen", "sft, step 50", "rejected", "dpo, step 100"]),
        ({"stage": "sft", "step": "50"}, ["base", "sft, step 50", "dpo, step 200"]),
        ({"stage": "none", "step": "7"}, ["base", "sft, step 100", "dpo, step 200"]),
    ],
)
def test_the_address_says_which_steps_of_one_job_are_shown(job: AlignmentJob, query: dict[str, str], shown: list[str]) -> None:
    assert headings(samples_page("uid-a", **query)) == shown


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, ["base", "a, step 200", "b, step 100"]),
        ({"stage": "sft"}, ["base", "a, step 100", "b, step 50"]),
        ({"stage": "dpo", "step": "100"}, ["base", "chosen", "a, step 100", "rejected", "b, step 100"]),
    ],
)
def test_one_stage_of_two_jobs(
    job: AlignmentJob, write_job: JobWriter, store: Store, query: dict[str, str], shown: list[str]
) -> None:
    write_job("b")
    store["uid-b", "sft"] = [row(0, "base"), row(50, "b")]
    store["uid-b", "dpo"] = [row(100, "b")]
    assert headings(samples_page("uid-a,uid-b", **query)) == shown


def test_arrows_move_between_prompts(job: AlignmentJob) -> None:
    app = samples_page("uid-a")
    app.pagination[0].set_value(2)
    rerun(app)
    assert "How?" in html(app)
    assert app.query_params["prompt"] == "key-How?"
    assert app.pagination[0].value == 2


def test_filters_hide_prompts_but_not_the_filters(job: AlignmentJob) -> None:
    app = samples_page("uid-a", text="how", prompt="key-Why?")
    assert "Prompt 1 of 1" in words(app)
    assert "How?" in html(app)
    app.text_input[0].set_value("nowhere")
    assert "No sample matches these filters." in words(rerun(app))
    assert app.text_input[0].value == "nowhere"


def test_the_output_that_others_are_compared_with_can_be_chosen(job: AlignmentJob) -> None:
    assert [len(re.findall("<ins", html(samples_page("uid-a", marks=marks)))) for marks in ("previous", "base", "nothing")] == [
        2,
        2,
        0,
    ]
    assert "changed from sft, step 100" in html(samples_page("uid-a"))
    assert "changed from base</p>" in html(samples_page("uid-a", marks="base"))


@pytest.mark.parametrize("text", [HOSTILE, "x" * 100_000, ""], ids=["hostile", "long", "empty"])
def test_texts_of_prompts_and_answers_are_literal(write_job: JobWriter, store: Store, text: str) -> None:
    store["uid-a", "sft"] = [
        row(0, "other", prompt=text, chosen=text, rejected=text, reference=text),
        row(1, text, prompt=text),
        row(2, text, prompt=text),
    ]
    write_job("a")
    app = samples_page("uid-a")
    tags = set(re.findall(r"<([a-z0-9]+)", html(app)))
    assert tags <= {"div", "section", "h3", "p", "ins", "del", "span", "em"}
    assert not [element for element in app.markdown if "alert" in element.value or "smile" in element.value]
    assert len(html(app)) < 30_000


def test_numbers_on_top(job: AlignmentJob) -> None:
    shown = {metric.label.replace("\\", ""): (metric.value, metric.delta) for metric in samples_page("uid-a").metric}
    assert shown == {
        "Prompts": ("2", ""),
        "base": ("2 words", "mean length"),
        "sft, step 100": ("2 words", "2 of 2 changed"),
        "dpo, step 200": ("2 words", "2 of 2 changed"),
    }


def test_a_store_that_is_away_keeps_the_last_samples(job: AlignmentJob, store: Store) -> None:
    store["uid-a", "away"] = []
    app = samples_page("uid-a")
    assert f"{PROBLEM} Samples are shown as of 12:03 UTC." in words(app)
    assert headings(app) == ["base", "sft, step 100", "dpo, step 200"]


@pytest.mark.parametrize(
    ("jobs", "sentence"),
    [
        ("", "No run is chosen."),
        ("uid-gone", "No run has the id uid-gone"),
        ("uid-b", "Stage dpo of b has no samples, since the job holds out no rows."),
        ("uid-b,uid-a", "Stage dpo of b has no samples"),
    ],
)
def test_without_samples_a_sentence_says_why(job: AlignmentJob, write_job: JobWriter, jobs: str, sentence: str) -> None:
    write_job(
        "b", {"phase": "Succeeded", "stages": [{"name": name, "state": "Succeeded", "attempts": 1} for name in ("sft", "dpo")]}
    )
    assert sentence in words(samples_page(jobs))


def test_partial_data(write_job: JobWriter, store: Store) -> None:
    write_job("a")
    old = [{"step": 100, "prompt": "Old?", "policy": "answer"}, {"step": 200, "policy": None}, {}]
    store["uid-a", "dpo"] = [*old, row(200, "new", "New?")]
    app = samples_page("uid-a", step="100")
    assert "Old?" in html(app)
    assert "The base model's answers are missing" in words(app)


def test_a_store_that_was_never_read_does_not_mean_that_there_are_no_samples(write_job: JobWriter, store: Store) -> None:
    write_job("a", {"phase": "Succeeded"})
    store["uid-a", "away"] = []
    shown = words(samples_page("uid-a"))
    assert PROBLEM in shown
    assert "as of" not in shown
    assert "Stage" not in shown
