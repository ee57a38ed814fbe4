"""The AlignmentJob, spec and status: the single source of truth from which the CRD and its reference are generated."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alignment_api.names import JOB_NAME_MAXIMUM
from alignment_api.schema import Rule, Schema, count_set, exactly_one
from alignment_api.stages import Stage
from alignment_api.training import NO_WAY_UP, Compute, Name, Quantity, SecretKey, Steps, Uri


class Model(Schema):
    """The model that the job begins with."""

    rules: ClassVar = (NO_WAY_UP,)

    uri: Annotated[
        Uri | None,
        Field(description="hf://owner/name, workspace://path (a folder on the workspace volume) or s3://bucket/prefix."),
    ] = None
    revision: Annotated[
        str | None,
        Field(max_length=64, description="Commit, branch or tag of a Hub model; resolved to a commit once for the job."),
    ] = None
    chat_template: Annotated[
        Literal["Model", "Zephyr", "ChatML"] | None, Field(description="How dialogues become text; Model is the tokenizer's own.")
    ] = None


class Storage(Schema):
    """The workspace volume: datasets, checkpoints and models live there, and stay when the job is deleted."""

    rules: ClassVar = (
        Rule(
            f"{count_set('claim_name', 'size')} == 1",
            exactly_one("claim_name", "size"),
            "set exactly one of claimName (a claim that exists) and size (a claim to create)",
        ),
        Rule(
            "!has(self.storageClassName) || has(self.size)",
            lambda storage: storage.storage_class_name is None or storage.size is not None,
            "storageClassName goes with size: a claim that exists has its class already",
        ),
    )

    claim_name: Annotated[
        Name | None, Field(description="A claim in the job's namespace; ReadWriteMany where nodes is above 1.")
    ] = None
    size: Annotated[Quantity | None, Field(description="Size of a claim that is created for this job and kept.")] = None
    storage_class_name: Annotated[Name | None, Field(description="Storage class of the created claim.")] = None


class Tracking(Schema):
    """Where runs are logged; the server itself is set by whoever installed the operator."""

    experiment: Annotated[
        str | None, Field(min_length=1, max_length=250, description="MLflow experiment; the job's namespace where left out.")
    ] = None


class Restart(Schema):
    """What happens after a failure; eviction, node loss, preemption and suspension never count."""

    application_failures: Annotated[
        int | None, Field(ge=0, le=100, description="Failures of the training itself that are tried again, per stage.")
    ] = None
    stall_timeout_seconds: Annotated[
        int | None,
        Field(
            ge=60,
            le=604_800,
            description="A running stage that shows no progress for so long is restarted. The clock starts when all its "
            "containers run; before the first step only silence counts: its processes do nothing. Where neither pod nor MLflow "
            "tells of progress, the reason is ProgressUnknown, and the stage is restarted after four times as long.",
        ),
    ] = None


def _forward_reference(spec: "AlignmentJobSpec") -> int | None:
    """Find the first stage that builds on one that is not before it."""
    earlier: set[str] = set()
    for index, stage in enumerate(spec.stages or []):
        if stage.model and stage.model.stage and stage.model.stage not in earlier:
            return index
        earlier.add(stage.name)
    return None


def _blame_reference(spec: "AlignmentJobSpec") -> tuple[str, str]:
    index = _forward_reference(spec)
    assert index is not None and spec.stages is not None
    reference = spec.stages[index].model
    earlier = [stage.name for stage in spec.stages[:index]]
    known = f"name one of {', '.join(earlier)}" if earlier else "the first stage can only start from the base model"
    return f"stages[{index}].model.stage", f"{(reference.stage if reference else None)!r} is not an earlier stage; {known}"


def _repeated_name(spec: "AlignmentJobSpec") -> int | None:
    names = [stage.name for stage in spec.stages or []]
    return next((index for index, name in enumerate(names) if name in names[:index]), None)


def _blame_name(spec: "AlignmentJobSpec") -> tuple[str, str]:
    index = _repeated_name(spec)
    assert index is not None and spec.stages is not None
    return f"stages[{index}].name", f"{spec.stages[index].name!r} is the name of an earlier stage already; rename one of them"


class AlignmentJobSpec(Schema):
    """What the user wants."""

    rules: ClassVar = (
        Rule(
            "has(self.recipe) || has(self.stages)",
            lambda spec: spec.recipe is not None or spec.stages is not None,
            "set stages, or a recipe that brings them",
        ),
        Rule(
            "has(self.recipe) || (has(self.model) && has(self.model.uri))",
            lambda spec: spec.recipe is not None or (spec.model is not None and spec.model.uri is not None),
            "set model.uri, or a recipe that brings it",
        ),
        Rule(
            "!has(self.stages) || self.stages.all(index, stage, !has(stage.model) || !has(stage.model.stage) || "
            "self.stages.exists(before, other, before < index && other.name == stage.model.stage))",
            lambda spec: _forward_reference(spec) is None,
            "a stage's model.stage must name an earlier stage",
            _blame_reference,
            is_relied_on=True,
        ),
        Rule(
            "!has(self.stages) || self.stages.all(stage, self.stages.exists_one(other, other.name == stage.name))",
            lambda spec: _repeated_name(spec) is None,
            "stage names must be unique",
            _blame_name,
            is_relied_on=True,
        ),
    )

    recipe: Annotated[
        Name | None, Field(description="A named recipe that fills everything left out; what is written here wins.")
    ] = None
    model: Annotated[Model | None, Field(description="The model that the job begins with.")] = None
    stages: Annotated[
        list[Stage] | None,
        Field(
            min_length=1,
            max_length=12,
            description="What is done, in order; the recipe's stages where left out.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = None
    compute: Annotated[Compute | None, Field(description="Where and how stages run.")] = None
    storage: Annotated[Storage | None, Field(description="The workspace volume.")] = None
    tracking: Annotated[Tracking | None, Field(description="Where runs are logged.")] = None
    hub_token_secret: Annotated[SecretKey | None, Field(description="Token for gated models and datasets of the Hub.")] = None
    s3_credentials_secret: Annotated[
        SecretKey | None,
        Field(description="AWS credentials file for s3:// uris; its profile default may also hold region and endpoint_url."),
    ] = None
    queue_name: Annotated[Name | None, Field(description="Kueue queue that every stage waits in.")] = None
    suspend: Annotated[bool | None, Field(description="Stop with a checkpoint and free all GPUs until this is false again.")] = (
        None
    )
    restart: Annotated[Restart | None, Field(description="What happens after a failure.")] = None
    active_deadline_seconds: Annotated[
        int | None,
        Field(
            ge=1,
            le=31_536_000,
            description="The job fails when its stages' containers have run for longer in all. Time in a queue, suspended, "
            "waiting for nodes or between attempts does not count.",
        ),
    ] = None
    ttl_seconds_after_finished: Annotated[
        int | None, Field(ge=0, le=31_536_000, description="The finished job is deleted after so long; its workspace is kept.")
    ] = None

    def compute_of(self, stage: Stage) -> Compute:
        """Give a stage's compute: the job's, with what the stage says otherwise."""
        shared = self.compute or Compute()
        own = stage.compute or Compute()
        return shared.model_copy(update={field: value for field, value in own if value is not None})


Phase = Literal["Pending", "Queued", "Running", "Restarting", "Suspended", "Succeeded", "Failed"]
StageState = Literal["Waiting", "Pending", "Queued", "Running", "Restarting", "Suspended", "Succeeded", "Failed"]


class Condition(Schema):
    """One statement about the job, in the usual shape of Kubernetes."""

    type: Annotated[Literal["Suspended", "Progressing", "Complete", "Failed"], Field(description="What is stated.")]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="Whether it holds.")]
    reason: Annotated[str, Field(max_length=128, description="Why, in one CamelCase word.")]
    message: Annotated[str, Field(max_length=4096, description="Why, in a sentence.")]
    observed_generation: Annotated[int | None, Field(ge=0, description="Generation of the spec this was said of.")] = None
    last_transition_time: Annotated[datetime | None, Field(description="When the status last changed.")] = None


class Progress(Schema):
    """How far a stage is, as its trainer last reported."""

    step: Annotated[int, Field(ge=0, description="Optimizer steps done.")]
    total_steps: Annotated[Steps, Field(description="Optimizer steps in all.")]
    percent: Annotated[int, Field(ge=0, le=100, description="Share of the steps.")]
    seconds_left: Annotated[int | None, Field(ge=0, description="Time to the last step, at the present speed.")] = None
    updated_time: Annotated[datetime, Field(description="When the trainer said so.")]
    metrics: Annotated[dict[str, float] | None, Field(description="Latest values of the metrics that matter.")] = None


class Record(Schema):
    """What the job's stages are made of, as it was resolved once: a new version of the operator changes nothing of it."""

    written: Annotated[str, Field(max_length=524_288, description="The spec as its author last wrote it, as JSON.")]
    resolved: Annotated[
        str, Field(max_length=524_288, description="That spec with every value that recipe and defaults gave it, as JSON.")
    ]


class StageStatus(Schema):
    """What was last seen of one stage."""

    name: Annotated[str, Field(max_length=63, description="The stage.")]
    state: Annotated[StageState, Field(description="Where it stands.")]
    reason: Annotated[str | None, Field(max_length=128, description="Why, in one CamelCase word.")] = None
    message: Annotated[str | None, Field(max_length=4096, description="Why, in a sentence.")] = None
    attempts: Annotated[int, Field(ge=0, description="Attempts so far.")] = 0
    failed_attempt: Annotated[int | None, Field(ge=0, description="The latest attempt whose failure has been counted.")] = None
    application_failures: Annotated[int, Field(ge=0, description="Counted failures of the training itself.")] = 0
    infrastructure_failures: Annotated[int, Field(ge=0, description="Failures around it, which never use up the budget.")] = 0
    retry_time: Annotated[datetime | None, Field(description="When the next attempt starts.")] = None
    child: Annotated[str | None, Field(max_length=253, description="The object that runs it.")] = None
    child_uid: Annotated[str | None, Field(max_length=64, description="The uid of that object; another one is a stranger.")] = (
        None
    )
    input_hash: Annotated[str | None, Field(max_length=64, description="What the stage was made from.")] = None
    fingerprint: Annotated[str | None, Field(max_length=64, description="What its pods were made from.")] = None
    start_time: Annotated[datetime | None, Field(description="When its first attempt started.")] = None
    completion_time: Annotated[datetime | None, Field(description="When it ended.")] = None
    counted_attempt: Annotated[int | None, Field(ge=0, description="The latest attempt whose time has been added up.")] = None
    active_seconds: Annotated[int, Field(ge=0, description="Time in which all containers of ended attempts ran.")] = 0
    gpu_seconds: Annotated[int, Field(ge=0, description="GPU time of ended attempts, while all their containers ran.")] = 0
    progress: Annotated[Progress | None, Field(description="How far it is.")] = None
    run_id: Annotated[str | None, Field(max_length=64, description="Its MLflow run.")] = None
    output: Annotated[str | None, Field(max_length=1024, description="Where its result lies, as a workspace uri.")] = None
    last_checkpoint: Annotated[
        int | None, Field(ge=0, description="Step of the newest checkpoint when the last attempt ended.")
    ] = None


class TrackingStatus(Schema):
    """Where the job is logged."""

    experiment_id: Annotated[str | None, Field(max_length=64, description="MLflow experiment.")] = None
    run_id: Annotated[str | None, Field(max_length=64, description="MLflow run of the whole job.")] = None
    url: Annotated[str | None, Field(max_length=1024, description="Page of that run.")] = None


class AlignmentJobStatus(Schema):
    """What was last observed; conditions are the truth, phase and the columns derive from them."""

    observed_generation: Annotated[int | None, Field(ge=0, description="Generation of the spec this status speaks of.")] = None
    conditions: Annotated[
        list[Condition] | None,
        Field(
            max_length=8,
            description="Suspended, Progressing, Complete and Failed, all set from the start.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = None
    phase: Annotated[Phase | None, Field(description="The conditions in one word.")] = None
    reason: Annotated[str | None, Field(max_length=128, description="Reason of the condition that matters most.")] = None
    message: Annotated[str | None, Field(max_length=4096, description="Message of the condition that matters most.")] = None
    current_stage: Annotated[str | None, Field(max_length=63, description="The stage under way, or the one that failed.")] = None
    progress: Annotated[str | None, Field(max_length=16, description="Share of all stages done, such as 62%.")] = None
    eta: Annotated[str | None, Field(max_length=32, description="Time left in the current stage, such as 1h12m.")] = None
    estimated_completion_time: Annotated[datetime | None, Field(description="When the current stage should end.")] = None
    model: Annotated[str | None, Field(max_length=512, description="The model, from spec or recipe.")] = None
    gpus: Annotated[int | None, Field(ge=0, description="GPUs of the current stage.")] = None
    gpu_seconds: Annotated[int | None, Field(ge=0, description="GPU time of all ended attempts.")] = None
    start_time: Annotated[datetime | None, Field(description="When the first stage started.")] = None
    completion_time: Annotated[datetime | None, Field(description="When the job ended.")] = None
    tracking: Annotated[TrackingStatus | None, Field(description="Where the job is logged.")] = None
    model_revision: Annotated[str | None, Field(max_length=64, description="Commit of the Hub model that all stages use.")] = None
    record: Annotated[Record | None, Field(description="What the stages are made of, unless the spec is edited.")] = None
    stages: Annotated[
        list[StageStatus] | None,
        Field(
            max_length=12,
            description="What was last seen of each stage.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = None


class Metadata(Schema):
    """The part of Kubernetes' metadata that a job file may carry."""

    model_config = {"extra": "ignore"}

    name: Annotated[str, Field(max_length=JOB_NAME_MAXIMUM, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")]
    namespace: Annotated[str | None, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")] = None
    uid: Annotated[str | None, Field(max_length=64)] = None
    generation: Annotated[int | None, Field(ge=0)] = None
    resource_version: str | None = None
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class AlignmentJob(Schema):
    """One alignment of one model, from base weights to a measured result."""

    api_version: Literal["alignment-operator.dev/v1alpha1"]
    kind: Literal["AlignmentJob"]
    metadata: Metadata
    spec: AlignmentJobSpec
    status: AlignmentJobStatus | None = None
