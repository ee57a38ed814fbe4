"""RunConfigs of a stage `exam` that measures models of a job, with the tiny example's model, and its rows."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from alignment_api.names import MODEL_FOLDER
from alignment_api.resolving.recipes import resolve
from alignment_api.run_config import JobIdentity, Paths, RunConfig, TrackingTarget
from alignment_api.spec.batch import world_size
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.lineage import input_hash, models_needed
from safetensors.numpy import load_file, save_file

_TRAINED = {"learningRate": 1e-3, "maxSteps": 2, "globalBatchSize": 2}
SFT = {
    "name": "sft",
    "sft": {"datasets": [{"uri": "workspace://inputs/tiny/sft.jsonl"}], "maxLength": 128, "optimization": _TRAINED},
}
BOTH = [{"base": True}, {"stage": "sft"}]


def exam_config(
    root: Path,
    tasks: list[dict[str, Any]],
    processes: int = 1,
    nodes: int = 1,
    before: Sequence[dict[str, Any]] = (),
    **settings: Any,
) -> RunConfig:
    """Return the RunConfig of the stage, as the operator writes it, and make its folder."""
    exam = {"models": BOTH, "sampling": {"maximumTokens": 8}, **settings, "tasks": tasks}
    document = {
        "model": {"uri": "workspace://inputs/tiny/model"},
        "stages": [*before, SFT, {"name": "exam", "evaluate": exam}],
        "compute": {"nodes": nodes, "gpusPerNode": 0, "processesPerNode": processes, "microBatchSize": 1},
        "storage": {"claimName": "workspace"},
    }
    job = {"apiVersion": "alignment-operator.dev/v1alpha1", "kind": "AlignmentJob", "metadata": {"name": "tiny"}}
    spec = resolve(AlignmentJob.parse({**job, "spec": document}).spec).spec
    stage = (spec.stages or [])[-1]
    models = {known.name: str(root / "job" / known.name / MODEL_FOLDER) for known in models_needed(spec, stage)}
    (root / "job/exam").mkdir(parents=True, exist_ok=True)
    return RunConfig(
        job=JobIdentity(namespace="default", name="tiny", uid="0badcafe-1"),
        attempt=1,
        stage_name="exam",
        input_hash=input_hash(spec, stage),
        spec=spec,
        compute=spec.compute_of(stage),
        paths=Paths(workspace=str(root), stage=str(root / "job/exam"), stage_models=models or None),
        tracking=TrackingTarget(uri=f"sqlite:///{root / 'mlflow.db'}", experiment="tests", artifacts=str(root / "artifacts")),
        world_size=world_size(spec.compute_of(stage)),
        grace_seconds=60,
    )


def task(name: str, measure: str, **others: Any) -> dict[str, Any]:
    """Return a task that measures the rows of the file NAME.jsonl."""
    return {"name": name, "measure": measure, "dataset": {"uri": f"workspace://{name}.jsonl"}, **others}


def write_rows(root: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Write the rows of a task."""
    (root / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def copy_models(workspace: Path, root: Path) -> None:
    """Put the base model into a workspace, and as the model of stage sft one whose weights differ."""
    shutil.copytree(workspace / "inputs", root / "inputs")
    trained = root / "job/sft/model"
    shutil.copytree(workspace / "inputs/tiny/model", trained)
    _change(trained / "model.safetensors")


def _change(weights: Path) -> None:
    """Change all weights, always in the same way: enough for other choices and other words."""
    draw = np.random.default_rng(1)
    tensors = sorted(load_file(weights).items())
    changed = {name: (tensor * (1 + draw.normal(size=tensor.shape))).astype(tensor.dtype) for name, tensor in tensors}
    save_file(changed, weights, metadata={"format": "pt"})
