"""The RunConfig, which the operator writes for each training pod; the trainer refuses unknown fields."""

from typing import Annotated, Literal

from pydantic import Field

from alignment_api.schema import Schema
from alignment_api.spec.compute import Compute
from alignment_api.spec.endpoints import SecretKey
from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.stages import Stage


class JobIdentity(Schema):
    """Namespace, name and uid of the job."""

    namespace: str
    name: str
    uid: str


class EndpointKey(Schema):
    """Files of an endpoint's API key and of the addresses to which it may be sent."""

    secret: SecretKey
    namespace: str | None = Field(default=None, description="Namespace of the Secret; unset if it is a folder of this machine.")
    file: str | None = Field(default=None, description="File with the key; unset if only later stages send it.")
    allowed_endpoints: str = Field(
        description="File with URL prefixes, one per line; it does not exist if the Secret has no such entry."
    )


class Paths(Schema):
    """Paths in this pod."""

    workspace: str = Field(description="Root of the workspace volume; workspace:// uris start here.")
    stage: str = Field(description="This stage's own folder.")
    parent_model: str | None = Field(
        default=None, description="Folder with the weights of an earlier stage; if unset, the job's model."
    )
    stage_rows: dict[str, str] | None = Field(
        default=None, description="Folder of rows of each earlier stage whose rows this stage or a later one reads, by its name."
    )
    stage_models: dict[str, str] | None = Field(
        default=None, description="Folder with the weights of each earlier stage whose model this stage asks, by its name."
    )
    hub_token: str | None = Field(default=None, description="File with the Hub token.")
    s3_credentials: str | None = Field(default=None, description="AWS credentials file; if unset, those of the environment.")
    endpoint_keys: list[EndpointKey] | None = Field(
        default=None, description="Keys of the endpoints of this stage and the later ones; unset if they need none."
    )


class TrackingTarget(Schema):
    """Where metrics go besides the journal."""

    uri: str = Field(description="MLflow server, or sqlite:///path on one machine.")
    experiment: str
    artifacts: str | None = Field(default=None, description="Artifact root of a new experiment, if the server does not set one.")
    credentials: str | None = Field(
        default=None, description="Folder with the files username and password, if the server requires them."
    )


class RunConfig(Schema):
    """One attempt of one stage of a job."""

    version: Annotated[Literal["v1alpha1"], Field(description="Contract version; the trainer refuses any other.")] = "v1alpha1"
    job: JobIdentity
    attempt: int = Field(ge=1)
    stage_name: str
    input_hash: str
    spec: AlignmentJobSpec = Field(
        description="The resolved spec with all stages, so that the first stage can check what later ones need."
    )
    compute: Compute = Field(description="The compute of this stage, with its own settings applied.")
    paths: Paths
    tracking: TrackingTarget
    world_size: int = Field(ge=1)
    accumulation_steps: int = Field(
        default=1, ge=1, description="Only for trainers of earlier versions, which require it: a rollback may start one."
    )
    grace_seconds: int = Field(ge=1, description="Seconds between SIGTERM and SIGKILL.")

    @property
    def stage_index(self) -> int:
        """Return this stage's index in the spec, for messages that name a field."""
        return next(index for index, stage in enumerate(self.spec.stages or []) if stage.name == self.stage_name)

    @property
    def stage(self) -> Stage:
        """Return this stage."""
        return (self.spec.stages or [])[self.stage_index]
