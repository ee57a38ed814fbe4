"""What a running stage answers when the operator asks how far it is: served by its first pod, without MLflow."""

import hashlib
from datetime import datetime
from typing import Annotated

from pydantic import Field

from alignment_api.schema import Schema

HEARTBEAT_PORT = 8790
HEARTBEAT_PATH = "/heartbeat"


class Activity(Schema):
    """A phase that trains no steps, such as loading weights, and how far it is."""

    model_config = {"extra": "ignore"}

    what: Annotated[str, Field(max_length=256, description="What is being done, such as: loading weights.")]
    done: Annotated[int | None, Field(ge=0, description="How much of it is done.")] = None
    total: Annotated[int | None, Field(ge=0, description="How much there is to do.")] = None
    unit: Annotated[str, Field(max_length=32, description="What is counted, such as rows, files or bytes.")] = ""
    time: Annotated[datetime, Field(description="When this last advanced.")]


class Heartbeat(Schema):
    """The answer of one attempt; fields of a newer trainer are ignored."""

    model_config = {"extra": "ignore"}

    job_uid: Annotated[str, Field(max_length=64, description="Which job.")]
    stage: Annotated[str, Field(max_length=63, description="Which stage.")]
    attempt: Annotated[int, Field(ge=1, description="Which attempt.")]
    time: Annotated[
        datetime | None, Field(description="What the pod's clock shows: with it, all other times are read as ages.")
    ] = None
    alive_time: Annotated[datetime, Field(description="When the processes of the stage were last seen to work.")]
    has_stepped: Annotated[bool, Field(description="Whether this attempt has trained a step.")] = False
    step: Annotated[int | None, Field(ge=0, description="Optimizer steps done.")] = None
    total_steps: Annotated[int | None, Field(ge=1, description="Optimizer steps in all.")] = None
    seconds_left: Annotated[int | None, Field(ge=0, description="Time to the last step, at the present speed.")] = None
    progress_time: Annotated[datetime | None, Field(description="When a step or an activity last advanced.")] = None
    metrics: Annotated[dict[str, float] | None, Field(description="Latest values of the metrics that a status carries.")] = None
    activity: Annotated[Activity | None, Field(description="What is being done beside training steps.")] = None
    last_checkpoint: Annotated[int | None, Field(ge=0, description="Step of the newest whole checkpoint.")] = None
    model_revision: Annotated[
        str | None, Field(max_length=64, description="Commit of the Hub model that the job begins with.")
    ] = None


def told(activity: Activity) -> str:
    """Write an activity as people read it, such as: loading weights: 3.2 of 15.0 GB."""
    if activity.done is None:
        return activity.what
    if activity.unit == "bytes":
        amounts = [_gigabytes(number) for number in (activity.done, activity.total) if number is not None]
        return f"{activity.what}: {' of '.join(amounts)} GB"
    total = "" if activity.total is None else f" of {activity.total}"
    return f"{activity.what}: {activity.done}{total} {activity.unit}".rstrip()


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f}" if size >= 1e8 else f"{size / 1e9:.3f}"


def heartbeat_token(job_uid: str, stage: str, attempt: int) -> str:
    """Give the token of one attempt: whoever may read the job, and so its status and its uid, may ask for its heartbeat."""
    return hashlib.sha256(f"{job_uid}/{stage}/{attempt}".encode()).hexdigest()
