"""A stage as a PyTorchJob: what the training-operator, the scheduler and an auditor check."""

import json
from typing import Any

import pytest
from alignment_api.heartbeat import HEARTBEAT_PORT
from alignment_api.names import FINGERPRINT_ANNOTATION, INPUT_HASH_ANNOTATION
from alignment_api.problems import InvalidJob
from alignment_api.run_config import RunConfig
from alignment_api.spec.lineage import digest
from alignment_operator.backends import process, pytorchjob
from alignment_operator.deciding.stage_run import StageRun, identity_of
from alignment_operator.settings import Settings
from builders import a_job, a_run, a_training


def rendered(stage: str = "sft", settings: Settings | None = None, **spec: Any) -> list[dict[str, Any]]:
    return pytorchjob.render(a_run(a_job(**spec), stage), settings or Settings())


def pod_of(manifests: list[dict[str, Any]], role: str = "Master") -> dict[str, Any]:
    pod: dict[str, Any] = manifests[-1]["spec"]["pytorchReplicaSpecs"][role]["template"]["spec"]
    return pod


@pytest.mark.parametrize(("nodes", "workers"), [(1, None), (2, 1), (4, 3)])
def test_one_master_and_the_rest_workers(nodes: int, workers: int | None) -> None:
    replicas = rendered(compute={"nodes": nodes, "gpusPerNode": 8, "microBatchSize": 1}, stages=[big()])[-1]["spec"][
        "pytorchReplicaSpecs"
    ]
    assert replicas["Master"]["replicas"] == 1
    assert replicas.get("Worker", {}).get("replicas") == workers


CLAIMS: list[tuple[str, list[int | None], str]] = [
    ("one node throughout", [1, None], "ReadWriteOnce"),
    ("the first stage on more", [2, 1], "ReadWriteMany"),
    ("a later stage on more", [1, 2], "ReadWriteMany"),
]


@pytest.mark.parametrize(("nodes", "mode"), [row[1:] for row in CLAIMS], ids=[row[0] for row in CLAIMS])
def test_a_created_claim_serves_all_stages(nodes: list[int | None], mode: str) -> None:
    stages = [
        {"name": name, "sft": a_training(), **({"compute": {"nodes": count}} if count else {})}
        for name, count in zip(("one", "two"), nodes, strict=True)
    ]
    for stage in ("one", "two"):
        spec = {"stages": stages, "compute": {"nodes": 1, "gpusPerNode": 0}, "storage": {"size": "10Gi"}}
        claim, *_ = rendered(stage, **spec)
        assert (claim["kind"], claim["spec"]["accessModes"]) == ("PersistentVolumeClaim", [mode])
        claim, *_ = rendered(stage, **spec, parallelStages=2)
        assert claim["spec"]["accessModes"] == ["ReadWriteMany"], "two pods may be on two nodes"


def big() -> dict[str, Any]:
    return {
        "name": "sft",
        "sft": {
            "datasets": [{"uri": "hf://a/b"}],
            "maxLength": 64,
            "optimization": {"learningRate": 1, "globalBatchSize": 64, "epochs": 1},
        },
    }


def test_the_pods_are_restricted_and_carry_no_token() -> None:
    pod = pod_of(rendered())
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["name"] == "pytorch"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_workspace_is_not_walked_if_its_root_already_has_the_pods_group() -> None:
    security = pod_of(rendered())["securityContext"]
    assert (security["fsGroup"], security["fsGroupChangePolicy"]) == (10001, "OnRootMismatch")


ROWS_READ = [
    {"name": "distill", "distill": {"teachers": [{"baseUrl": "http://t/v1", "model": "t"}], "prompts": [{"uri": "hf://a/b"}]}},
    {"name": "sft", "sft": a_training()},
    {"name": "dpo", "dpo": a_training(datasets=[{"stage": "distill"}])},
]


@pytest.mark.parametrize("backend", [process, pytorchjob], ids=["process", "pytorchjob"])
@pytest.mark.parametrize("stage", ["distill", "sft", "dpo"])
def test_a_stage_knows_the_folder_of_rows_that_it_or_a_later_stage_reads(stage: str, backend: Any) -> None:
    manifests = backend.render(a_run(a_job(stages=ROWS_READ), stage), Settings(workspace_path="/w"))
    config = next(manifest for manifest in manifests if manifest["kind"] == "ConfigMap")
    paths = RunConfig.model_validate_json(config["data"]["run.json"]).paths
    # The first stage writes the rows itself: they are not there yet.
    assert paths.stage_rows == (None if stage == "distill" else {"distill": "/w/team/job-abcdef12/distill/rows"})


@pytest.mark.parametrize("role", ["Master", "Worker"])
def test_pods_serve_heartbeats_and_processes_of_one_machine_do_not(role: str) -> None:
    (container,) = pod_of(rendered(), role)["containers"]
    assert {"name": "ALIGNMENT_HEARTBEAT_PORT", "value": str(HEARTBEAT_PORT)} in container["env"]
    assert container["ports"] == [{"name": "heartbeat", "containerPort": HEARTBEAT_PORT, "protocol": "TCP"}]
    local = process.render(a_run(a_job(), "sft"), Settings())[-1]
    assert "ALIGNMENT_HEARTBEAT_PORT" not in local["spec"]["environment"]


def test_a_failed_pod_stays_and_only_the_operator_restarts_its_stage() -> None:
    specification = rendered()[-1]["spec"]
    assert specification["runPolicy"] == {"cleanPodPolicy": "Running"}
    assert {replica["restartPolicy"] for replica in specification["pytorchReplicaSpecs"].values()} == {"Never"}


def test_gpus_and_networks_are_requested_as_text() -> None:
    compute = {
        "nodes": 2,
        "gpusPerNode": 8,
        "acceleratorType": "NVIDIA-A100-SXM4-80GB",
        "memory": "900Gi",
        "cpu": "64",
        "rdma": {"resourceName": "rdma/hca", "count": 4, "interfaces": "mlx5_0"},
        "nodeSelector": {"pool": "train"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
    }
    manifests = rendered(compute=compute, stages=[big()])
    assert manifests[-1]["spec"]["nprocPerNode"] == "8"
    pod = pod_of(manifests, "Worker")
    assert pod["containers"][0]["resources"] == {
        "limits": {"nvidia.com/gpu": "8", "rdma/hca": "4", "memory": "900Gi"},
        "requests": {"nvidia.com/gpu": "8", "rdma/hca": "4", "memory": "900Gi", "cpu": "64"},
    }
    assert pod["nodeSelector"] == {"pool": "train", "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert {"name": "NCCL_IB_HCA", "value": "mlx5_0"} in pod["containers"][0]["env"]


def test_pods_of_several_nodes_prefer_separate_nodes() -> None:
    (term,) = pod_of(rendered())["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    labels = term["podAffinityTerm"]["labelSelector"]["matchLabels"]
    template = rendered()[-1]["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["metadata"]["labels"]
    assert labels.items() <= template.items()
    assert "affinity" not in pod_of(rendered(compute={"nodes": 1, "gpusPerNode": 0}))


def test_the_run_config_is_what_the_trainer_reads() -> None:
    config_map, _ = rendered("dpo")
    config = RunConfig.parse(json.loads(config_map["data"]["run.json"]))
    assert (config.stage_name, config.stage_index, config.world_size) == ("dpo", 1, 2)
    assert config.paths.stage == "/workspace/team/job-abcdef12/dpo"
    assert config.paths.parent_model == "/workspace/team/job-abcdef12/sft/model"


def test_children_belong_to_their_job() -> None:
    for manifest in rendered():
        (owner,) = manifest["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == ("AlignmentJob", "job", "abcdef12-3456", True)
        assert manifest["metadata"]["name"].startswith("job-sft-1")


def test_a_claim_is_created_only_with_a_size_and_has_no_owner() -> None:
    assert [manifest["kind"] for manifest in rendered()] == ["ConfigMap", "PyTorchJob"]
    claim, *_ = made = rendered(storage={"size": "1Ti", "storageClassName": "fast"})
    assert [manifest["kind"] for manifest in made] == ["PersistentVolumeClaim", "ConfigMap", "PyTorchJob"]
    assert "ownerReferences" not in claim["metadata"]
    assert claim["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "1Ti"}},
        "storageClassName": "fast",
    }
    assert {"name": "workspace", "persistentVolumeClaim": {"claimName": "job-workspace"}} in pod_of(made)["volumes"]


def test_a_cluster_needs_storage() -> None:
    job = a_job()
    without = job.model_copy(update={"spec": job.spec.model_copy(update={"storage": None})})
    with pytest.raises(InvalidJob, match=r"spec.storage: is not set; on a cluster set claimName"):
        pytorchjob.render(a_run(without, "sft"), Settings())


def test_the_hub_token_is_a_file_and_never_a_variable() -> None:
    manifests = rendered(hubTokenSecret={"name": "hub", "key": "token"})
    pod = pod_of(manifests)
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "hub-token")
    assert volume["secret"]["secretName"] == "hub"
    assert "hub" not in json.dumps(pod["containers"][0]["env"]).replace("huggingface", "")
    assert RunConfig.parse(json.loads(manifests[0]["data"]["run.json"])).paths.hub_token == "/etc/alignment-hub/token"


def test_the_s3_credentials_are_a_file_and_never_a_variable() -> None:
    manifests = rendered(s3CredentialsSecret={"name": "bucket", "key": "aws"})
    pod = pod_of(manifests)
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "s3-credentials")
    mount = next(mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "s3-credentials")
    assert volume["secret"] == {"secretName": "bucket", "items": [{"key": "aws", "path": "credentials"}], "defaultMode": 0o440}
    assert mount == {"name": "s3-credentials", "mountPath": "/etc/alignment-s3", "readOnly": True}
    assert "AWS" not in json.dumps(pod["containers"][0]["env"])
    assert RunConfig.parse(json.loads(manifests[0]["data"]["run.json"])).paths.s3_credentials == "/etc/alignment-s3/credentials"


def test_the_password_of_mlflow_is_a_file_and_never_a_variable() -> None:
    manifests = rendered(settings=Settings(tracking_credentials_secret="mlflow-login"))
    pod = pod_of(manifests)
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "tracking-credentials")
    mount = next(mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "tracking-credentials")
    items = [{"key": "username", "path": "username"}, {"key": "password", "path": "password"}]
    assert volume["secret"] == {"secretName": "mlflow-login", "items": items, "defaultMode": 0o440}
    assert mount == {"name": "tracking-credentials", "mountPath": "/etc/alignment-tracking", "readOnly": True}
    assert "MLFLOW" not in json.dumps(pod["containers"][0]["env"])
    assert RunConfig.parse(json.loads(manifests[0]["data"]["run.json"])).tracking.credentials == "/etc/alignment-tracking"
    assert "alignment-tracking" not in json.dumps(rendered())


def test_unset_settings_leave_the_rendering_unchanged() -> None:
    run, settings = a_run(a_job(), "sft"), Settings()
    before = [run.fingerprint, [settings.trainer_image], settings.grace_seconds, settings.tracking_uri, settings.workspace_path]
    assert run.rendering(settings) == digest(before)
    assert run.rendering(Settings(tracking_credentials_secret="mlflow-login")) != digest(before)


@pytest.mark.parametrize("field", ["hubTokenSecret", "s3CredentialsSecret"])
def test_a_corrected_secret_changes_the_rendering(field: str) -> None:
    wrong = a_run(a_job(**{field: {"name": "nowhere", "key": "token"}}), "sft")
    right = a_run(a_job(**{field: {"name": "hub", "key": "token"}}), "sft")
    assert wrong.fingerprint == right.fingerprint
    assert len({run.rendering(Settings()) for run in (wrong, right, a_run(a_job(), "sft"))}) == 3


def test_one_machine_has_no_secrets() -> None:
    secret = {"name": "bucket", "key": "aws"}
    run = a_run(a_job(s3CredentialsSecret=secret, hubTokenSecret=secret), "sft")
    config_map, _ = process.render(run, Settings(tracking_credentials_secret="mlflow-login"))
    config = RunConfig.parse(json.loads(config_map["data"]["run.json"]))
    assert (config.paths.s3_credentials, config.paths.hub_token, config.tracking.credentials) == (None, None, None)


def test_the_queue_is_a_label_of_the_job_and_suspend_is_left_to_kueue() -> None:
    *_, job = rendered(queueName="team-a")
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert "suspend" not in job["spec"]["runPolicy"]


def test_an_upgrade_of_the_operator_changes_no_fingerprint() -> None:
    old, new = rendered()[-1], rendered(settings=Settings(trainer_image="other:2", grace_seconds=60))[-1]
    for annotation in (INPUT_HASH_ANNOTATION, FINGERPRINT_ANNOTATION):
        assert old["metadata"]["annotations"][annotation] == new["metadata"]["annotations"][annotation]
    assert old != new


def test_an_upgrade_that_only_changes_how_pods_are_written_replaces_no_waiting_attempt() -> None:
    job = a_job()
    settings = Settings(trainer_image="trainer:1", tracking_uri="http://mlflow:5000")
    # Not resolved: another default is another stage, and not what is asked here.
    stage = (job.spec.stages or [])[0]
    assert StageRun(job, job.spec, stage, 1, identity_of(job.spec, stage)).rendering(settings) == "adcc98d32f1484bd"


def test_run_configs_with_different_content_have_different_names() -> None:
    job = a_job()
    again = job.model_copy(update={"metadata": job.metadata.model_copy(update={"uid": "another"})})
    edited = a_job(stages=[big()])
    upgraded = Settings(trainer_image="trainer:2")
    tries = [(job, Settings()), (again, Settings()), (edited, Settings()), (job, upgraded)]
    made = [pytorchjob.render(a_run(known, "sft"), settings) for known, settings in tries]
    names = [manifests[-2]["metadata"]["name"] for manifests in made]
    assert len(set(names)) == len(tries)
    for name, manifests in zip(names, made, strict=True):
        assert manifests[-2]["kind"] == "ConfigMap"
        assert {"name": "config", "configMap": {"name": name}} in pod_of(manifests)["volumes"]
    assert rendered()[-2]["metadata"]["name"] == rendered()[-2]["metadata"]["name"]
