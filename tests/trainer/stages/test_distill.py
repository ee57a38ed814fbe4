"""A stage whose rows teachers write: against a real server that fails, is slow, or goes on after the stage was killed."""

import json
import os
import random
import re
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from alignment_trainer.failures import BudgetSpent, TooFewRows
from alignment_trainer.settings.synthesis import distill_settings
from alignment_trainer.stages import distill
from alignment_trainer.synthesis.publishing import publish_rows
from alignment_trainer.synthesis.stopping import StoppableAsking
from asked_stages import with_asking
from distill_jobs import distill_config, sft_behind
from faulty_server import a_faulty_server, answers, completion, says


def number_in(body):
    """Return which question it is; None for the probe of an attempt."""
    found = re.search(r"What is (\d+)", body["messages"][-1]["content"])
    return int(found.group(1)) if found else None


def answering(acts=None, text="It is {}."):
    """Answer each question with its number, except those that have an act of their own."""

    def act(handler):
        number = number_in(handler.body)
        (acts or {}).get(number, answers(text.format(number)))(handler)

    return act


def run(config):
    """Write and publish the rows as the page does, but with little patience for servers that fail."""

    async def work(asking):
        return await distill.write(config, distill_settings(config), StoppableAsking(asking))

    written = with_asking(config, work)
    publish_rows(config, written.report, **written.more)


def rows_of(config):
    text = (Path(config.paths.stage) / "rows/part-00000.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def manifest_of(config):
    return json.loads((Path(config.paths.stage) / "manifest.json").read_text())


UNUSABLE = {
    1: (says(200, "<html>Welcome</html>", kind="text/html"), "NoJson"),
    4: (says(200, {**completion(), "choices": []}), "NoChoices"),
    7: (says(200, completion(None)), "EmptyAnswer"),
    10: (answers("It is", finish="length"), "cut"),
    13: (says(200, '{"id": "1", "choices": [{"mess'), "NoJson"),
    16: (says(400, {"error": {"message": "too long"}}), "Status400"),
}


def test_no_unusable_answer_becomes_a_row_and_each_is_counted(tmp_path):
    with a_faulty_server() as server:
        server.otherwise = answering({number: act for number, (act, _) in UNUSABLE.items()})
        config = distill_config(tmp_path, server.url, questions=20, maximumFailedShare=0.25)
        run(config)
    rows = rows_of(config)
    assert [row["messages"][1]["content"] for row in rows] == [
        f"It is {number}." for number in range(20) if number not in UNUSABLE
    ]
    assert manifest_of(config)["leftOut"] == Counter(reason for _, reason in UNUSABLE.values())
    left_out = [json.loads(line) for line in (tmp_path / "tiny/lessons/left-out.jsonl").read_text().splitlines()]
    assert [(row["place"], row["reason"]) for row in left_out] == [
        (f"questions.jsonl:{number + 1}", reason) for number, (_, reason) in UNUSABLE.items()
    ]


def test_requests_never_exceed_the_budget_and_a_higher_one_continues(tmp_path):
    def config(requests):
        teacher = {"baseUrl": server.url, "model": "large", "concurrency": 16}
        return distill_config(tmp_path, questions=40, teachers=[teacher], budget={"requests": requests})

    with a_faulty_server() as server:
        server.otherwise = answering()
        with pytest.raises(BudgetSpent):
            run(config(15))
        assert server.arrivals == 15
        assert not (tmp_path / "tiny/lessons/rows").exists()
        run(config(100))
        assert Counter(map(number_in, server.bodies)) == Counter(range(40)), "no answer is paid for twice"
    assert len(rows_of(config(100))) == 40


def test_a_changed_letter_of_the_system_prompt_asks_again_and_the_same_does_not(tmp_path):
    arrivals = []
    with a_faulty_server() as server:
        server.otherwise = answering()
        for job, system in (("first", "Be short."), ("second", "Be short."), ("third", "Be Short.")):
            run(distill_config(tmp_path, server.url, job=job, systemPrompt=system))
            arrivals.append(server.arrivals)
    assert arrivals == [6, 6, 12]


def test_too_many_failures_end_the_stage_and_the_next_attempt_asks_only_for_those(tmp_path):
    config = distill_config(tmp_path, questions=20, maximumFailedShare=0.05)
    with a_faulty_server() as server:
        config = distill_config(tmp_path, server.url, questions=20, maximumFailedShare=0.05)
        refuses = says(400, {"error": {"message": "too long"}})
        server.otherwise = answering({18: refuses, 19: refuses})
        with pytest.raises(
            TooFewRows, match=r"2 of 20 prompts have no usable answer \(2 Status400\), more than maximumFailedShare 0.05"
        ):
            run(config)
        server.otherwise = answering()
        run(config)
        assert Counter(map(number_in, server.bodies)) == Counter([*range(20), 18, 19])
    assert len(rows_of(config)) == 20


def dialogue(handler):
    """Answer a dialogue's teacher, and ask in the user's place where that is wanted."""
    asked = handler.body["messages"][-1]["content"]
    number = len(handler.body["messages"])
    (answers(f"Why {len(asked)}?") if "person says next" in asked else answers(f"Because of {number}."))(handler)


def test_dialogues_are_written(tmp_path):
    with a_faulty_server() as server:
        server.otherwise = dialogue
        config = distill_config(tmp_path, server.url, method="Dialogues", turns=3)
        run(config)
        assert server.arrivals == 6 * 5
    rows = rows_of(config)
    assert [len(row["messages"]) for row in rows] == [6] * 6
    assert all(row["messages"][2]["content"].startswith("Why ") for row in rows)


def instructions(handler):
    asked, seed = handler.body["messages"][-1]["content"], handler.body["seed"]
    draw = random.Random(seed)
    listed = "\n".join(f"{number}. {' '.join(draw.choices(WORDS, k=9))}" for number in range(1, 5))
    answers(listed if "numbered list" in asked else "Yes.")(handler)


WORDS = [f"word{number}" for number in range(300)]


def test_seed_tasks_grow_and_are_answered(tmp_path):
    with a_faulty_server() as server:
        server.otherwise = instructions
        config = distill_config(tmp_path, server.url, method="SelfInstruct", instructions=150)
        run(config)
    rows, manifest = rows_of(config), manifest_of(config)
    assert len(rows) == len({row["messages"][0]["content"] for row in rows}) == 150
    assert manifest["instructions"]["seeds"] == 6
    assert manifest["instructions"]["new"] == 150


def slowly(act):
    def slow(handler):
        time.sleep(0.05)
        act(handler)

    return slow


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_stopped_attempt_is_continued_without_asking_again(number, own_workspace, trainer, tmp_path):
    with a_faulty_server() as server:
        server.otherwise = slowly(answering())
        config = distill_config(own_workspace, server.url, questions=60)
        attempt = trainer.attempt(config, tmp_path, is_loading=True)
        attempt.wait_until(lambda: server.arrivals > 20)
        assert not attempt.processes()["torchrun"]
        (rank,) = attempt.processes()["rank"]
        assert "torch" not in Path(f"/proc/{rank}/maps").read_text()
        os.kill(rank if number == signal.SIGKILL else attempt.process.pid, number)
        ended = attempt.wait()
        assert ended.termination.reason == {signal.SIGKILL: "ProcessKilled", signal.SIGTERM: "Stopped"}[number]
        before = server.arrivals
        assert before < 60
        server.otherwise = answering()
        result = trainer.attempt(config.model_copy(update={"attempt": 2}), tmp_path).wait()
        assert result.code == 0, result.output
        times = Counter(map(number_in, server.bodies))
        assert times.pop(None) == 2, "each attempt probes the server once"
        assert set(times) == set(range(60))
        # Those that were in flight at the kill.
        assert times.total() - 60 <= (4 if number == signal.SIGKILL else 0)
    assert len(rows_of(config)) == 60
    assert result.termination.step == 60


def test_a_later_stage_trains_on_the_rows_as_on_any_others(own_workspace, trainer, tmp_path):
    (own_workspace / "exam.jsonl").write_text(json.dumps({"question": "What is 5 + 5?"}) + "\n")
    sft = {
        "datasets": [{"stage": "lessons", "cleaning": ["DropRefusals"]}],
        "decontamination": {"datasets": [{"uri": "workspace://exam.jsonl"}], "ngramWords": 4},
    }
    with a_faulty_server() as server:
        server.otherwise = answering({3: answers("As an AI, I cannot say.")})
        config = distill_config(own_workspace, server.url, questions=12, sft=sft)
        result = trainer.attempt(config, tmp_path).wait()
        assert result.code == 0, result.output
    trained = trainer.train(sft_behind(config), tmp_path)
    assert trained.code == 0, trained.output
    counts = json.loads((own_workspace / "tiny/sft/manifest.json").read_text())["rows"]["lessons"]
    assert {fate: counts[fate] for fate in ("available", "train", "refusals", "contaminated")} == {
        "available": 12, "train": 10, "refusals": 1, "contaminated": 1,
    }  # fmt: skip
