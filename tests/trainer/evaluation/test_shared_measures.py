"""Measures by likelihood give one table on any number of processes, also of one long text, and beside a model in no table."""

import json
import shutil
from pathlib import Path

import pytest
from alignment_api.results.evaluation import EvaluationReport
from evaluated_jobs import SFT, copy_models, exam_config, task, write_rows

TEXT = " ".join(f"{n} plus {m} is {n + m}." for n in range(9) for m in range(9))
PAIRS = [{"prompt": f"What is {n} plus 2?", "chosen": f"{n} plus 2 is {n + 2}.", "rejected": "Ugh!"} for n in range(7)]


@pytest.fixture
def measured(workspace, tmp_path, trainer):
    """Return a function that measures the stage's model alone, with so many processes."""

    def run(processes: int) -> tuple[EvaluationReport, Path]:
        root = tmp_path / str(processes)
        root.mkdir()
        copy_models(workspace, root)
        shutil.copytree(root / "job/sft/model", root / "job/first/model")
        write_rows(root, "text", [{"text": TEXT}])
        write_rows(root, "pairs", PAIRS)
        tasks = [task("text", "Perplexity", window=32), task("pairs", "Preferences")]
        config = exam_config(root, tasks, processes, before=[{**SFT, "name": "first"}], models=[{"stage": "sft"}], exact=True)
        result = trainer.train(config, root)
        assert result.code == 0, result.output
        stage = Path(config.paths.stage)
        return EvaluationReport.parse_stored(json.loads((stage / "report.json").read_text())), stage

    return run


def test_two_processes_share_the_windows_of_one_text_and_give_the_same_table(measured):
    (one, stage), (two, _) = measured(1), measured(2)
    assert one == two
    assert [model.name for model in one.models] == ["sft"]
    values = {score.metric: score.estimate.value for score in one.scores}
    assert (values["reward_accuracy"], values["ties"]) == (0, 1), "its weights are those that its training started from"
    assert {score.against and score.against.name for score in one.scores if score.task == "pairs"} == {"first"}
    assert values["perplexity"] > 1
    assert not (stage / "rows/pairs/first.jsonl").exists()
