"""Names that several programs share: labels, annotations, children, uris, paths on the workspace volume."""

from pathlib import PurePosixPath

GROUP = "alignment-operator.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "AlignmentJob"
PLURAL = "alignmentjobs"

JOB_NAME_MAXIMUM = 32
"""With the 16 characters of a stage, an attempt and a replica's suffix, a pod's host name stays within 63 characters."""

JOB_LABEL = f"{GROUP}/job"
JOB_UID_LABEL = f"{GROUP}/job-uid"
STAGE_LABEL = f"{GROUP}/stage"
ATTEMPT_LABEL = f"{GROUP}/attempt"
INPUT_HASH_ANNOTATION = f"{GROUP}/input-hash"
FINGERPRINT_ANNOTATION = f"{GROUP}/fingerprint"
RENDERING_ANNOTATION = f"{GROUP}/rendering"

HUB_PREFIX = "hf://"
WORKSPACE_PREFIX = "workspace://"
BUCKET_PREFIX = "s3://"

ALLOWED_ENDPOINTS_ENTRY = "allowed-endpoints"
"""Entry of a Secret, beside its keys: the URL prefixes to which they may be sent, one per line."""

RUN_CONFIG_FILE = "run.json"
MANIFEST_FILE = "manifest.json"
DONE_FILE = "DONE"
METRICS_FILE = "metrics.jsonl"
SAMPLES_FILE = "samples.jsonl"
ACTIVITY_FILE = "activity.json"
WARNINGS_FILE = "warnings.json"
SHIPPED_FILE = "shipped.json"
LOG_FILE = "stage.log"
OLDER_LOG_FILE = "stage.log.1"
BASE_MODEL_FILE = "base-model.json"
CHECKPOINTS_FOLDER = "checkpoints"
MODEL_FOLDER = "model"
ROWS_FOLDER = "rows"
REPORT_FILE = "report.json"


def child_name(job: str, stage: str, attempt: int) -> str:
    """Return the name of the object that runs one attempt of a stage."""
    return f"{job}-{stage}-{attempt}"


def job_folder(namespace: str, job: str, uid: str) -> PurePosixPath:
    """Return a job's folder on the workspace volume; a new job under an old name gets another folder."""
    return PurePosixPath(namespace) / f"{job}-{uid[:8]}"


def stage_folder(namespace: str, job: str, uid: str, stage: str) -> PurePosixPath:
    """Return a stage's folder on the workspace volume."""
    return job_folder(namespace, job, uid) / stage
