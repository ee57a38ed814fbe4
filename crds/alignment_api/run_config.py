"""What one training pod reads: the operator writes it, the trainer refuses what it does not know."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from alignment_api.schema import Schema
from alignment_api.spec.compute import Compute
from alignment_api.spec.endpoints import SecretKey
from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.stages import Stage


class JobIdentity(Schema):
    """Which job this is."""

    namespace: str
    name: str
    uid: str


class EndpointKey(Schema):
    """Where the API key of an endpoint lies, and where its Secret says to which addresses it may be sent."""

    secret: SecretKey
    namespace: str | None = Field(default=None, description="The Secret's; left out where it is a folder of this machine.")
    file: str | None = Field(default=None, description="File with the key; left out where only later stages send it.")
    allowed_endpoints: str = Field(description="File with URL prefixes, one a line; there is none where the Secret has no entry.")


class Paths(Schema):
    """Where things lie in this pod."""

    workspace: str = Field(description="Root of the workspace volume; workspace:// uris start here.")
    stage: str = Field(description="This stage's own folder.")
    parent_model: str | None = Field(
        default=None, description="Folder of the weights an earlier stage made; the job's model where left out."
    )
    stage_rows: dict[str, str] | None = Field(
        default=None, description="Folder of rows of each earlier stage whose rows this stage or a later one reads, by its name."
    )
    hub_token: str | None = Field(default=None, description="File with the Hub token.")
    s3_credentials: str | None = Field(default=None, description="AWS credentials file; the environment's own where left out.")
    endpoint_keys: list[EndpointKey] | None = Field(
        default=None, description="Keys of the endpoints that this stage and the later ones ask; left out where they need none."
    )


class TrackingTarget(Schema):
    """Where metrics go besides the journal."""

    uri: str = Field(description="MLflow server, or sqlite:///path on one machine.")
    experiment: str
    artifacts: str | None = Field(
        default=None, description="Artifact root for a new experiment, where the server does not set one."
    )
    credentials: str | None = Field(
        default=None, description="Folder with the files username and password, where the server asks for them."
    )


_REMOVED_FIELDS = ("accumulationSteps",)


class RunConfig(Schema):
    """One attempt of one stage of one job."""

    version: Annotated[Literal["v1alpha1"], Field(description="Contract version; another one is refused by name.")] = "v1alpha1"
    job: JobIdentity
    attempt: int = Field(ge=1)
    stage_name: str
    input_hash: str
    spec: AlignmentJobSpec = Field(
        description="The resolved spec: all stages, so that the first one can check what the later ones need."
    )
    compute: Compute = Field(description="The compute of this stage, overrides applied.")
    paths: Paths
    tracking: TrackingTarget
    world_size: int = Field(ge=1)
    grace_seconds: int = Field(ge=1, description="Time between the request to stop and the kill.")

    @model_validator(mode="before")
    @classmethod
    def drop_removed_fields(cls, document: Any) -> Any:
        """Read what an earlier version wrote into a stage's folder."""
        if not isinstance(document, dict):
            return document
        return {name: value for name, value in document.items() if name not in _REMOVED_FIELDS}

    @property
    def stage_index(self) -> int:
        """Find this stage's place in the spec, for messages that name a field."""
        return next(index for index, stage in enumerate(self.spec.stages or []) if stage.name == self.stage_name)

    @property
    def stage(self) -> Stage:
        """Give this stage's own settings."""
        return (self.spec.stages or [])[self.stage_index]
