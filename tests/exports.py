"""RunConfigs of stages that export a model, for tests of the stage and of its parts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from alignment_api.names import MODEL_FOLDER
from alignment_api.resolving.recipes import resolve
from alignment_api.run_config import JobIdentity, Paths, RunConfig, TrackingTarget
from alignment_api.spec.batch import world_size
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.lineage import input_hash, parent_of

PROOF: Mapping[str, Any] = MappingProxyType({"dataset": {"uri": "workspace://inputs/tiny/sft.jsonl"}, "maximumTokens": 400})


def export_config(
    root: Path, *, before: Sequence[dict[str, Any]] = (), name: str = "out", processes: int = 1, **export: Any
) -> RunConfig:
    """Return the RunConfig of a stage that exports the tiny example's model, or what the stages before it have made."""
    return stage_config(root, [*before, {"name": name, "export": export}], name, processes)


def stage_config(root: Path, stages: Sequence[dict[str, Any]], name: str, processes: int = 1) -> RunConfig:
    """Return the RunConfig of one stage of a job that begins with the tiny example's model."""
    document = {
        "model": {"uri": "workspace://inputs/tiny/model"},
        "compute": {"gpusPerNode": 0, "processesPerNode": processes},
        "stages": list(stages),
        "storage": {"claimName": "workspace"},
    }
    job = {"apiVersion": "alignment-operator.dev/v1alpha1", "kind": "AlignmentJob", "metadata": {"name": "tiny"}}
    spec = resolve(AlignmentJob.parse({**job, "spec": document}).spec).spec
    stage = next(stage for stage in spec.stages or [] if stage.name == name)
    parent, compute = parent_of(spec, stage), spec.compute_of(stage)
    return RunConfig(
        job=JobIdentity(namespace="default", name="tiny", uid="0badcafe-1"),
        attempt=1,
        stage_name=name,
        input_hash=input_hash(spec, stage),
        spec=spec,
        compute=compute,
        paths=Paths(
            workspace=str(root),
            stage=str(root / "job" / name),
            parent_model=str(root / "job" / parent.name / MODEL_FOLDER) if parent else None,
        ),
        tracking=TrackingTarget(uri=f"sqlite:///{root / 'mlflow.db'}", experiment="tests", artifacts=str(root / "artifacts")),
        world_size=world_size(compute),
        grace_seconds=60,
    )
