"""The ablation study compares what it says: its branches differ in one thing each, and are measured on questions of their own."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from alignment_api.document import read_document
from alignment_api.resolving.validation import read_job, runnable_job
from alignment_api.spec.lineage import parent_of, stages_needed

EXAMPLES = Path(__file__).parents[2] / "examples"
SPEC = runnable_job(read_job(read_document(EXAMPLES / "ablation-tiny.yaml"))).spec
STAGES = {stage.name: stage for stage in SPEC.stages or []}


def settings(stage: str) -> dict[str, Any]:
    return STAGES[stage].settings.model_dump()


def differences(one: str, other: str) -> set[str]:
    """Return in what two branches differ."""
    parents = [parent_of(SPEC, STAGES[stage]) for stage in (one, other)]
    found = {name for name, value in settings(one).items() if value != settings(other)[name]}
    return found | ({"start"} if parents[0] != parents[1] else set())


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ("sft", "sft-twice", {"optimization"}),
        ("sft-dpo", "sft-dpo-thrice", {"optimization"}),
        ("dpo-only", "sft-dpo", {"start"}),
    ],
)
def test_two_branches_differ_in_one_thing(one: str, other: str, differs: set[str]) -> None:
    assert differences(one, other) == differs
    epochs = {"epochs": None}
    assert {**settings(one)["optimization"], **epochs} == {**settings(other)["optimization"], **epochs}


def test_all_models_are_in_one_table() -> None:
    assert [stage.name for stage in stages_needed(SPEC, STAGES["compare"])] == [name for name in STAGES if name != "compare"]


def test_no_question_is_in_two_of_training_development_and_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(EXAMPLES)])
    make_ablation = __import__("make_ablation")
    monkeypatch.setattr(make_ablation, "write_model", lambda folder, rows: None)
    make_ablation.write_inputs(tmp_path, make_ablation.all_asked())
    said = {path.stem: [json.loads(line) for line in path.read_text().splitlines()] for path in tmp_path.glob("*.jsonl")}
    learned = {row["messages"][0]["content"] for row in said["sft"]} | {
        row["prompt"][0]["content"] for row in said["preferences"]
    }
    development, test = ({row["prompt"] for row in said[f"{part}-references"]} for part in ("development", "test"))
    assert (len(development), len(test) > 100) == (69, True)
    assert not learned & development and not learned & test and not development & test
    assert test == {row["prompt"][0]["content"] for row in said["test-preferences"]}
