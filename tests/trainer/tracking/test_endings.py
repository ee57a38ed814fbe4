"""When the run of a whole job ends, from what the folders of its stages tell."""

from pathlib import Path

import pytest
from alignment_api.names import DONE_FILE, RUN_CONFIG_FILE
from alignment_api.spec.stages import StageModel
from alignment_trainer.tracking.endings import job_ending, record_ending

# Of the stages a, b (from a), c and d (from c); "runs" has no ending yet, and "done" was killed before its ending.
ROWS = [
    ("a ends, b follows", "a", "FINISHED", {"c": "FINISHED", "d": "FINISHED"}, None),
    ("the last of all", "b", "FINISHED", {"a": "done", "c": "FINISHED", "d": "FINISHED"}, "FINISHED"),
    ("the last of its branch, the other runs", "b", "FINISHED", {"a": "FINISHED", "c": "runs"}, None),
    ("the last of its branch, the other is to run", "b", "FINISHED", {"a": "FINISHED"}, None),
    ("the last of its branch, the other failed", "b", "FINISHED", {"a": "FINISHED", "c": "FAILED"}, "FAILED"),
    (
        "the last of its branch, the end of the other failed",
        "b",
        "FINISHED",
        {"a": "FINISHED", "c": "FINISHED", "d": "FAILED"},
        "FAILED",
    ),
    ("the folders of the stages below were removed", "b", "FINISHED", {"d": "FINISHED"}, "FINISHED"),
    ("it fails while another runs", "a", "FAILED", {"c": "runs"}, None),
    ("it fails, and the next is yet to begin", "a", "FAILED", {}, "FAILED"),
    ("it is stopped, the other was before", "a", "KILLED", {"c": "KILLED"}, "KILLED"),
    (
        "it runs again, and b holds what it made before",
        "a",
        "FINISHED",
        {"b": "FINISHED", "c": "FINISHED", "d": "FINISHED"},
        None,
    ),
    ("it fails again, and b was killed before", "a", "FAILED", {"b": "runs"}, "FAILED"),
]


def make(folder: Path, state: str, config):
    folder.mkdir(parents=True)
    (folder / RUN_CONFIG_FILE).write_text(config.model_dump_json())
    if state == "done":
        (folder / DONE_FILE).write_text("hash")
    elif state != "runs":
        record_ending(folder, state)


@pytest.mark.parametrize(("stage", "status", "others", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_end_of_a_job(tmp_path, trainer, stage, status, others, expected):
    config = trainer.config(tmp_path)
    start = {"a": StageModel(base=True), "b": StageModel(stage="a"), "c": StageModel(base=True), "d": StageModel(stage="c")}
    stages = [config.stage.model_copy(update={"name": name, "model": model}) for name, model in start.items()]
    spec = config.spec.model_copy(update={"stages": stages})
    paths = config.paths.model_copy(update={"stage": str(tmp_path / "job" / stage)})
    config = config.model_copy(update={"spec": spec, "stage_name": stage, "paths": paths})
    for name, state in others.items():
        make(tmp_path / "job" / name, state, config)
    assert job_ending(config, status) == expected
