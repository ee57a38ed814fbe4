"""An evaluate stage with judges as a whole: killed while it asks them, it pays for no verdict twice and draws no answer again."""

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from alignment_api.results.evaluation import EvaluatedRow, EvaluationReport
from evaluated_jobs import copy_models, exam_config, task, write_rows
from faulty_server import a_faulty_server, says
from judges import Judge

QUESTIONS = 6
CONCURRENCY = 2
BENCH = [
    {"question_id": at, "category": ("math", "writing")[at % 2], "turns": [f"What is {at} plus 1?", f"And {at} plus 2?"]}
    for at in range(QUESTIONS)
]
DUEL = [{"instruction": f"What is {at} plus 1?", "output": f"It is {at + 1}.", "generator": "known"} for at in range(QUESTIONS)]
TASKS = [
    task("bench", "MTBench"),
    task("duel", "AlpacaEval", against={"outputs": {"uri": "workspace://duel.jsonl"}}),
    task("refused", "Refusals", dataset={"uri": "workspace://duel.jsonl"}),
]
VERDICTS = QUESTIONS * 2 + QUESTIONS * 2
"""Of one model: a grade for each turn, and both orders of each comparison."""


def decides(shown: list[str]) -> list[Any]:
    """Grade 7, or prefer the answer of the file."""
    if len(shown) == 1:
        return [7]
    return ["A" if shown[0].startswith("It is") else "B"]


@pytest.fixture
def stage(workspace: Path, tmp_path: Path) -> Any:
    copy_models(workspace, tmp_path)
    write_rows(tmp_path, "bench", BENCH)
    write_rows(tmp_path, "duel", DUEL)

    def configured(url: str, **settings: Any) -> Any:
        judge = {"baseUrl": url, "model": "large", "concurrency": CONCURRENCY}
        return exam_config(tmp_path, TASKS, judges=[judge], **settings)

    return configured


def refuses_duels(handler: Any) -> None:
    """Grade, but accept no key where two answers are compared."""
    if " answer B\n" in handler.body["messages"][0]["content"]:
        says(401)(handler)
    else:
        Judge(decides).serve(handler)


def test_a_stage_that_fails_in_one_task_reports_all_others_and_a_resume_completes_it(
    stage: Any, tmp_path: Path, trainer: Any
) -> None:
    with a_faulty_server() as server:
        server.otherwise = refuses_duels
        config = stage(server.url)
        folder = Path(config.paths.stage)
        failed = trainer.train(config, tmp_path)
        assert failed.termination.reason == "KeyRefused", failed.output
        found = report_of(folder)
        assert [task.name for task in found.tasks] == ["bench", "refused"]
        grades = {(score.model, score.estimate.value) for score in found.scores if score.metric == "grade"}
        assert grades == {("base", 7), ("sft", 7)}
        assert found.notes[0].startswith("duel is not measured of base, sft yet: ") and "401" in found.notes[0]
        assert len(rows_of(folder, "refused", "sft")) == QUESTIONS and not (folder / "DONE").exists()
        server.otherwise = Judge(decides).serve
        asked = len(server.bodies)
        result = trainer.train(config, tmp_path)
        assert result.code == 0, result.output
        again = [body["messages"][0]["content"] for body in server.bodies[asked:]]
    assert again and all(" answer B\n" in text for text in again), "what was graded is not graded again"
    found = report_of(folder)
    assert [task.name for task in found.tasks] == ["bench", "duel", "refused"]
    assert not any("is not measured" in note for note in found.notes)


def report_of(stage: Path) -> EvaluationReport:
    return EvaluationReport.parse_stored(json.loads((stage / "report.json").read_text()))


def rows_of(stage: Path, name: str, model: str) -> list[EvaluatedRow]:
    text = (stage / "rows" / name / f"{model}.jsonl").read_text()
    return [EvaluatedRow.parse_stored(json.loads(line)) for line in text.splitlines()]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_stage_continues_with_all_verdicts(stage: Any, tmp_path: Path, trainer: Any, processes: int) -> None:
    with a_faulty_server() as server:
        server.otherwise = Judge(decides).serve
        config = stage(server.url, models=[{"base": True}], processes=processes)
        folder = Path(config.paths.stage)
        killed: list[int] = []

        def kill(ranks: list[int]) -> None:
            if server.arrivals >= 9 and not killed:
                killed.append(server.arrivals)
                os.kill(ranks[0], signal.SIGKILL)

        assert trainer.train(config, tmp_path, kill).termination.reason == "ProcessKilled"
        assert killed, "it ended before it was killed"
        answers = {path: path.read_bytes() for path in sorted(folder.parent.rglob("evaluated-answers/**/process-*.jsonl"))}
        result = trainer.train(config, tmp_path)
        assert result.code == 0, result.output
        verdicts = Counter(json.dumps(body["messages"]) for body in server.bodies if body["max_tokens"] > 1)
    assert len(verdicts) == VERDICTS
    assert sum(verdicts.values()) - VERDICTS <= CONCURRENCY, "only what was in flight is asked again"
    assert answers and all(path.read_bytes() == content for path, content in answers.items()), "no answer is drawn again"
    found = report_of(folder)
    scores = {(score.task, score.metric): score.estimate.value for score in found.scores}
    assert (scores["bench", "grade"], scores["bench", "grade/math"], scores["duel", "win_rate"]) == (7, 7, 0)
    assert [panel.task for panel in found.panels] == ["bench", "duel"]
    assert found.panels[0].grades == {"large/base": 7}
    assert "refused" in {row.task for row in found.scores}
    rows = rows_of(folder, "bench", "base")
    assert [row.row for row in rows] == [f"bench.jsonl:{at}, turn {turn}" for at in range(1, QUESTIONS + 1) for turn in (1, 2)]
    first, second = rows[:2]
    assert first.answer and first.answer in second.prompt and second.key == first.key
    assert trainer.values(folder, "evaluated/bench/grade/base").popitem()[1] == 7
