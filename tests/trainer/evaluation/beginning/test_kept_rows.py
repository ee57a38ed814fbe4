"""Rows of an earlier attempt are kept only if this one would measure them alike."""

from typing import Any

import pytest
from alignment_trainer.evaluation.beginning.kept_rows import forget_other_rows
from alignment_trainer.evaluation.benchmarks import opening
from alignment_trainer.evaluation.measure import measure_of
from alignment_trainer.evaluation.tasks import OpenTask, TaskRow
from alignment_trainer.settings.evaluation import evaluation_settings
from evaluated_jobs import exam_config

ARC = {"name": "arc", "benchmark": "arc_challenge", "limit": 3}


def opened(root: Any, rows: int = 3, gpus: int = 0) -> OpenTask:
    """Return the task as if lm-eval had read its rows from the Hub."""
    config = exam_config(root, [ARC])
    config = config.model_copy(update={"compute": config.compute.model_copy(update={"gpus_per_node": gpus})})
    settings = evaluation_settings(config)
    questions = [TaskRow(f"arc_challenge/{number}", number) for number in range(rows)]
    return OpenTask("arc", settings.tasks[0].path, settings.tasks[0].task, questions, settings, config)


CHANGES: dict[str, tuple[dict[str, int], str, bool]] = {
    "nothing": ({}, "0.4.13", True),
    "another version of lm-eval": ({}, "0.4.14", False),
    "another row": ({"rows": 4}, "0.4.13", False),
    "another number format": ({"gpus": 1}, "0.4.13", False),
}


@pytest.mark.parametrize("change", CHANGES)
def test_rows_are_kept_if_nothing_that_shapes_them_has_changed(
    change: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task, version, is_kept = CHANGES[change]
    first = opened(tmp_path)
    monkeypatch.setattr(opening, "harness_version", lambda: "0.4.13")
    forget_other_rows(first, measure_of(first))
    row = first.stage / "measured/arc/base/process-0.jsonl"
    row.parent.mkdir(parents=True)
    row.write_text("{}")
    monkeypatch.setattr(opening, "harness_version", lambda: version)
    forget_other_rows(again := opened(tmp_path, **task), measure_of(again))
    assert row.exists() == is_kept
    assert ("so all of them are measured again" in capsys.readouterr().err) != is_kept
