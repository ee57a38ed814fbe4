"""The heartbeat of a running stage: its first pod serves it to the operator, without MLflow."""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from alignment_api.schema import Schema

HEARTBEAT_PORT = 8790
HEARTBEAT_PATH = "/heartbeat"


class Activity(Schema):
    """A phase outside the training steps, such as loading weights, and its progress."""

    model_config = {"extra": "ignore"}

    what: Annotated[str, Field(max_length=256, description="Name of the phase, such as: loading weights.")]
    done: Annotated[int | None, Field(ge=0, description="Amount that is done.")] = None
    total: Annotated[int | None, Field(ge=0, description="Amount in total.")] = None
    unit: Annotated[str, Field(max_length=32, description="What is counted, such as rows, files or bytes.")] = ""
    time: Annotated[datetime, Field(description="When the phase last advanced.")]


class Heartbeat(Schema):
    """The heartbeat of one attempt; fields of a newer trainer are ignored."""

    model_config = {"extra": "ignore"}

    job_uid: Annotated[str, Field(max_length=64, description="The job.")]
    stage: Annotated[str, Field(max_length=63, description="The stage.")]
    attempt: Annotated[int, Field(ge=1, description="The attempt.")]
    time: Annotated[datetime | None, Field(description="Time on the pod's clock; the other times are compared with it.")] = None
    alive_time: Annotated[datetime, Field(description="When the processes of the stage last worked.")]
    has_stepped: Annotated[bool, Field(description="Whether this attempt has trained a step.")] = False
    step: Annotated[int | None, Field(ge=0, description="Optimizer steps done, or rows of a stage that writes rows.")] = None
    total_steps: Annotated[int | None, Field(ge=1, description="Optimizer steps or rows in total.")] = None
    seconds_left: Annotated[int | None, Field(ge=0, description="Time to the last step, at the present speed.")] = None
    progress_time: Annotated[datetime | None, Field(description="When a step or an activity last advanced.")] = None
    metrics: Annotated[dict[str, float] | None, Field(description="Latest values of the metrics that a status carries.")] = None
    activity: Annotated[Activity | None, Field(description="The phase outside the training steps, if there is one.")] = None
    last_checkpoint: Annotated[int | None, Field(ge=0, description="Step of the newest whole checkpoint.")] = None
    model_revision: Annotated[
        str | None, Field(max_length=64, description="Commit of the Hub model that the job begins with.")
    ] = None
    warnings: Annotated[list[str] | None, Field(description="What the training shows to be questionable.")] = None


def read_activity(path: Path) -> Activity | None:
    """Read the activity file of a stage; None if there is none or it cannot be parsed."""
    try:
        return Activity.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def read_warnings(path: Path) -> list[str]:
    """Read the warnings of a stage."""
    return [str(sentence) for sentence in json.loads(path.read_bytes())] if path.exists() else []


def activity_text(activity: Activity) -> str:
    """Return an activity as people read it, such as: loading weights: 3.2 of 15.0 GB."""
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
    """Return the token for the heartbeat of one attempt; everyone who can read the job knows its uid, and so the token."""
    return hashlib.sha256(f"{job_uid}/{stage}/{attempt}".encode()).hexdigest()
