"""Rows that an earlier stage writes: what preflight checks before they exist, and when their reader begins."""

import shutil
from dataclasses import replace

import pytest
from alignment_api.spec.kinds import KINDS
from alignment_trainer.checks.preflight import check
from alignment_trainer.data.selection import select
from alignment_trainer.failures import BadData
from alignment_trainer.settings.training import training_settings

PREFERENCES = "inputs/tiny/preferences.jsonl"
READING = {"dpo__datasets": [{"stage": "sft", "maxExamples": 40}]}


@pytest.fixture(autouse=True)
def rows_of_sft(monkeypatch):
    """No kind that leaves rows runs yet; here sft does."""
    monkeypatch.setitem(KINDS, "sft", replace(KINDS["sft"], leaves="Rows"))


def dpo_behind_sft(root, trainer, stage_rows):
    """The second stage as it begins: the first one has left a model."""
    shutil.copytree(root / "inputs/tiny/model", root / "job/sft/model")
    config = trainer.config(root, "dpo", **READING)
    return config.model_copy(update={"paths": config.paths.model_copy(update={"stage_rows": stage_rows})})


def test_rows_to_come_stop_no_earlier_stage(own_workspace, trainer, capfd):
    # A holdout that could not be drawn of too few rows is not asked either.
    check(trainer.config(own_workspace, dpo__holdout={"examples": 10_000}, **READING))
    assert capfd.readouterr().err.splitlines() == [
        "spec.stages[1].dpo.datasets[0].stage: the rows of stage 'sft' do not exist yet; they are checked when stage 'dpo' begins"
    ]


def test_the_other_datasets_of_a_later_stage_are_checked_all_the_same(own_workspace, trainer):
    datasets = [{"stage": "sft"}, {"uri": "workspace://none.jsonl"}]
    with pytest.raises(BadData, match=r"^spec.stages\[1\].dpo.datasets\[1\].uri: workspace://none.jsonl does not exist"):
        check(trainer.config(own_workspace, dpo__datasets=datasets))


def test_their_reader_checks_and_reads_them(own_workspace, trainer):
    rows = own_workspace / "job/sft/rows"
    rows.mkdir(parents=True)
    shutil.copy(own_workspace / PREFERENCES, rows / "rows.jsonl")
    config = dpo_behind_sft(own_workspace, trainer, {"sft": str(rows)})
    check(config)
    assert {name: count["used"] for name, count in select(config, training_settings(config)).counts.items()} == {"sft": 40}


BROKEN = [
    ("no folder", None, "the rows of stage 'sft' are missing ({rows} does not exist on the workspace volume); put them back"),
    ("an empty folder", {}, "stage:sft is a folder that has no .jsonl or"),
    ("an empty file", {"rows.jsonl": ""}, "stage:sft has no rows; fill it or remove it from the job"),
    ("a torn row", {"rows.jsonl": "{"}, "stage:sft/rows.jsonl:1: is not valid JSON"),
    ("rows of another form", {"rows.jsonl": '{"prompt": "a", "good": "b"}'}, "stage:sft/rows.jsonl:1: has no chosen"),
]


@pytest.mark.parametrize(("files", "sentence"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_their_reader_refuses_what_is_wrong_with_them(files, sentence, own_workspace, trainer):
    rows = own_workspace / "job/sft/rows"
    if files is not None:
        rows.mkdir(parents=True)
        for name, text in files.items():
            (rows / name).write_text(text)
    with pytest.raises(BadData) as refused:
        check(dpo_behind_sft(own_workspace, trainer, {"sft": str(rows)}))
    assert sentence.format(rows=rows) in str(refused.value)
    assert "spec.stages[1].dpo.datasets[0].stage" in str(refused.value)


def test_an_operator_that_names_no_folder_is_refused_in_a_sentence(own_workspace, trainer):
    with pytest.raises(BadData, match=r"dpo.datasets\[0\].stage: the rows of stage 'sft' are missing; put them back"):
        check(dpo_behind_sft(own_workspace, trainer, None))
