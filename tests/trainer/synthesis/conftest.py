"""Fixtures of stages whose rows models write."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from alignment_api.names import MODEL_FOLDER, ROWS_FOLDER
from alignment_api.resolving.recipes import resolve
from alignment_api.run_config import JobIdentity, Paths, RunConfig, TrackingTarget
from alignment_api.spec.batch import world_size
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from alignment_api.spec.lineage import input_hash, models_needed, rows_needed
from alignment_api.spec.parts import loads_model
from distill_jobs import distill_config


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def feedback_config(
    root: Path,
    base_url: str = "http://127.0.0.1:9/v1",
    questions: int = 6,
    before: Sequence[dict[str, Any]] = (),
    then: Sequence[dict[str, Any]] = (),
    spec: Mapping[str, Any] = MappingProxyType({}),
    **feedback: Any,
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
    return stage_config(root, "opinions", [*before, {"name": "opinions", "feedback": settings}, *then], **spec)


def stage_config(root: Path, name: str, stages: list[dict[str, Any]], **spec: Any) -> RunConfig:
    """Return the RunConfig of one stage of a job, as the operator writes it, and make its folder."""
    document = {"model": {"uri": "workspace://model"}, "stages": stages, "storage": {"claimName": "workspace"}, **spec}
    job = {"apiVersion": "alignment-operator.dev/v1alpha1", "kind": "AlignmentJob", "metadata": {"name": "tiny"}}
    return config_of(root, resolve(AlignmentJob.parse({**job, "spec": document}).spec).spec, name)


def config_of(root: Path, spec: AlignmentJobSpec, name: str) -> RunConfig:
    """Return the RunConfig of one stage of a resolved job, and make its folder."""
    stage = next(stage for stage in spec.stages or [] if stage.name == name)
    compute, job = spec.compute_of(stage), root / "job"
    models = {known.name: str(job / known.name / MODEL_FOLDER) for known in models_needed(spec, stage)}
    rows = {known.name: str(job / known.name / ROWS_FOLDER) for known in rows_needed(spec, stage)}
    (job / name).mkdir(parents=True, exist_ok=True)
    return RunConfig(
        job=JobIdentity(namespace="default", name="tiny", uid="0badcafe-1"),
        attempt=1,
        stage_name=name,
        input_hash=input_hash(spec, stage),
        spec=spec,
        compute=compute,
        paths=Paths(workspace=str(root), stage=str(job / name), stage_models=models or None, stage_rows=rows or None),
        tracking=TrackingTarget(uri=f"sqlite:///{root / 'mlflow.db'}", experiment="tests", artifacts=str(root / "artifacts")),
        world_size=world_size(compute) if loads_model(stage) else 1,
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
def staged() -> Callable[..., RunConfig]:
    """Return the function above for a stage of any kind."""
    return stage_config


@pytest.fixture
def lines() -> Callable[[Path], list[dict[str, Any]]]:
    """Return a function that reads the rows of a file."""
    return lambda path: [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def later() -> Callable[[RunConfig, str], RunConfig]:
    """Return a function that returns the RunConfig of another stage of the same job."""
    return lambda config, name: config_of(Path(config.paths.workspace), config.spec, name)
