"""Renders a stage as a PyTorchJob of Kubeflow's training-operator (kubeflow.org/v1)."""

from typing import Any

from alignment_api.credentials import PASSWORD_FILE, USERNAME_FILE
from alignment_api.heartbeat import HEARTBEAT_PORT
from alignment_api.names import (
    API_VERSION,
    ATTEMPT_LABEL,
    FINGERPRINT_ANNOTATION,
    INPUT_HASH_ANNOTATION,
    JOB_LABEL,
    JOB_UID_LABEL,
    KIND,
    RENDERING_ANNOTATION,
    RUN_CONFIG_FILE,
    STAGE_LABEL,
)
from alignment_api.problems import InvalidJob, Problem
from alignment_api.spec.batch import processes_per_node
from alignment_api.spec.compute import Compute
from alignment_api.spec.endpoints import SecretKey
from alignment_api.spec.job import Storage
from alignment_api.spec.lineage import digest

from alignment_operator.backends import Manifest
from alignment_operator.deciding.endpoint_keys import ENDPOINT_KEYS_FOLDER, key_volume
from alignment_operator.deciding.stage_run import HUB_TOKEN_PATH, S3_CREDENTIALS_PATH, TRACKING_CREDENTIALS_PATH, StageRun
from alignment_operator.settings import Settings

# Kueue reads it from the PyTorchJob and holds the job back until there is quota.
_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
_CONFIG_FOLDER = "/etc/alignment"
_TRACKING_VOLUME = "tracking-credentials"
# The user that the trainer image is built with.
_USER = 10001


def render(run: StageRun, settings: Settings) -> list[Manifest]:
    """Give the workspace claim if one is to be made, the RunConfig, and the PyTorchJob."""
    if run.spec.storage is None:
        raise InvalidJob(
            [Problem("spec.storage", "is not set; on a cluster set claimName (a claim that exists) or size (a claim to create)")]
        )
    config = run.run_config(settings)
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**_metadata(run, settings), "name": config_name(run.name, run.job.metadata.uid, run.rendering(settings))},
        "data": {RUN_CONFIG_FILE: config.model_dump_json(by_alias=True, exclude_none=True, indent=1)},
    }
    return [*_created_claim(run, run.spec.storage), config_map, _pytorch_job(run, settings, run.spec.storage)]


def config_name(child: str, job_uid: str | None, rendering: str) -> str:
    """Name the RunConfig by what is in it: one that an earlier try or an earlier job of this name left is never taken for it."""
    return f"{child}-{digest([job_uid, rendering])[:8]}"


def _metadata(run: StageRun, settings: Settings) -> Manifest:
    """Name and own the object: it goes when the job goes."""
    return {
        "name": run.name,
        "namespace": run.namespace,
        "labels": _labels(run),
        "annotations": {
            INPUT_HASH_ANNOTATION: run.input_hash,
            FINGERPRINT_ANNOTATION: run.fingerprint,
            RENDERING_ANNOTATION: run.rendering(settings),
        },
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": run.job.metadata.name,
                "uid": run.job.metadata.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def _labels(run: StageRun) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "alignment-trainer",
        "app.kubernetes.io/managed-by": "alignment-operator",
        JOB_LABEL: run.job.metadata.name,
        JOB_UID_LABEL: run.job.metadata.uid or "",
        STAGE_LABEL: run.stage.name,
        ATTEMPT_LABEL: str(run.attempt),
    }


def _created_claim(run: StageRun, storage: Storage) -> list[Manifest]:
    """A claim that is asked for by size has no owner, so that it stays when the job is deleted."""
    if storage.size is None:
        return []
    # All stages share the claim: the one on the most nodes decides how it is mounted.
    nodes = max(run.spec.compute_of(stage).nodes or 1 for stage in run.spec.stages or [])
    specification: Manifest = {
        "accessModes": ["ReadWriteMany" if nodes > 1 else "ReadWriteOnce"],
        "resources": {"requests": {"storage": storage.size}},
    }
    if storage.storage_class_name:
        specification["storageClassName"] = storage.storage_class_name
    metadata = {"name": _claim_name(run, storage), "namespace": run.namespace, "labels": {JOB_LABEL: run.job.metadata.name}}
    return [{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": specification}]


def _claim_name(run: StageRun, storage: Storage) -> str:
    return storage.claim_name or f"{run.job.metadata.name}-workspace"


def _pytorch_job(run: StageRun, settings: Settings, storage: Storage) -> Manifest:
    metadata = _metadata(run, settings)
    if run.spec.queue_name:
        metadata["labels"] = {**metadata["labels"], _QUEUE_LABEL: run.spec.queue_name}
    nodes = run.compute.nodes or 1
    replica = {
        # A failed pod stays as it is, with its exit code: the operator restarts the stage as a whole.
        "restartPolicy": "Never",
        "template": {"metadata": {"labels": _labels(run)}, "spec": _pod(run, settings, storage)},
    }
    replicas = {"Master": {"replicas": 1, **replica}}
    if nodes > 1:
        replicas["Worker"] = {"replicas": nodes - 1, **replica}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": metadata,
        "spec": {
            "nprocPerNode": str(processes_per_node(run.compute)),
            # Failed pods are kept for their exit codes; running ones must not hold GPUs after the others have ended.
            "runPolicy": {"cleanPodPolicy": "Running"},
            "pytorchReplicaSpecs": replicas,
        },
    }


def _pod(run: StageRun, settings: Settings, storage: Storage) -> Manifest:
    compute = run.compute
    pod: Manifest = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": settings.grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            # A workspace of millions of files would be walked at each start, to give it the group that it has already.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(run, settings)],
        "volumes": _volumes(run, settings, storage),
    }
    if (compute.nodes or 1) > 1:
        pod["affinity"] = _apart(run)
    selector = dict(compute.node_selector or {})
    if compute.accelerator_type:
        selector["nvidia.com/gpu.product"] = compute.accelerator_type
    if selector:
        pod["nodeSelector"] = selector
    if compute.tolerations:
        pod["tolerations"] = [toleration.dump() for toleration in compute.tolerations]
    if settings.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in settings.image_pull_secrets]
    return pod


def _apart(run: StageRun) -> Manifest:
    """Prefer a node for each pod: that is what `nodes` says, and where there are no GPUs nothing else would see to it."""
    same_attempt = {
        JOB_UID_LABEL: run.job.metadata.uid or "",
        STAGE_LABEL: run.stage.name,
        ATTEMPT_LABEL: str(run.attempt),
    }
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": same_attempt}}
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}}


def _container(run: StageRun, settings: Settings) -> Manifest:
    security: Manifest = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts: list[dict[str, Any]] = [
        {"name": "config", "mountPath": _CONFIG_FOLDER, "readOnly": True},
        {"name": "workspace", "mountPath": settings.workspace_path},
        {"name": "shared-memory", "mountPath": "/dev/shm"},
        {"name": "scratch", "mountPath": "/tmp"},
    ]
    for name, _, path in _secrets(run):
        mounts.append({"name": name, "mountPath": path.rsplit("/", 1)[0], "readOnly": True})
    if run.endpoint_keys:
        mounts.append({"name": "endpoint-keys", "mountPath": str(ENDPOINT_KEYS_FOLDER), "readOnly": True})
    if settings.tracking_credentials_secret:
        mounts.append({"name": _TRACKING_VOLUME, "mountPath": TRACKING_CREDENTIALS_PATH, "readOnly": True})
    return {
        # The training-operator looks for a container of this name.
        "name": "pytorch",
        "image": settings.trainer_image,
        "command": ["python", "-m", "alignment_trainer"],
        "env": [{"name": name, "value": value} for name, value in _environment(run.compute, settings).items()],
        "ports": [{"name": "heartbeat", "containerPort": HEARTBEAT_PORT, "protocol": "TCP"}],
        "resources": _resources(run.compute),
        "securityContext": security,
        # Where the trainer could not say why it ended, the end of its log does.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }


def _environment(compute: Compute, settings: Settings) -> dict[str, str]:
    variables = {
        "ALIGNMENT_RUN_CONFIG": f"{_CONFIG_FOLDER}/{RUN_CONFIG_FILE}",
        # The root file system is read-only, and models are worth keeping between attempts.
        "HOME": "/tmp",
        "HF_HOME": f"{settings.workspace_path}/.cache/huggingface",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        # A pod has its ports for itself; where none is named, nobody is answered.
        "ALIGNMENT_HEARTBEAT_PORT": str(HEARTBEAT_PORT),
    }
    if compute.rdma:
        variables["NCCL_IB_DISABLE"] = "0"
        if compute.rdma.interfaces:
            variables["NCCL_IB_HCA"] = compute.rdma.interfaces
    return variables


def _resources(compute: Compute) -> Manifest:
    # Quantities are text: a number would be written back as text and look like a change for ever.
    limits = {}
    if compute.gpus_per_node:
        limits["nvidia.com/gpu"] = str(compute.gpus_per_node)
    if compute.rdma:
        limits[compute.rdma.resource_name] = str(compute.rdma.count)
    if compute.memory:
        limits["memory"] = compute.memory
    requests = dict(limits)
    if compute.cpu:
        requests["cpu"] = compute.cpu
    return {name: values for name, values in (("limits", limits), ("requests", requests)) if values}


def _volumes(run: StageRun, settings: Settings, storage: Storage) -> list[Manifest]:
    memory: Manifest = {"medium": "Memory"}
    if run.compute.shared_memory:
        memory["sizeLimit"] = run.compute.shared_memory
    config = config_name(run.name, run.job.metadata.uid, run.rendering(settings))
    volumes: list[Manifest] = [
        {"name": "config", "configMap": {"name": config}},
        {"name": "workspace", "persistentVolumeClaim": {"claimName": _claim_name(run, storage)}},
        {"name": "shared-memory", "emptyDir": memory},
        {"name": "scratch", "emptyDir": {}},
    ]
    for name, secret, path in _secrets(run):
        items = [{"key": secret.key, "path": path.rsplit("/", 1)[1]}]
        volumes.append({"name": name, "secret": {"secretName": secret.name, "items": items, "defaultMode": 0o440}})
    if run.endpoint_keys:
        volumes.append({"name": "endpoint-keys", **key_volume(run.endpoint_keys)})
    if settings.tracking_credentials_secret:
        items = [{"key": name, "path": name} for name in (USERNAME_FILE, PASSWORD_FILE)]
        secret_source = {"secretName": settings.tracking_credentials_secret, "items": items, "defaultMode": 0o440}
        volumes.append({"name": _TRACKING_VOLUME, "secret": secret_source})
    return volumes


def _secrets(run: StageRun) -> list[tuple[str, SecretKey, str]]:
    """List the secrets that the job names, each with its volume and the file that it becomes."""
    wanted = (
        ("hub-token", run.spec.hub_token_secret, HUB_TOKEN_PATH),
        ("s3-credentials", run.spec.s3_credentials_secret, S3_CREDENTIALS_PATH),
    )
    return [(name, secret, path) for name, secret, path in wanted if secret]
