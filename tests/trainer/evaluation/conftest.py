"""Fixtures of tests that measure the tiny example's model."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alignment_api.results.evaluation import EvaluatedRow
from evaluated_jobs import exam_config, task, write_rows


@pytest.fixture(scope="session")
def subject(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny base model, loaded."""
    from alignment_trainer.evaluation.candidates import candidate_of
    from alignment_trainer.evaluation.subject import load_subject
    from alignment_trainer.settings.evaluation import evaluation_settings

    root = tmp_path_factory.mktemp("subject")
    shutil.copytree(workspace / "inputs", root / "inputs")
    config = exam_config(root, [task("quiz", "MultipleChoice")])
    settings = evaluation_settings(config)
    return load_subject(config, candidate_of(config, settings.models[0]), settings)


@pytest.fixture
def exam(subject: Any, workspace: Path, tmp_path: Path) -> Callable[..., list[EvaluatedRow]]:
    """Return a function that measures rows with the tiny base model, without the rest of a stage."""
    from alignment_trainer.evaluation.measure import measure_of
    from alignment_trainer.evaluation.row_file import RowFile
    from alignment_trainer.evaluation.tasks import open_tasks

    def measured(name: str, measure: str, rows: list[dict[str, Any]], **others: Any) -> list[EvaluatedRow]:
        shutil.copytree(workspace / "inputs", tmp_path / "inputs", dirs_exist_ok=True)
        write_rows(tmp_path, name, rows)
        (opened,) = open_tasks(exam_config(tmp_path, [task(name, measure, **others)]))
        own = measure_of(opened)
        with RowFile(opened.stage, name, "base") as file:
            own.measure(subject, opened, file)
            if own.score:
                own.score(opened, subject.candidate, file)
            found = {row.row: row for row in file.read()}
        return own.finish(opened, "base", {"base": [found[row.place] for row in opened.rows]})

    return measured


@pytest.fixture(scope="session")
def confined() -> None:
    """Skip where the kernel does not let a process confine itself."""
    from alignment_trainer.evaluation.programs.trial import fault

    if found := fault():
        pytest.skip(found)
