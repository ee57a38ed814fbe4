"""The AlignmentJob: the models from which the CRD and its reference are generated."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alignment_api.names import JOB_NAME_MAXIMUM
from alignment_api.schema import Rule, Schema, count_set, exactly_one
from alignment_api.spec.compute import COMPUTE_WITHOUT_MODEL, Compute
from alignment_api.spec.endpoints import SecretKey
from alignment_api.spec.parts import loads_model
from alignment_api.spec.references import (
    MODEL_OF_AN_EARLIER_STAGE,
    NO_STAGE_IS_BASE,
    ROWS_OF_A_STAGE_THAT_WRITES_THEM,
    ROWS_OF_AN_EARLIER_STAGE,
    UNIQUE_NAMES,
)
from alignment_api.spec.stages import Stage
from alignment_api.spec.status import AlignmentJobStatus
from alignment_api.spec.values import NO_WAY_UP, Moment, Name, Quantity, Uri


class Model(Schema):
    """The model that the job starts from."""

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
    """The workspace volume, which holds datasets, checkpoints and models; it is kept when the job is deleted."""

    rules: ClassVar = (
        Rule(
            f"{count_set('claim_name', 'size')} == 1",
            exactly_one("claim_name", "size"),
            "set exactly one of claimName (an existing claim) and size (creates a claim)",
        ),
        Rule(
            "!has(self.storageClassName) || has(self.size)",
            lambda storage: storage.storage_class_name is None or storage.size is not None,
            "storageClassName needs size: an existing claim already has its storage class",
        ),
    )

    claim_name: Annotated[
        Name | None,
        Field(description="A claim in the job's namespace; it must be ReadWriteMany if nodes or parallelStages is above 1."),
    ] = None
    size: Annotated[Quantity | None, Field(description="Size of a claim that is created for this job and kept.")] = None
    storage_class_name: Annotated[Name | None, Field(description="Storage class of the created claim.")] = None


class Tracking(Schema):
    """Where runs are logged; the MLflow server itself is a setting of the operator."""

    experiment: Annotated[
        str | None, Field(min_length=1, max_length=250, description="MLflow experiment; if unset, the job's namespace.")
    ] = None


class Restart(Schema):
    """What happens after a failure; eviction, node loss, preemption and suspension do not count as failures."""

    application_failures: Annotated[
        int | None, Field(ge=0, le=100, description="How many failures of the training itself are retried, per stage.")
    ] = None
    stall_timeout_seconds: Annotated[
        int | None,
        Field(
            ge=60,
            le=604_800,
            description="A running stage without progress for this long is restarted. The time counts from when all its "
            "containers run; before the first step, it counts only while the processes do nothing. If neither the pod nor "
            "MLflow reports progress, the reason is ProgressUnknown, and the stage is restarted after four times as long.",
        ),
    ] = None


class AlignmentJobSpec(Schema):
    """The job as the user describes it."""

    rules: ClassVar = (
        Rule(
            "has(self.recipe) || has(self.stages)",
            lambda spec: spec.recipe is not None or spec.stages is not None,
            "set stages, or a recipe that has them",
        ),
        Rule(
            "has(self.recipe) || (has(self.model) && has(self.model.uri))",
            lambda spec: spec.recipe is not None or (spec.model is not None and spec.model.uri is not None),
            "set model.uri, or a recipe that has it",
        ),
        MODEL_OF_AN_EARLIER_STAGE,
        ROWS_OF_AN_EARLIER_STAGE,
        ROWS_OF_A_STAGE_THAT_WRITES_THEM,
        UNIQUE_NAMES,
        NO_STAGE_IS_BASE,
    )

    recipe: Annotated[
        Name | None, Field(description="A named recipe that sets every field that is unset here; fields that are set here win.")
    ] = None
    model: Annotated[Model | None, Field(description="The model that the job starts from.")] = None
    stages: Annotated[
        list[Stage] | None,
        Field(
            min_length=1,
            max_length=12,
            description="The stages; if unset, those of the recipe. A stage waits for those whose weights, rows or models it "
            "uses; among those that can start, the first in the list goes first.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = None
    parallel_stages: Annotated[
        int | None,
        Field(ge=1, le=12, description="How many stages run side by side where none builds on another; 1 if unset."),
    ] = None
    compute: Annotated[Compute | None, Field(description="Where and how stages run.")] = None
    storage: Annotated[Storage | None, Field(description="The workspace volume.")] = None
    tracking: Annotated[Tracking | None, Field(description="Where runs are logged.")] = None
    hub_token_secret: Annotated[SecretKey | None, Field(description="Token for gated models and datasets of the Hub.")] = None
    s3_credentials_secret: Annotated[
        SecretKey | None,
        Field(description="AWS credentials file for s3:// uris; its profile default may also hold region and endpoint_url."),
    ] = None
    queue_name: Annotated[Name | None, Field(description="Kueue queue in which every stage waits.")] = None
    suspend: Annotated[bool | None, Field(description="Stop with a checkpoint and free all GPUs until this is false again.")] = (
        None
    )
    restart: Annotated[Restart | None, Field(description="What happens after a failure.")] = None
    active_deadline_seconds: Annotated[
        int | None,
        Field(
            ge=1,
            le=31_536_000,
            description="The job fails when its stages' containers have run for longer in total: stages side by side count "
            "each. Time in a queue, suspended, waiting for nodes or between attempts does not count.",
        ),
    ] = None
    ttl_seconds_after_finished: Annotated[
        int | None, Field(ge=0, le=31_536_000, description="The finished job is deleted after this time; its workspace is kept.")
    ] = None

    def compute_of(self, stage: Stage) -> Compute:
        """Return a stage's compute: the job's, except where the stage sets its own."""
        shared = self.compute or Compute()
        if not loads_model(stage):
            shared = shared.model_copy(update=COMPUTE_WITHOUT_MODEL)
        own = stage.compute or Compute()
        return shared.model_copy(update={field: value for field, value in own if value is not None})


class Metadata(Schema):
    """The part of Kubernetes' metadata that a job file may carry."""

    model_config = {"extra": "ignore"}

    name: Annotated[str, Field(max_length=JOB_NAME_MAXIMUM, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")]
    namespace: Annotated[str | None, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")] = None
    uid: Annotated[str | None, Field(max_length=64)] = None
    generation: Annotated[int | None, Field(ge=0)] = None
    resource_version: str | None = None
    creation_timestamp: Moment | None = None
    deletion_timestamp: Moment | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class AlignmentJob(Schema):
    """One alignment of one model, from base weights to a measured result."""

    api_version: Literal["alignment-operator.dev/v1alpha1"]
    kind: Literal["AlignmentJob"]
    metadata: Metadata
    spec: AlignmentJobSpec
    status: AlignmentJobStatus | None = None
