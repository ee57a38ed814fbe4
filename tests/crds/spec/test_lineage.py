"""A stage's hash changes with what its result depends on, and with nothing else."""

from typing import Any

import pytest
from alignment_api.resolving.validation import read_job, resolve_job
from alignment_api.spec.lineage import input_hash, parent_of
from builders import a_document, a_training

STAGES = [
    {"name": "sft", "sft": a_training()},
    {"name": "dpo", "dpo": a_training()},
    {"name": "raw", "model": {"base": True}, "dpo": a_training()},
    {"name": "again", "model": {"stage": "sft"}, "dpo": a_training()},
]


def resolved(**spec: Any) -> Any:
    return resolve_job(read_job(a_document(**{"stages": STAGES, **spec}))).spec


def test_a_stage_builds_on_the_latest_training_stage_unless_it_says_otherwise() -> None:
    spec = resolved()
    parents = [parent_of(spec, stage) for stage in spec.stages]
    assert [parent.name if parent else None for parent in parents] == [None, "sft", None, "sft"]


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({}, []),
        ({"compute": {"nodes": 1, "gpusPerNode": 8}}, []),
        ({"suspend": True, "queueName": "q", "tracking": {"experiment": "e"}}, []),
        ({"model": {"uri": "workspace://other"}}, ["sft", "dpo", "raw", "again"]),
        ({"stages": [{"name": "sft", "sft": a_training(maxLength=32)}, *STAGES[1:]]}, ["sft", "dpo", "again"]),
        ({"stages": [STAGES[0], {"name": "dpo", "dpo": a_training(beta=0.2)}, *STAGES[2:]]}, ["dpo"]),
    ],
)
def test_the_hash(change: dict[str, Any], changed: list[str]) -> None:
    before, after = resolved(), resolved(**change)
    differing = [
        old.name
        for old, new in zip(before.stages, after.stages, strict=True)
        if input_hash(before, old) != input_hash(after, new)
    ]
    assert differing == changed
