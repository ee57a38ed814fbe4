"""Models of the job in an ensemble: they answer on the stage's own processes, each question once, before any server is asked."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from alignment_trainer.checks import preflight
from alignment_trainer.failures import BadConfiguration
from ensembles import Models, says, speaks_for
from faulty_server import a_faulty_server
from faulty_server import says as status

COMPUTE = {"gpusPerNode": 0, "processesPerNode": 2, "microBatchSize": 1}
OPTIMIZATION = {"learningRate": 1e-3, "maxSteps": 2, "globalBatchSize": 2}
SFT = {
    "name": "sft",
    "sft": {"datasets": [{"uri": "workspace://inputs/tiny/sft.jsonl"}], "maxLength": 128, "optimization": OPTIMIZATION},
}


@pytest.fixture
def config(workspace, paired, tmp_path):
    """Return a stage in which the base model, a trained one and a server answer on two processes."""

    def configured(base_url, **changes):
        if not (tmp_path / "inputs").exists():
            shutil.copytree(workspace / "inputs", tmp_path / "inputs")
            shutil.copytree(workspace / "inputs/tiny/model", tmp_path / "job/sft/model")
        responders = [
            {"model": {"base": True}},
            {"model": {"stage": "sft"}},
            {"endpoint": {"baseUrl": base_url, "model": "server"}},
        ]
        spec = {"model": {"uri": "workspace://inputs/tiny/model"}, "compute": COMPUTE}
        given = {"responders": responders, "answersPerPrompt": 3, "cutAnswers": "Keep", **changes}
        return paired(tmp_path, base_url, questions=8, before=[SFT], spec=spec, **given)

    return configured


def own_answers(stage: Path) -> Counter[str]:
    """Count how often each answer was drawn, in the files of all processes."""
    files = sorted(stage.glob("own-answers/*/process-*.jsonl"))
    lines = [(file.parent.name, json.loads(line)) for file in files for line in file.read_text().splitlines()]
    return Counter(f"{folder} {one['key']}" for folder, line in lines for one in line["answers"])


def test_each_model_of_the_job_answers_each_prompt_once(config, tmp_path, trainer, lines):
    """The second attempt finds all answers, since the first one ends only where it asks the servers, which refuse it."""
    with a_faulty_server() as server:
        asked = config(server.url)
        stage = Path(asked.paths.stage)
        server.otherwise = status(401)
        first = trainer.train(asked, tmp_path)
        assert first.termination.reason == "KeyRefused", first.output
        drawn = own_answers(stage)
        assert len(drawn) == 16 and set(drawn.values()) == {1}

        server.otherwise = speaks_for(Models(lambda shown: [1 + len(text) % 5 for text in shown], says))
        second = trainer.train(asked.model_copy(update={"attempt": 2}), tmp_path)
        assert second.code == 0, second.output
    assert own_answers(stage) == drawn
    found = json.loads((stage / "manifest.json").read_text())
    assert {name: model["judgedAnswers"] for name, model in found["feedback"]["models"].items()} == {
        "base": 8,
        "sft": 8,
        "server": 8,
    }


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [("inputs/tiny/model", r"spec.model.uri: workspace://inputs/tiny/model "), ("job/sft/model", r"the model of stage 'sft' ")],
)
def test_models_that_are_missing_are_found_before_anything_is_asked(config, tmp_path, folder, sentence):
    asked = config("http://127.0.0.1:9/v1")
    shutil.rmtree(tmp_path / folder)
    with pytest.raises(BadConfiguration, match=sentence):
        preflight.check(asked)
