"""The status of a job: its conditions, and the state and progress of each stage."""

from typing import Annotated, Literal

from pydantic import Field

from alignment_api.schema import Schema
from alignment_api.spec.values import Moment, Steps

Phase = Literal["Pending", "Queued", "Running", "Restarting", "Suspended", "Succeeded", "Failed"]

ENDED: tuple[Phase, ...] = ("Succeeded", "Failed")
"""Phases of a job that runs no more until its spec is changed."""

StageState = Literal["Waiting", "Pending", "Queued", "Running", "Restarting", "Suspended", "Succeeded", "Failed"]

UNDER_WAY: tuple[StageState, ...] = ("Pending", "Queued", "Running", "Restarting", "Suspended")
"""States of a stage that has its turn and has not ended."""

Warnings = Annotated[list[Annotated[str, Field(max_length=512)]], Field(max_length=64)]
"""Sentences about what a job can run with, but probably does not mean; each begins with the field."""


class Condition(Schema):
    """A condition of the job, in the usual form of Kubernetes."""

    type: Annotated[Literal["Suspended", "Progressing", "Complete", "Failed"], Field(description="Name of the condition.")]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="Whether it is true.")]
    reason: Annotated[str, Field(max_length=128, description="Why, in one CamelCase word.")]
    message: Annotated[str, Field(max_length=4096, description="Why, in a sentence.")]
    observed_generation: Annotated[int | None, Field(ge=0, description="Generation of the spec that it describes.")] = None
    last_transition_time: Annotated[Moment | None, Field(description="When the status last changed.")] = None


class Progress(Schema):
    """How far a stage is, as its trainer last reported."""

    step: Annotated[int, Field(ge=0, description="Optimizer steps done, or rows of a stage that writes rows.")]
    total_steps: Annotated[Steps, Field(description="Optimizer steps or rows in total.")]
    percent: Annotated[int, Field(ge=0, le=100, description="Share of the steps that are done.")]
    seconds_left: Annotated[int | None, Field(ge=0, description="Time to the last step or row, at the present speed.")] = None
    updated_time: Annotated[Moment, Field(description="When the trainer reported it.")]
    metrics: Annotated[dict[str, float] | None, Field(description="Latest values of the main metrics.")] = None


class Record(Schema):
    """The spec as it was resolved once: a new version of the operator does not change it."""

    written: Annotated[str, Field(max_length=524_288, description="The spec as the user last wrote it, as JSON.")]
    resolved: Annotated[
        str, Field(max_length=524_288, description="That spec with every value from its recipe and the defaults, as JSON.")
    ]


class StageStatus(Schema):
    """The last observed state of one stage."""

    name: Annotated[str, Field(max_length=63, description="Name of the stage.")]
    state: Annotated[StageState, Field(description="State of the stage.")]
    reason: Annotated[str | None, Field(max_length=128, description="Why, in one CamelCase word.")] = None
    message: Annotated[str | None, Field(max_length=4096, description="Why, in a sentence.")] = None
    attempts: Annotated[int, Field(ge=0, description="Attempts so far.")] = 0
    failed_attempt: Annotated[int | None, Field(ge=0, description="The latest attempt whose failure has been counted.")] = None
    application_failures: Annotated[int, Field(ge=0, description="Counted failures of the training itself.")] = 0
    infrastructure_failures: Annotated[
        int, Field(ge=0, description="Failures of nodes, network or servers, which use up no retries.")
    ] = 0
    retry_time: Annotated[Moment | None, Field(description="When the next attempt starts.")] = None
    child: Annotated[str | None, Field(max_length=253, description="The object that runs it.")] = None
    child_uid: Annotated[
        str | None, Field(max_length=64, description="The uid of that object; an object with another uid is not the job's.")
    ] = None
    input_hash: Annotated[
        str | None, Field(max_length=64, description="Hash of everything that the stage's result depends on.")
    ] = None
    fingerprint: Annotated[str | None, Field(max_length=64, description="Hash of everything that its pods depend on.")] = None
    start_time: Annotated[Moment | None, Field(description="When its first attempt started.")] = None
    completion_time: Annotated[Moment | None, Field(description="When it ended.")] = None
    counted_attempt: Annotated[
        int | None, Field(ge=0, description="The latest attempt whose time is in activeSeconds and gpuSeconds.")
    ] = None
    active_seconds: Annotated[int, Field(ge=0, description="Time in which all containers of ended attempts ran.")] = 0
    gpu_seconds: Annotated[int, Field(ge=0, description="GPU time of ended attempts, while all their containers ran.")] = 0
    progress: Annotated[Progress | None, Field(description="How far it is.")] = None
    run_id: Annotated[str | None, Field(max_length=64, description="Its MLflow run.")] = None
    output: Annotated[str | None, Field(max_length=1024, description="Where its result is, as a workspace uri.")] = None
    last_checkpoint: Annotated[
        int | None, Field(ge=0, description="Step of the newest checkpoint when the last attempt ended.")
    ] = None
    warnings: Annotated[
        Warnings | None, Field(description="What its training shows to be questionable; nothing stops because of it.")
    ] = None


class TrackingStatus(Schema):
    """Where the job is logged."""

    experiment_id: Annotated[str | None, Field(max_length=64, description="MLflow experiment.")] = None
    run_id: Annotated[str | None, Field(max_length=64, description="MLflow run of the whole job.")] = None
    url: Annotated[str | None, Field(max_length=1024, description="Page of that run.")] = None


class AlignmentJobStatus(Schema):
    """The last observed state; phase and the columns of kubectl get follow from the conditions."""

    observed_generation: Annotated[int | None, Field(ge=0, description="Generation of the spec that this status describes.")] = (
        None
    )
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
    current_stage: Annotated[
        str | None,
        Field(max_length=256, description="The stages under way, such as dpo-a, dpo-b; if there are none, those that failed."),
    ] = None
    progress: Annotated[str | None, Field(max_length=16, description="Share of all stages done, such as 62%.")] = None
    eta: Annotated[
        str | None, Field(max_length=32, description="Time left in the current stages, such as 1h12m: the longest.")
    ] = None
    estimated_completion_time: Annotated[Moment | None, Field(description="When the last of the current stages should end.")] = (
        None
    )
    model: Annotated[str | None, Field(max_length=512, description="The model, from spec or recipe.")] = None
    gpus: Annotated[int | None, Field(ge=0, description="GPUs of the stages that run; if none does, of the current stages.")] = (
        None
    )
    gpu_seconds: Annotated[int | None, Field(ge=0, description="GPU time of all ended attempts.")] = None
    start_time: Annotated[Moment | None, Field(description="When the first stage started.")] = None
    completion_time: Annotated[Moment | None, Field(description="When the job ended.")] = None
    tracking: Annotated[TrackingStatus | None, Field(description="Where the job is logged.")] = None
    model_revision: Annotated[str | None, Field(max_length=64, description="Commit of the Hub model that all stages use.")] = None
    record: Annotated[Record | None, Field(description="The resolved spec of the stages, until the spec is edited.")] = None
    warnings: Annotated[
        Warnings | None, Field(description="What is questionable in the resolved spec; nothing stops because of it.")
    ] = None
    stages: Annotated[
        list[StageStatus] | None,
        Field(
            max_length=12,
            description="The last observed state of each stage.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = None

    @property
    def all_warnings(self) -> list[str]:
        """Return the warnings about the spec and those about the training of each stage."""
        return [*(self.warnings or []), *(sentence for stage in self.stages or [] for sentence in stage.warnings or [])]
