"""Which outputs of jobs stand side by side, and why a stage has none."""

from collections.abc import Mapping, Sequence

from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.lineage import parent_of
from alignment_api.spec.stages import Stage
from alignment_api.spec.status import ENDED

from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.samples import BASE, Output, Rows, rows_at, steps_of
from alignment_dashboard.facts.stages import trained_stages
from alignment_dashboard.facts.status import stage_of

StageRows = Mapping[str, Rows]
"""The rows of a job by the name of its stage."""


def starting_stages(job: AlignmentJob) -> list[str]:
    """Return the trained stages that start from the job's model: their step 0 has the answers of the base model."""
    trained = trained_stages(job)
    return [stage.name for stage in job.spec.stages or [] if stage.name in trained and parent_of(job.spec, stage) is None]


def steps_to_choose(job: AlignmentJob, stage: str, rows: Rows) -> list[int]:
    """Return the steps at which a stage was sampled, without the step 0 that belongs to the base model."""
    return [step for step in steps_of(rows) if step or stage not in starting_stages(job)]


def base_of(job: AlignmentJob, rows: StageRows) -> Output | None:
    """Return the answers of the base model, if they were sampled."""
    found = next(filter(None, (rows_at(rows.get(stage, []), 0) for stage in starting_stages(job))), None)
    return Output(BASE, 0, found, identify(job), _model_of(job)) if found else None


def stages_of_one(job: AlignmentJob, rows: StageRows, steps: Mapping[str, int]) -> list[Output]:
    """Return the base model and each trained stage at its chosen step."""
    base = base_of(job, rows)
    trained = [_output(job, stage, step, rows[stage]) for stage, step in steps.items()]
    return [base, *trained] if base else trained


def stage_of_several(jobs: Sequence[AlignmentJob], rows: Sequence[StageRows], stage: str, step: int) -> list[Output]:
    """Return the same stage of all jobs, each at its last samples until a step, and every base model before its first job."""
    several = len({_model_of(job) for job in jobs}) > 1
    found: dict[str, Output] = {}
    for job, of_stages in zip(jobs, rows, strict=True):
        base = base_of(job, of_stages)
        if base:
            found.setdefault(base.model, base._replace(name=f"{BASE} of {job.metadata.name}" if several else BASE))
        known = [known for known in steps_to_choose(job, stage, of_stages.get(stage, [])) if known <= step]
        if known:
            found[identify(job)] = _output(job, job.metadata.name, known[-1], of_stages[stage])
    return list(found.values())


def _output(job: AlignmentJob, name: str, step: int, rows: Rows) -> Output:
    return Output(name, step, rows_at(rows, step), identify(job), _model_of(job))


def _model_of(job: AlignmentJob) -> str:
    model = job.spec.model
    return f"{model.uri}@{model.revision}" if model else str(job.spec.recipe)


def why_none(job: AlignmentJob, name: str) -> str:
    """Return why a stage has no samples, and what to do."""
    stage = f"Stage {name} of {job.metadata.name}"
    if name not in trained_stages(job):
        return f"{job.metadata.name} has no trained stage {name}."
    if not any(_holds_out(known) for known in job.spec.stages or []):
        return f"{stage} has no samples, since the job holds out no rows. Set holdout in a stage, such as fraction: 0.01."
    known = stage_of(job, name)
    state = known.state if known else "Waiting"
    if state not in ENDED:
        begun = "has not started" if state in ("Waiting", "Pending", "Queued") else "has not been asked"
        return f"{stage} {begun} yet. Its samples appear here after its first evaluation."
    return (
        f"{stage} ended without samples: it ended before its first evaluation, its held-out rows have no prompts, or an older "
        "version ran it. Its log says more; run it again to get samples."
    )


def why_no_base(job: AlignmentJob, rows: StageRows) -> str | None:
    """Return why the answers of the base model are missing although a stage was sampled; None if they are there."""
    if base_of(job, rows) or not any(rows.values()):
        return None
    return f"The base model's answers are missing, since {job.metadata.name} was not asked at step 0: an older version ran it."


def _holds_out(stage: Stage) -> bool:
    return getattr(stage.settings, "holdout", None) is not None
