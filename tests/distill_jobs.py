"""Jobs whose first stage is distill, for tests of all that writes rows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alignment_api.resolving.recipes import resolve
from alignment_api.run_config import JobIdentity, Paths, RunConfig, TrackingTarget
from alignment_api.spec.batch import world_size
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from alignment_api.spec.lineage import input_hash

SFT = {
    "datasets": [{"stage": "lessons"}],
    "optimization": {"learningRate": 3e-3, "maxSteps": 2, "globalBatchSize": 4},
    "maxLength": 128,
    "precision": "Float32",
}


def write_questions(root: Path, count: int) -> None:
    root.mkdir(parents=True, exist_ok=True)
    rows = [{"question": f"What is {number} + {number}?"} for number in range(count)]
    (root / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def distill_config(
    root: Path,
    base_url: str = "http://127.0.0.1:9/v1",
    questions: int = 6,
    job: str = "tiny",
    sft: Mapping[str, Any] = {},
    **distill: Any,
) -> RunConfig:
    """Return the RunConfig of a job's stage `lessons`, whose teacher is at this address, and write its questions."""
    write_questions(root, questions)
    settings = {
        "teachers": [{"baseUrl": base_url, "model": "large", "concurrency": 4}],
        "prompts": [{"uri": "workspace://questions.jsonl"}],
        "sampling": {"maximumTokens": 16},
        **distill,
    }
    document = {
        "model": {"uri": "workspace://inputs/tiny/model"},
        "stages": [{"name": "lessons", "distill": settings}, {"name": "sft", "sft": {**SFT, **sft}}],
        "storage": {"claimName": "workspace"},
        "compute": {"gpusPerNode": 0, "processesPerNode": 1, "microBatchSize": 4, "gradientCheckpointing": False},
    }
    head = {"apiVersion": "alignment-operator.dev/v1alpha1", "kind": "AlignmentJob", "metadata": {"name": job}}
    spec = resolve(AlignmentJob.parse({**head, "spec": document}).spec).spec
    (root / job / "lessons").mkdir(parents=True, exist_ok=True)
    return _of_stage(root, job, spec, "lessons")


def sft_behind(config: RunConfig) -> RunConfig:
    """Return the RunConfig of the stage `sft` of the same job, which trains on the rows."""
    return _of_stage(Path(config.paths.workspace), config.job.name, config.spec, "sft")


def _of_stage(root: Path, job: str, spec: AlignmentJobSpec, name: str) -> RunConfig:
    stage = next(known for known in spec.stages or [] if known.name == name)
    compute = spec.compute_of(stage)
    return RunConfig(
        job=JobIdentity(namespace="default", name=job, uid="0badcafe-1"),
        attempt=1,
        stage_name=name,
        input_hash=input_hash(spec, stage),
        spec=spec,
        compute=compute,
        paths=Paths(workspace=str(root), stage=str(root / job / name), stage_rows={"lessons": str(root / job / "lessons/rows")}),
        tracking=TrackingTarget(uri=f"sqlite:///{root / 'mlflow.db'}", experiment="tests", artifacts=str(root / "artifacts")),
        world_size=world_size(compute),
        grace_seconds=60,
    )
