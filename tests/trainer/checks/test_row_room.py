"""The room that rows need as tokens: from the sizes of their files, and from how many of them are used."""

import pytest
from alignment_trainer.checks.datasets import Findings
from alignment_trainer.checks.row_room import rows_to_write

SFT, DPO = "spec.stages[0].sft.datasets[0]", "spec.stages[1].dpo.datasets[0]"
ROWS = 100


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "inputs" / "tiny"
    folder.mkdir(parents=True)
    for name in ("sft.jsonl", "preferences.jsonl"):
        (folder / name).write_bytes(bytes(40_000))
    return tmp_path


def dataset(**changes):
    return {"uri": "workspace://inputs/tiny/sft.jsonl", **changes}


@pytest.mark.parametrize(
    ("situation", "stage", "changes", "size"),
    [
        # 40,000 bytes are about 10,000 tokens, with an id and a label of 4 bytes each.
        ("dialogues", "sft", {}, 80_000),
        ("pairs have no labels", "dpo", {"dpo__datasets": [dataset(uri="workspace://inputs/tiny/preferences.jsonl")]}, 40_000),
        ("every second row", "sft", {"sft__datasets": [dataset(fraction=0.5)]}, 40_000),
        ("a part of a row is one row", "sft", {"sft__datasets": [dataset(fraction=0.001)]}, 800),
        ("half a row is a row", "sft", {"sft__datasets": [dataset(fraction=0.296)]}, 24_000),
        ("few rows", "sft", {"sft__datasets": [dataset(maxExamples=10)]}, 8_000),
        ("a folder", "sft", {"sft__datasets": [dataset(uri="workspace://inputs/tiny")], "sft__maxLength": 256}, 160_000),
        ("short rows of long texts", "sft", {"sft__maxLength": 16}, ROWS * 16 * 8),
        ("a dataset of the Hub", "sft", {"sft__datasets": [{"uri": "hf://team/rows"}]}, None),
    ],
)
def test_the_room_for_rows(root, trainer, situation, stage, changes, size):
    part = rows_to_write(trainer.config(root, stage, **changes), Findings(counts={SFT: ROWS, DPO: ROWS}))
    assert (part and part.size) == size, situation


def test_rows_that_are_tokens_already_need_no_room(root, trainer):
    config = trainer.config(root)
    (root / "job" / "sft" / "data").mkdir(parents=True)
    assert rows_to_write(config, Findings(counts={SFT: ROWS})) is None
