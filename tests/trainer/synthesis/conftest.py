"""Fixtures of stages whose rows models write."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alignment_api.resolving.recipes import resolve
from alignment_api.run_config import JobIdentity, Paths, RunConfig, TrackingTarget
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.lineage import input_hash


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def distill_config(root: Path, base_url: str = "http://127.0.0.1:9/v1", questions: int = 6, **distill: Any) -> RunConfig:
    """Return the RunConfig of a job's stage `lessons`, whose teacher is at this address, and write its questions."""
    write_lines(root / "questions.jsonl", [{"question": f"What is {number} + {number}?"} for number in range(questions)])
    settings = {
        "teachers": [{"baseUrl": base_url, "model": "large", "concurrency": 4}],
        "prompts": [{"uri": "workspace://questions.jsonl"}],
        "sampling": {"maximumTokens": 16},
        **distill,
    }
    document = {
        "model": {"uri": "workspace://model"},
        "stages": [{"name": "lessons", "distill": settings}],
        "storage": {"claimName": "workspace"},
    }
    job = {"apiVersion": "alignment-operator.dev/v1alpha1", "kind": "AlignmentJob", "metadata": {"name": "tiny"}}
    spec = resolve(AlignmentJob.parse({**job, "spec": document}).spec).spec
    stage = (spec.stages or [])[0]
    (root / "job/lessons").mkdir(parents=True, exist_ok=True)
    return RunConfig(
        job=JobIdentity(namespace="default", name="tiny", uid="0badcafe-1"),
        attempt=1,
        stage_name="lessons",
        input_hash=input_hash(spec, stage),
        spec=spec,
        compute=spec.compute_of(stage),
        paths=Paths(workspace=str(root), stage=str(root / "job/lessons")),
        tracking=TrackingTarget(uri=f"sqlite:///{root / 'mlflow.db'}", experiment="tests", artifacts=str(root / "artifacts")),
        world_size=1,
        grace_seconds=60,
    )


@pytest.fixture
def distilling() -> Callable[..., RunConfig]:
    """Return the function above."""
    return distill_config


@pytest.fixture
def lines() -> Callable[[Path], list[dict[str, Any]]]:
    """Return a function that reads the rows of a file."""
    return lambda path: [json.loads(line) for line in path.read_text().splitlines()]
