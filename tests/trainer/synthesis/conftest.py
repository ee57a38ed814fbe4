"""Fixtures of stages whose rows models write."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from alignment_api.names import ROWS_FOLDER
from alignment_api.resolving.recipes import resolve
from alignment_api.run_config import JobIdentity, Paths, RunConfig, TrackingTarget
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.lineage import input_hash, rows_needed
from distill_jobs import distill_config


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def feedback_config(
    root: Path, base_url: str = "http://127.0.0.1:9/v1", questions: int = 6, then: Sequence[dict[str, Any]] = (), **feedback: Any
) -> RunConfig:
    """Return the RunConfig of a job's stage `opinions`, whose models are all at this address, and write its questions."""
    write_lines(root / "questions.jsonl", [{"question": f"What is {number} + {number}?"} for number in range(questions)])
    server = {"baseUrl": base_url, "concurrency": 8}
    asked = {
        "responders": [{"endpoint": {**server, "model": model}} for model in ("best", "good", "fair", "poor")],
        "judge": {**server, "model": "judge"},
        "prompts": [{"uri": "workspace://questions.jsonl"}],
        "sampling": {"maximumTokens": 16},
    }
    settings = feedback if "judged" in feedback else {**asked, **feedback}
    return stage_config(root, "opinions", [{"name": "opinions", "feedback": settings}, *then])


def stage_config(root: Path, name: str, stages: list[dict[str, Any]], **spec: Any) -> RunConfig:
    """Return the RunConfig of one stage of a job, as the operator writes it, and make its folder."""
    document = {"model": {"uri": "workspace://model"}, "stages": stages, "storage": {"claimName": "workspace"}, **spec}
    job = {"apiVersion": "alignment-operator.dev/v1alpha1", "kind": "AlignmentJob", "metadata": {"name": "tiny"}}
    resolved = resolve(AlignmentJob.parse({**job, "spec": document}).spec).spec
    stage = next(stage for stage in resolved.stages or [] if stage.name == name)
    (root / "job" / name).mkdir(parents=True, exist_ok=True)
    return RunConfig(
        job=JobIdentity(namespace="default", name="tiny", uid="0badcafe-1"),
        attempt=1,
        stage_name=name,
        input_hash=input_hash(resolved, stage),
        spec=resolved,
        compute=resolved.compute_of(stage),
        paths=Paths(
            workspace=str(root),
            stage=str(root / "job" / name),
            stage_rows={known.name: str(root / "job" / known.name / ROWS_FOLDER) for known in rows_needed(resolved, stage)}
            or None,
        ),
        tracking=TrackingTarget(uri=f"sqlite:///{root / 'mlflow.db'}", experiment="tests", artifacts=str(root / "artifacts")),
        world_size=1,
        grace_seconds=60,
    )


@pytest.fixture
def distilling() -> Callable[..., RunConfig]:
    """Return the function above."""
    return distill_config


@pytest.fixture
def paired() -> Callable[..., RunConfig]:
    """Return the function above for a stage that makes pairs."""
    return feedback_config


@pytest.fixture
def lines() -> Callable[[Path], list[dict[str, Any]]]:
    """Return a function that reads the rows of a file."""
    return lambda path: [json.loads(line) for line in path.read_text().splitlines()]
