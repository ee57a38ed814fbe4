"""A home as `alignment run` leaves it: a sweep of twelve jobs, jobs in every state, and their runs; the same at every call."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from alignment_api import metrics
from alignment_api.home import Home
from alignment_api.names import stage_folder
from alignment_api.resolving.parameters import parameters
from alignment_api.resolving.recipes import resolve
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from seeded_curves import BEST, BETAS, LEARNING_RATES, SEEDS, STEPS, Curve, Parameters, curves
from seeded_tracking import STEP_SECONDS, Tracking, write_samples

STAGES = ("sft", "dpo")
LONG_MESSAGE = ("rank 3 of 8 ran out of memory at step 17: " + "CUDA tried to allocate 2.5 GiB more; " * 120)[:4096]
_STATUSES = {"Running": "RUNNING", "Succeeded": "FINISHED", "Failed": "FAILED", "Restarting": "RUNNING", "Suspended": "RUNNING"}


class Made(NamedTuple):
    """A job to write: its name, its parameters, its phase, and how far its stages came."""

    name: str
    parameters: Parameters = Parameters()
    phase: str = "Succeeded"
    steps: tuple[int, int] = (STEPS, STEPS)
    reason: str | None = None
    message: str | None = None
    silent: timedelta = timedelta(seconds=20)
    """How long ago a running job made its last step."""

    @property
    def identity(self) -> str:
        """Return the identity of the job in addresses."""
        return f"uid-{self.name}"


_PARAMETERS = [Parameters(rate, beta, seed) for rate in LEARNING_RATES for beta in BETAS for seed in SEEDS]
SWEEP = [Made(f"sweep-{number:02}", parameters) for number, parameters in enumerate(_PARAMETERS, 1)]
BEST_OF_SWEEP = next(made for made in SWEEP if made.parameters[:3] == BEST)
SPIKE = Made("spike", Parameters(fault="spike"))
DIVERGING = Made("diverging", Parameters(fault="nan"), "Running", (STEPS, 110))
RUNNING = Made("running", Parameters(seed=2), "Running", (STEPS, 124))
SILENT = Made("silent", Parameters(5e-7), "Running", (STEPS, 60), silent=timedelta(hours=2))
FAILED = Made("failed", Parameters(), "Failed", (STEPS, 17), "OutOfMemory", LONG_MESSAGE)
BAD_DATA = Made(
    "bad-data", Parameters(), "Failed", (0, 0), "BadData", "pairs.jsonl, line 17: the row has no answer; add one, or remove it."
)
RESTARTING = Made(
    "restarting", Parameters(), "Restarting", (STEPS, 40), "BadNode", "dpo: node gpu-7 is not ready; the next attempt avoids it."
)
QUEUED = Made("queued", Parameters(), "Queued", (0, 0), "Queued", "sft: 8 GPUs are asked for and 4 are free in queue team-a.")
SUSPENDED = Made("suspended", Parameters(), "Suspended", (120, 0), "Suspended", "spec.suspend is true")
JOBS = [*SWEEP, SPIKE, DIVERGING, RUNNING, SILENT, FAILED, BAD_DATA, RESTARTING, QUEUED, SUSPENDED]


def write_home(root: Path, empty_database: Path, now: datetime, jobs: list[Made] = JOBS) -> Home:
    """Write the jobs and their runs; each job began 20 minutes after the one before, and the last ones run now."""
    home = Home(root)
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_database, root / "mlflow.db")
    tracking = Tracking(home)
    for number, made in enumerate(jobs):
        took = timedelta(seconds=STEP_SECONDS * sum(made.steps))
        ended_before = made.silent if made.phase in ("Running", "Restarting") else timedelta(minutes=20 * (len(jobs) - number))
        _write_job(home, tracking, made, now - ended_before - took)
    tracking.close()
    return home


def _write_job(home: Home, tracking: Tracking, made: Made, began: datetime) -> None:
    made_curves = {
        kind: curves(kind, made.parameters, steps) for kind, steps in zip(STAGES, made.steps, strict=True) if steps > 0
    }
    document = AlignmentJob.parse(_document(made, began, made_curves)).dump()
    folder = home.job_folder("default", made.name)
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps(document))
    if made_curves:
        _log_job(home, tracking, made, began, made_curves)


def _log_job(home: Home, tracking: Tracking, made: Made, began: datetime, found: dict[str, dict[str, Curve]]) -> None:
    tags = {metrics.JOB_TAG: made.name, metrics.NAMESPACE_TAG: "default", metrics.JOB_UID_TAG: made.identity}
    parent, moment = f"{made.name}-job", _milliseconds(began)
    end = None if made.phase in ("Running", "Restarting", "Suspended") else moment + 1000 * STEP_SECONDS * sum(made.steps)
    tracking.add_run(parent, tags, _STATUSES[made.phase], moment, end)
    tracking.add_parameters(parent, parameters(resolve(AlignmentJobSpec.parse(_spec(made))).spec.dump()))
    for stage, stage_curves in found.items():
        tracking.add_curves(parent, _headlines(stage, stage_curves), moment)
        run_id, ended = f"{made.name}-{stage}", len(found) > 1 and stage == "sft"
        stage_tags = {metrics.STAGE_TAG: stage, metrics.KIND_TAG: stage, metrics.PARENT_TAG: parent}
        status = "FINISHED" if ended else _STATUSES[made.phase]
        steps = len(stage_curves[metrics.LOSS])
        stage_end = moment + 1000 * STEP_SECONDS * steps
        artifacts = tracking.add_run(run_id, tags | stage_tags, status, moment, stage_end if ended else end)
        tracking.add_parameters(run_id, _flat(_spec(made)["stages"][STAGES.index(stage)][stage]))
        tracking.add_curves(run_id, stage_curves, moment)
        sampled = [0, 100, 200] if stage == "sft" else [100, 200]
        write_samples(artifacts, [step for step in sampled if step <= steps], f"I am {made.name} after {stage}.")
        _write_log(home, artifacts, made, stage, steps)
        moment = stage_end


def _write_log(home: Home, artifacts: Path, made: Made, stage: str, steps: int) -> None:
    text = "".join(f"rank 0: step {step} of {STEPS}\n" for step in range(1, steps + 1))
    for folder in (home.workspace / stage_folder("default", made.name, made.identity, stage), artifacts / "logs"):
        folder.mkdir(parents=True)
        (folder / "stage.log").write_text(text)


def _headlines(stage: str, found: dict[str, Curve]) -> dict[str, Curve]:
    latest = {metrics.of_stage(stage, name): found[name][-1:] for name in metrics.BEST_OF if found.get(name)}
    best = {
        metrics.best_of_stage(stage, name): [choose(found[name], key=lambda point: point[1])]
        for name, choose in metrics.BEST_OF.items()
        if choose and found.get(name)
    }
    return latest | best


def _spec(made: Made) -> dict[str, Any]:
    rate, beta, seed, _ = made.parameters
    common = {"holdout": {"fraction": 0.02}, "evaluation": {"everySteps": 50}}
    sft = {"learningRate": 2e-5, "maxSteps": STEPS, "globalBatchSize": 64, "seed": seed}
    stages = [
        {"name": "sft", "sft": {"datasets": [{"uri": "workspace://data/chats.jsonl"}], "optimization": sft, **common}},
        {
            "name": "dpo",
            "dpo": {
                "datasets": [{"uri": "workspace://data/pairs.jsonl"}],
                "beta": beta,
                "optimization": {"learningRate": rate, "maxSteps": STEPS, "globalBatchSize": 64, "seed": seed},
                **common,
            },
        },
    ]
    compute = {"nodes": 1, "gpusPerNode": 8, "microBatchSize": 4}
    return {
        "model": {"uri": "workspace://models/base-7b"},
        "stages": stages,
        "compute": compute,
        "storage": {"claimName": "workspace"},
    }


def _document(made: Made, began: datetime, found: dict[str, dict[str, Curve]]) -> dict[str, Any]:
    metadata = {"name": made.name, "namespace": "default", "uid": made.identity, "generation": 1}
    return {
        "apiVersion": "alignment-operator.dev/v1alpha1",
        "kind": "AlignmentJob",
        "metadata": metadata | {"creationTimestamp": _time(began - timedelta(seconds=30))},
        "spec": _spec(made) | ({"suspend": True} if made.phase == "Suspended" else {}),
        "status": _status(made, began, found),
    }


def _status(made: Made, began: datetime, found: dict[str, dict[str, Curve]]) -> dict[str, Any]:
    current = "dpo" if made.steps[0] == STEPS else "sft"
    ended = began + timedelta(seconds=STEP_SECONDS * sum(made.steps))
    message = made.message or ("all stages have ended" if made.phase == "Succeeded" else f"{current} is training")
    status = {
        "observedGeneration": 1,
        "phase": made.phase,
        "reason": made.reason or ("Succeeded" if made.phase == "Succeeded" else "Training"),
        "message": message,
        "currentStage": current,
        "progress": f"{100 * sum(made.steps) // (2 * STEPS)}%",
        "model": "workspace://models/base-7b",
        "gpus": 8,
        "gpuSeconds": 8 * STEP_SECONDS * sum(made.steps),
        "stages": _stages(made, began, found),
    }
    if found:
        status |= {"startTime": _time(began), "tracking": {"experimentId": "1", "runId": f"{made.name}-job"}}
    if made.phase == "Running":
        left = timedelta(seconds=STEP_SECONDS * (STEPS - made.steps[1]))
        status["estimatedCompletionTime"] = _time(ended + left)
    return status | ({"completionTime": _time(ended)} if made.phase in ("Succeeded", "Failed") else {})


def _stages(made: Made, began: datetime, found: dict[str, dict[str, Curve]]) -> list[dict[str, Any]]:
    stages: list[dict[str, Any]] = []
    for stage, steps in zip(STAGES, made.steps, strict=True):
        ended = began + timedelta(seconds=STEP_SECONDS * steps)
        state = "Succeeded" if steps == STEPS else made.phase
        if stage == "dpo" and made.steps[0] < STEPS:
            state = "Waiting"
        one: dict[str, Any] = {"name": stage, "state": state, "attempts": 1 if steps else 0}
        if steps:
            one |= {"startTime": _time(began), "runId": f"{made.name}-{stage}", "gpuSeconds": 8 * STEP_SECONDS * steps}
            one["progress"] = _progress(steps, ended, found[stage])
        if state in ("Succeeded", "Failed"):
            one["completionTime"] = _time(ended)
        if state == made.phase and made.message:
            one |= {"reason": made.reason, "message": made.message}
        stages.append(one)
        began = ended
    return stages


def _progress(steps: int, moment: datetime, found: dict[str, Curve]) -> dict[str, Any]:
    # JSON has no NaN, so a status leaves such a value out.
    latest = {name: found[name][-1][1] for name in metrics.HEADLINES if name in found}
    finite = {name: value for name, value in latest.items() if value == value}
    left = {"secondsLeft": STEP_SECONDS * (STEPS - steps)}
    share = {"step": steps, "totalSteps": STEPS, "percent": 100 * steps // STEPS, "updatedTime": _time(moment)}
    return share | left | {"metrics": finite}


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(tree, dict):
        return {name: value for key, part in tree.items() for name, value in _flat(part, f"{prefix}{key}.").items()}
    if isinstance(tree, list):
        return _flat({part.get("name", number): part for number, part in enumerate(tree)}, prefix)
    return {prefix.removesuffix("."): tree}


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
