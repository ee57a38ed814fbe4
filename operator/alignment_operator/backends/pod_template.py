"""The pod that trains: its container, volumes, resources and security settings, the same for every backend of a cluster."""

from alignment_api.credentials import PASSWORD_FILE, USERNAME_FILE
from alignment_api.heartbeat import HEARTBEAT_PORT
from alignment_api.names import ATTEMPT_LABEL, JOB_UID_LABEL, RUN_CONFIG_FILE, STAGE_LABEL
from alignment_api.spec.compute import Compute
from alignment_api.spec.endpoints import SecretKey

from alignment_operator.backends import Manifest
from alignment_operator.backends.labels import labels
from alignment_operator.backends.run_config_map import name_for
from alignment_operator.backends.workspace_claim import claim_name
from alignment_operator.deciding.endpoint_keys import ENDPOINT_KEYS_FOLDER, key_volume
from alignment_operator.deciding.stage_run import HUB_TOKEN_PATH, S3_CREDENTIALS_PATH, TRACKING_CREDENTIALS_PATH, StageRun
from alignment_operator.settings import Settings

_CONFIG_FOLDER = "/etc/alignment"
_TRACKING_VOLUME = "tracking-credentials"
# The trainer image is built with this user.
_USER = 10001


def pod_template(run: StageRun, settings: Settings, container: str) -> Manifest:
    """Return the template of an attempt's pods; `container` is the name that the child's controller looks for."""
    return {"metadata": {"labels": labels(run)}, "spec": _pod(run, settings, container)}


def _pod(run: StageRun, settings: Settings, container: str) -> Manifest:
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
            # Otherwise each start walks all files of the workspace, possibly millions, to set a group that they already have.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(run, settings, container)],
        "volumes": _volumes(run, settings),
    }
    if (compute.nodes or 1) > 1:
        pod["affinity"] = _on_separate_nodes(run)
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


def _on_separate_nodes(run: StageRun) -> Manifest:
    """Prefer another node for each pod, as `nodes` promises; without GPUs nothing else would separate them."""
    same_attempt = {
        JOB_UID_LABEL: run.job.metadata.uid or "",
        STAGE_LABEL: run.stage.name,
        ATTEMPT_LABEL: str(run.attempt),
    }
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": same_attempt}}
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}}


def _container(run: StageRun, settings: Settings, name: str) -> Manifest:
    return {
        "name": name,
        "image": settings.trainer_image,
        "command": ["python", "-m", "alignment_trainer"],
        "env": [{"name": variable, "value": value} for variable, value in _environment(run.compute, settings).items()],
        "ports": [{"name": "heartbeat", "containerPort": HEARTBEAT_PORT, "protocol": "TCP"}],
        "resources": _resources(run.compute),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # If the trainer wrote no reason for its end, Kubernetes takes the end of its log.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(run, settings),
    }


def _mounts(run: StageRun, settings: Settings) -> list[Manifest]:
    mounts: list[Manifest] = [
        {"name": "config", "mountPath": _CONFIG_FOLDER, "readOnly": True},
        {"name": "workspace", "mountPath": settings.workspace_path},
        {"name": "shared-memory", "mountPath": "/dev/shm"},
        {"name": "scratch", "mountPath": "/tmp"},
    ]
    for volume, _, path in _secrets(run):
        mounts.append({"name": volume, "mountPath": path.rsplit("/", 1)[0], "readOnly": True})
    if run.endpoint_keys:
        mounts.append({"name": "endpoint-keys", "mountPath": str(ENDPOINT_KEYS_FOLDER), "readOnly": True})
    if settings.tracking_credentials_secret:
        mounts.append({"name": _TRACKING_VOLUME, "mountPath": TRACKING_CREDENTIALS_PATH, "readOnly": True})
    return mounts


def _environment(compute: Compute, settings: Settings) -> dict[str, str]:
    variables = {
        "ALIGNMENT_RUN_CONFIG": f"{_CONFIG_FOLDER}/{RUN_CONFIG_FILE}",
        # The root file system is read-only, and downloaded models are kept between attempts.
        "HOME": "/tmp",
        "HF_HOME": f"{settings.workspace_path}/.cache/huggingface",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        # A pod has its own ports, so the number can be fixed; without this variable the trainer serves no heartbeat.
        "ALIGNMENT_HEARTBEAT_PORT": str(HEARTBEAT_PORT),
    }
    if compute.rdma:
        variables["NCCL_IB_DISABLE"] = "0"
        if compute.rdma.interfaces:
            variables["NCCL_IB_HCA"] = compute.rdma.interfaces
    return variables


def _resources(compute: Compute) -> Manifest:
    # Quantities are text: the API server stores a number as text, which would look like a change on every read.
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


def _volumes(run: StageRun, settings: Settings) -> list[Manifest]:
    memory: Manifest = {"medium": "Memory"}
    if run.compute.shared_memory:
        memory["sizeLimit"] = run.compute.shared_memory
    volumes: list[Manifest] = [
        {"name": "config", "configMap": {"name": name_for(run, settings)}},
        {"name": "workspace", "persistentVolumeClaim": {"claimName": claim_name(run)}},
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
    """List the Secrets that the job names, each with its volume and the path of its file."""
    wanted = (
        ("hub-token", run.spec.hub_token_secret, HUB_TOKEN_PATH),
        ("s3-credentials", run.spec.s3_credentials_secret, S3_CREDENTIALS_PATH),
    )
    return [(name, secret, path) for name, secret, path in wanted if secret]
