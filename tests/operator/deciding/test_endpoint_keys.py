"""Which pod gets which endpoint key, with the endpoints that its Secret allows."""

import json
from typing import Any

from alignment_api.run_config import EndpointKey, RunConfig
from alignment_api.spec.parts import endpoints_of
from alignment_operator.backends import process, pytorchjob
from alignment_operator.settings import Settings
from builders import a_job, a_run, a_training

FOLDER = "/etc/alignment-endpoints"


def an_endpoint(host: str, secret: str | None = None, key: str = "api-key") -> dict[str, Any]:
    named = {"apiKeySecret": {"name": secret, "key": key}} if secret else {}
    return {"baseUrl": f"https://{host}/v1", "model": "any", **named}


FEEDBACK = {
    "responders": [
        {"endpoint": endpoint}
        for endpoint in (an_endpoint("one", "shared"), an_endpoint("two", "shared", "other"), an_endpoint("three"))
    ],
    "judge": an_endpoint("four", "shared"),
    "prompts": [{"uri": "workspace://prompts.jsonl"}],
}
MT_BENCH = {"name": "mt_bench", "measure": "MTBench", "dataset": {"uri": "workspace://questions.jsonl"}}
STAGES = [
    {"name": "sft", "sft": a_training()},
    {"name": "feedback", "feedback": FEEDBACK},
    {"name": "evaluate", "evaluate": {"tasks": [MT_BENCH], "judges": [an_endpoint("five", "judge")]}},
]


def rendered(stage: str, **spec: Any) -> tuple[dict[str, Any], list[EndpointKey] | None]:
    """Return the pod, and the keys in its RunConfig."""
    config, job = pytorchjob.render(a_run(a_job(**{"stages": STAGES, **spec}), stage), Settings())
    pod: dict[str, Any] = job["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]
    return pod, RunConfig.parse(json.loads(config["data"]["run.json"])).paths.endpoint_keys


def sources(pod: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "endpoint-keys")
    assert volume["projected"]["defaultMode"] == 0o440
    found = []
    for source in volume["projected"]["sources"]:
        (item,) = source["secret"]["items"]
        found.append((source["secret"]["name"], item["key"], item["path"], source["secret"].get("optional", False)))
    return found


def test_each_key_is_mounted_with_its_allowed_endpoints_and_a_missing_entry_keeps_no_pod_waiting() -> None:
    pod, _ = rendered("feedback")
    assert sources(pod) == [
        ("shared", "api-key", "0/key", False),
        ("shared", "allowed-endpoints", "0/allowed-endpoints", True),
        ("shared", "other", "1/key", False),
        ("shared", "allowed-endpoints", "1/allowed-endpoints", True),
        ("judge", "allowed-endpoints", "2/allowed-endpoints", True),
    ]
    (container,) = pod["containers"]
    assert {"name": "endpoint-keys", "mountPath": FOLDER, "readOnly": True} in container["volumeMounts"]


def test_a_stage_has_no_key_that_only_later_ones_send() -> None:
    pod, keys = rendered("sft")
    assert {(secret, entry) for secret, entry, _, _ in sources(pod)} == {
        ("shared", "allowed-endpoints"),
        ("judge", "allowed-endpoints"),
    }
    assert keys is not None
    assert [key.file for key in keys] == [None, None, None]


def test_a_stage_has_no_key_that_only_earlier_ones_sent() -> None:
    pod, _ = rendered("evaluate")
    assert sources(pod) == [
        ("judge", "api-key", "0/key", False),
        ("judge", "allowed-endpoints", "0/allowed-endpoints", True),
    ]


def test_the_run_config_has_the_path_of_each_key() -> None:
    run = a_run(a_job(stages=STAGES), "feedback")
    _, keys = rendered("feedback")
    assert keys is not None
    found = {(key.secret.name, key.secret.key): (key.namespace, key.file, key.allowed_endpoints) for key in keys}
    assert found == {
        ("shared", "api-key"): ("team", f"{FOLDER}/0/key", f"{FOLDER}/0/allowed-endpoints"),
        ("shared", "other"): ("team", f"{FOLDER}/1/key", f"{FOLDER}/1/allowed-endpoints"),
        ("judge", "api-key"): ("team", None, f"{FOLDER}/2/allowed-endpoints"),
    }
    for _, endpoint in endpoints_of(run.stage):
        secret = endpoint.api_key_secret
        assert secret is None or (secret.name, secret.key) in found


def test_a_key_is_a_file_and_never_a_variable() -> None:
    pod, _ = rendered("feedback")
    assert "shared" not in json.dumps(pod["containers"][0]["env"])


def test_a_job_without_endpoints_has_neither_keys_nor_a_volume_for_them() -> None:
    pod, keys = rendered("sft", stages=STAGES[:1])
    assert keys is None
    assert [volume["name"] for volume in pod["volumes"]] == ["config", "workspace", "shared-memory", "scratch"]
    config, *_ = pytorchjob.render(a_run(a_job(), "dpo"), Settings())
    assert "endpoint" not in config["data"]["run.json"]


def test_on_one_machine_a_secret_is_a_folder_and_the_same_rule_holds() -> None:
    settings = Settings(secrets_path="/home/me/.alignment/secrets")
    config, _ = process.render(a_run(a_job(stages=STAGES), "feedback"), settings)
    keys = RunConfig.parse(json.loads(config["data"]["run.json"])).paths.endpoint_keys
    assert keys is not None
    assert [(key.namespace, key.file, key.allowed_endpoints) for key in keys] == [
        (None, f"{settings.secrets_path}/shared/api-key", f"{settings.secrets_path}/shared/allowed-endpoints"),
        (None, f"{settings.secrets_path}/shared/other", f"{settings.secrets_path}/shared/allowed-endpoints"),
        (None, None, f"{settings.secrets_path}/judge/allowed-endpoints"),
    ]
