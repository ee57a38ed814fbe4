"""One attempt of one stage: its name, its hashes, and the RunConfig that its pods read; pure."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from alignment_api.names import MODEL_FOLDER, ROWS_FOLDER, child_name, stage_folder
from alignment_api.run_config import EndpointKey, JobIdentity, Paths, RunConfig, TrackingTarget
from alignment_api.spec.batch import world_size
from alignment_api.spec.compute import Compute
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from alignment_api.spec.kinds import KINDS, Leaves
from alignment_api.spec.lineage import digest, input_hash, models_needed, parent_of, rows_needed, surroundings
from alignment_api.spec.stages import Stage

from alignment_operator.deciding.endpoint_keys import mounted_keys
from alignment_operator.settings import Settings

HUB_TOKEN_PATH = "/etc/alignment-hub/token"
S3_CREDENTIALS_PATH = "/etc/alignment-s3/credentials"
TRACKING_CREDENTIALS_PATH = "/etc/alignment-tracking"
_OUTPUT_FOLDERS: dict[Leaves, str] = {"Model": MODEL_FOLDER, "Rows": ROWS_FOLDER, "Export": MODEL_FOLDER}


@dataclass(frozen=True)
class Identity:
    """What distinguishes stages of the same name: hashes of what the result and the pods depend on."""

    input_hash: str
    fingerprint: str


def identity_of(spec: AlignmentJobSpec, stage: Stage, known_input_hash: str | None = None) -> Identity:
    """Return the identity of a stage as this version computes it, without the operator's settings."""
    inputs = known_input_hash or input_hash(spec, stage)
    return Identity(inputs, digest({"input": inputs, **surroundings(spec, stage)}))


@dataclass(frozen=True)
class StageRun:
    """One attempt, as a backend renders it."""

    job: AlignmentJob
    spec: AlignmentJobSpec
    stage: Stage
    attempt: int
    identity: Identity

    @property
    def name(self) -> str:
        """Return the name of the child."""
        return child_name(self.job.metadata.name, self.stage.name, self.attempt)

    @property
    def namespace(self) -> str:
        """Return the job's namespace."""
        return self.job.metadata.namespace or "default"

    @property
    def compute(self) -> Compute:
        """Return the stage's compute, with its own settings over the job's."""
        return self.spec.compute_of(self.stage)

    @property
    def endpoint_keys(self) -> list[EndpointKey]:
        """Return the keys of the endpoints that this stage and the later ones use, as mounted in a pod."""
        return mounted_keys(self.spec, self.stage, self.namespace)

    @property
    def input_hash(self) -> str:
        """Return the hash of what the result depends on."""
        return self.identity.input_hash

    @property
    def fingerprint(self) -> str:
        """Return the hash of what the pods depend on."""
        return self.identity.fingerprint

    def rendering(self, settings: Settings) -> str:
        """Return the hash of what does not affect the result: a change replaces a pod that waits, but not one that runs."""
        image = [settings.trainer_image, *settings.image_pull_secrets]
        # Unset values are left out; otherwise a new version of the operator would replace all pods that wait.
        secrets: list[Any] = [settings.tracking_credentials_secret] if settings.tracking_credentials_secret else []
        named = {"hub": self.spec.hub_token_secret, "s3": self.spec.s3_credentials_secret}
        secrets += [{use: secret.dump()} for use, secret in named.items() if secret]
        return digest([self.fingerprint, image, settings.grace_seconds, settings.tracking_uri, settings.workspace_path, *secrets])

    def folder_of(self, stage: Stage, workspace: str) -> PurePosixPath:
        """Return the folder of one of the job's stages."""
        uid = self.job.metadata.uid
        assert uid is not None, "a job that was never stored has no folder"
        return PurePosixPath(workspace) / stage_folder(self.namespace, self.job.metadata.name, uid, stage.name)

    @property
    def output(self) -> PurePosixPath:
        """Return the folder of the stage's result, relative to the workspace."""
        folder = self.folder_of(self.stage, "")
        name = _OUTPUT_FOLDERS.get(KINDS[self.stage.kind].leaves)
        return folder / name if name else folder

    def run_config(self, settings: Settings) -> RunConfig:
        """Return the RunConfig of this attempt's pods."""
        parent = parent_of(self.spec, self.stage)
        rows = {
            read.name: str(self.folder_of(read, settings.workspace_path) / ROWS_FOLDER)
            for read in rows_needed(self.spec, self.stage)
        }
        workspace = settings.workspace_path
        models = {read.name: str(self.folder_of(read, workspace) / MODEL_FOLDER) for read in models_needed(self.spec, self.stage)}
        assert self.job.metadata.uid is not None
        return RunConfig(
            job=JobIdentity(namespace=self.namespace, name=self.job.metadata.name, uid=self.job.metadata.uid),
            attempt=self.attempt,
            stage_name=self.stage.name,
            input_hash=self.input_hash,
            spec=self.spec,
            compute=self.compute,
            paths=Paths(
                workspace=workspace,
                stage=str(self.folder_of(self.stage, workspace)),
                parent_model=str(self.folder_of(parent, workspace) / MODEL_FOLDER) if parent else None,
                stage_rows=rows or None,
                stage_models=models or None,
                hub_token=HUB_TOKEN_PATH if self.spec.hub_token_secret else None,
                s3_credentials=S3_CREDENTIALS_PATH if self.spec.s3_credentials_secret else None,
                endpoint_keys=self.endpoint_keys or None,
            ),
            tracking=TrackingTarget(
                uri=settings.tracking_uri,
                experiment=(self.spec.tracking.experiment if self.spec.tracking else None) or self.namespace,
                artifacts=settings.tracking_artifacts,
                credentials=TRACKING_CREDENTIALS_PATH if settings.tracking_credentials_secret else None,
            ),
            world_size=world_size(self.compute),
            grace_seconds=settings.grace_seconds,
        )


def fresh_run(job: AlignmentJob, spec: AlignmentJobSpec, stage: Stage, attempt: int = 1) -> StageRun:
    """Return an attempt of a stage that has no recorded status."""
    return StageRun(job, spec, stage, attempt, identity_of(spec, stage))
