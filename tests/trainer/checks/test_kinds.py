"""A kind that trains nothing, before and after `sft`: made up by one row in the API's table and one in the trainer's."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from alignment_api.memory.fitting import GIBIBYTE
from alignment_api.spec import kinds as api
from alignment_api.spec.data import Dataset
from alignment_api.spec.lineage import input_hash, parent_of
from alignment_api.spec.stages import Stage
from alignment_trainer.checks import kinds
from alignment_trainer.checks.datasets import Rows, see_text
from alignment_trainer.checks.kinds import Kind, kind_of
from alignment_trainer.checks.preflight import check
from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.models.memory import verdicts
from alignment_trainer.settings.given import given, stage_path

QUESTIONS = "workspace://inputs/tiny/questions.jsonl"
TASKS = [{"name": "chat", "measure": "References", "dataset": {"uri": QUESTIONS}}]
EXAM = {"name": "exam", "evaluate": {"tasks": TASKS, "seed": 1}}
TEACHERS = [{"baseUrl": "http://teacher.example/v1", "model": "large"}]
LESSONS = {"name": "lessons", "distill": {"teachers": TEACHERS, "prompts": [{"uri": QUESTIONS}], "seed": 1}}


def seed_of(config):
    return given(config.stage.settings.seed, f"{stage_path(config)}.seed")


def questions(config):
    yield Rows(f"{stage_path(config)}.questions", [Dataset(uri=QUESTIONS)], see_text)


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    for kind in ("evaluate", "distill"):
        monkeypatch.setitem(api.KINDS, kind, replace(api.KINDS[kind], runs=True))
        monkeypatch.setitem(kinds.KINDS, kind, Kind("made_up_page", seed_of, questions))


def job(trainer, root, stages, begins="sft", **changes):
    """Write the RunConfig of one stage of a job; the names `sft` and `dpo` are those of the tests' job."""
    config = trainer.config(root, **changes)
    known = {stage.name: stage for stage in config.spec.stages}
    made = [known[each] if isinstance(each, str) else Stage.model_validate(each) for each in stages]
    spec = config.spec.model_copy(update={"stages": made})
    stage = next(each for each in made if each.name == begins)
    parent = parent_of(spec, stage)
    update = {
        "stage": str(root / "job" / begins),
        "parent_model": str(root / "job" / parent.name / "model") if parent else None,
    }
    return config.model_copy(
        update={
            "spec": spec,
            "stage_name": begins,
            "input_hash": input_hash(spec, stage),
            "compute": spec.compute_of(stage),
            "paths": config.paths.model_copy(update=update),
        }
    )


def write_questions(root, *rows):
    (root / "inputs/tiny/questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_the_trainer_runs_what_the_api_says_it_runs():
    assert {kind for kind, known in api.KINDS.items() if known.runs} == set(kinds.KINDS)


@pytest.mark.parametrize(
    ("stages", "begins"),
    [
        (["sft", EXAM], "sft"),
        (["sft", "dpo", EXAM], "sft"),
        (["sft", EXAM, "dpo"], "sft"),
        ([LESSONS, "sft"], "lessons"),
        ([LESSONS, "sft"], "sft"),
        ([LESSONS, "sft", EXAM], "lessons"),
    ],
)
def test_such_a_stage_raises_no_failure_in_the_checks_of_others(own_workspace, trainer, stages, begins):
    write_questions(own_workspace, {"question": "Which city?"})
    check(job(trainer, own_workspace, stages, begins))


def test_its_settings_are_checked_before_the_stages_ahead_of_it(own_workspace, trainer):
    exam = {"name": "exam", "evaluate": {"tasks": TASKS}}
    with pytest.raises(BadConfiguration, match=r"^spec.stages\[1\].evaluate.seed: is not set"):
        check(job(trainer, own_workspace, ["sft", exam]))


def test_its_rows_are_checked_in_its_own_way(own_workspace, trainer):
    write_questions(own_workspace, {"question": "Which city?"}, {"question": ""})
    with pytest.raises(BadData, match=r"questions.jsonl:2: has no text.*\(spec.stages\[1\].evaluate.questions\[0\].uri\)$"):
        check(job(trainer, own_workspace, ["sft", EXAM]))


@pytest.mark.parametrize(
    ("stages", "begins"), [(["sft"], "sft"), (["sft", EXAM], "sft"), ([LESSONS, "sft"], "sft"), ([LESSONS], "lessons")]
)
def test_a_base_model_is_checked_for_the_stages_that_load_it(own_workspace, trainer, stages, begins):
    write_questions(own_workspace, {"question": "Which city?"})
    (own_workspace / "inputs/tiny/model/config.json").unlink()
    config = job(trainer, own_workspace, stages, begins)
    if begins == "lessons":
        check(config)
    else:
        with pytest.raises(BadConfiguration, match=r"^spec.model.uri: workspace://inputs/tiny/model has no config.json"):
            check(config)


@pytest.mark.parametrize(
    ("stages", "named"), [(["sft", EXAM], ["sft"]), (["sft", EXAM, "dpo"], ["sft", "dpo"]), ([LESSONS, "sft"], ["sft"])]
)
def test_memory_is_estimated_for_stages_that_train(workspace, trainer, stages, named):
    lora = {"lora": {"rank": 4}}
    config = job(
        trainer, workspace, stages, compute__gpusPerNode=1, compute__processesPerNode=None, sft__adapter=lora, dpo__adapter=lora
    )
    sentences = verdicts(config, workspace / "inputs/tiny/model", "NVIDIA L40S", 45 * GIBIBYTE)
    assert [sentence.split()[:2] for sentence in sentences] == [["memory:", name] for name in named]


def test_a_kind_without_a_row_is_refused_by_its_field(workspace, trainer, monkeypatch):
    monkeypatch.delitem(kinds.KINDS, "evaluate")
    with pytest.raises(
        BadConfiguration, match=r"^spec.stages\[1\].evaluate: this trainer cannot run such a stage; it runs .*sft, dpo"
    ):
        check(job(trainer, workspace, ["sft", EXAM]))
    with pytest.raises(BadConfiguration, match=r"^spec.stages\[1\].evaluate: this trainer"):
        kind_of(job(trainer, workspace, ["sft", EXAM], "exam"))


def test_the_rank_runs_the_page_of_the_kind(workspace, trainer, tmp_path):
    program = """
import sys
from alignment_trainer.checks.kinds import KINDS, Kind
from alignment_trainer import rank
KINDS["evaluate"] = Kind("made_up_page", lambda config: None, lambda config: iter(()))
sys.exit(rank.main())
"""
    (tmp_path / "made_up_page.py").write_text("def run(config):\n    print('ran', config.stage_name, config.stage.kind)\n")
    config = job(trainer, workspace, ["sft", EXAM], "exam", compute__processesPerNode=1)
    config = config.model_copy(update={"world_size": 1, "paths": config.paths.model_copy(update={"stage": str(tmp_path)})})
    (tmp_path / "run.json").write_text(config.model_dump_json(by_alias=True, exclude_none=True))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
        "ALIGNMENT_LAUNCHER_PID": str(os.getpid()),
        "ALIGNMENT_RUN_CONFIG": str(tmp_path / "run.json"),
        "ALIGNMENT_OUTCOMES": str(tmp_path),
        **{
            "RANK": "0",
            "LOCAL_RANK": "0",
            "WORLD_SIZE": "1",
            "LOCAL_WORLD_SIZE": "1",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": "0",
        },
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "ran exam evaluate\n"), done.stderr
