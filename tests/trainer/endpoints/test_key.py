"""Keys are read from files or refused, and are never printed."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alignment_api.run_config import EndpointKey, Paths, RunConfig
from alignment_api.spec.endpoints import Endpoint, SecretKey
from alignment_operator.backends import process, pytorchjob
from alignment_operator.settings import Settings
from alignment_trainer.checks.preflight import check
from alignment_trainer.endpoints.key import access, advice_to_refused, repeats_key
from alignment_trainer.failures import BadConfiguration
from builders import a_job, a_run, a_training

KEY = "sk-0123456789abcdef"
URL = "https://api.example.com/v1"
FIELD = "spec.stages[0].dpoDistillation.teacher"


def an_endpoint(**others: Any) -> Endpoint:
    return Endpoint(base_url=URL, model="any", api_key_secret=SecretKey(name="teacher", key="api-key"), **others)


def mounted(folder: Path, key: bytes | None = KEY.encode(), allowed: str | None = URL) -> Paths:
    """Write a Secret's files as the operator mounts them."""
    if key is not None:
        (folder / "key").write_bytes(key)
    if allowed is not None:
        (folder / "allowed-endpoints").write_text(allowed)
    known = EndpointKey(
        secret=SecretKey(name="teacher", key="api-key"),
        namespace="team",
        file=str(folder / "key"),
        allowed_endpoints=str(folder / "allowed-endpoints"),
    )
    return Paths(workspace=str(folder), stage=str(folder), endpoint_keys=[known])


@pytest.mark.parametrize("written", [KEY.encode(), f"{KEY}\n".encode(), f"  {KEY}\r\n".encode()])
def test_a_key_is_read_without_the_space_around_it(tmp_path: Path, written: bytes) -> None:
    found = access(an_endpoint(), FIELD, mounted(tmp_path, written))
    assert found is not None
    assert found.key.get_secret_value() == KEY


def test_a_key_is_never_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = access(an_endpoint(), FIELD, mounted(tmp_path))
    assert found is not None
    with caplog.at_level(logging.DEBUG):
        logging.info("%s %r %s", found, found, found.key)
    assert KEY not in f"{found} {found!r} {found.key} {found.key!r} {vars(found)}" + caplog.text


@pytest.mark.parametrize(
    ("key", "answer", "repeats"),
    [
        (KEY, f"Your key is {KEY}.", True),
        (KEY, f"Your key is {KEY[3:]}.", True),
        (KEY, f"Your key is {KEY[:16]}...", True),
        (KEY, "The digits are 0123456789.", False),
        (KEY, "Write sk-01234 for a key.", False),
        ("local", "A local variable.", False),
        ("password-of-mine", "This is the password-of-mine.", True),
        ("password", "Choose a password.", False),
    ],
)
def test_an_answer_repeats_a_key_only_if_it_cannot_be_an_accident(tmp_path: Path, key: str, answer: str, repeats: bool) -> None:
    assert repeats_key(answer, access(an_endpoint(), FIELD, mounted(tmp_path, key.encode()))) is repeats
    assert repeats_key(answer, None) is False


def test_an_endpoint_without_a_key_needs_none(tmp_path: Path) -> None:
    assert access(Endpoint(base_url=URL, model="any"), FIELD, Paths(workspace="/w", stage="/w")) is None


@pytest.mark.parametrize(
    ("key", "allowed", "sentence"),
    [
        (KEY.encode(), None, f"{FIELD}.apiKeySecret: Secret 'teacher' does not allow its keys to be sent to {URL}; "),
        (KEY.encode(), "https://other.example.com", f"{FIELD}.apiKeySecret: Secret 'teacher' does not allow its keys"),
        # The content of a key that may not be used is not reported.
        (b"", None, f"{FIELD}.apiKeySecret: Secret 'teacher' does not allow its keys"),
        (
            b" \n",
            URL,
            f"{FIELD}.apiKeySecret: entry 'api-key' of Secret 'teacher' is not a key: it must be one word of printable ASCII",
        ),
        (f"{KEY}\r\nX-Other: 1".encode(), URL, f"{FIELD}.apiKeySecret: entry 'api-key' of Secret 'teacher' is not a key"),
        (f"Bearer {KEY}".encode(), URL, f"{FIELD}.apiKeySecret: entry 'api-key' of Secret 'teacher' is not a key"),
        (f"{KEY}é".encode(), URL, f"{FIELD}.apiKeySecret: entry 'api-key' of Secret 'teacher' is not a key"),
        (b"\x00\xff", URL, f"{FIELD}.apiKeySecret: entry 'api-key' of Secret 'teacher' is not a key"),
        (None, URL, f"{FIELD}.apiKeySecret: FOLDER/key: cannot be read (No such file or directory); put the key there"),
    ],
)
def test_faults_that_are_found_before_any_request(tmp_path: Path, key: bytes | None, allowed: str | None, sentence: str) -> None:
    with pytest.raises(BadConfiguration) as refused:
        access(an_endpoint(), FIELD, mounted(tmp_path, key, allowed))
    assert str(refused.value).startswith(sentence.replace("FOLDER", str(tmp_path)))
    assert KEY not in str(refused.value)


def test_an_entry_that_cannot_be_read_allows_nothing(tmp_path: Path) -> None:
    (tmp_path / "allowed-endpoints").mkdir()
    with pytest.raises(BadConfiguration, match=r"allowed-endpoints: cannot be read \(Is a directory\)"):
        access(an_endpoint(), FIELD, mounted(tmp_path, allowed=None))


@pytest.mark.parametrize("paths", [Paths(workspace="/w", stage="/w"), Paths(workspace="/w", stage="/w", endpoint_keys=[])])
def test_a_run_config_that_names_no_file_gives_no_key(paths: Paths) -> None:
    with pytest.raises(
        BadConfiguration, match="this RunConfig does not say where the key is; let the operator write the RunConfig"
    ):
        access(an_endpoint(), FIELD, paths)


def a_distillation(secret: str) -> dict[str, Any]:
    endpoint = {"baseUrl": URL, "model": "any", "apiKeySecret": {"name": secret, "key": "api-key"}}
    training = a_training()
    prompts = training.pop("datasets")
    return {**training, "prompts": prompts, "teacher": endpoint}


STAGES = [{"name": "sft", "sft": a_training()}, {"name": "dpo-kd", "dpoDistillation": a_distillation("teacher")}]


def local_config(secrets: Path, stage: str) -> RunConfig:
    manifests = process.render(a_run(a_job(stages=STAGES), stage), Settings(secrets_path=str(secrets)))
    return RunConfig.parse(json.loads(manifests[0]["data"]["run.json"]))


def a_secret(secrets: Path, **entries: str) -> None:
    (secrets / "teacher").mkdir()
    for entry, text in entries.items():
        (secrets / "teacher" / entry.replace("_", "-")).write_text(text)


def refusal(config: RunConfig) -> str:
    """Return preflight's message; the later checks would fail in each of these jobs, too."""
    with pytest.raises(BadConfiguration) as refused:
        check(config)
    return str(refused.value)


@pytest.mark.parametrize("stage", ["sft", "dpo-kd"])
def test_a_secret_that_allows_nothing_stops_the_job_before_its_first_stage(tmp_path: Path, stage: str) -> None:
    a_secret(tmp_path, api_key=KEY)
    assert refusal(local_config(tmp_path, stage)) == (
        f"spec.stages[1].dpoDistillation.teacher.apiKeySecret: Secret 'teacher' does not allow its keys to be sent to {URL}; "
        f"if its owner agrees, add the line {URL} to the file {tmp_path}/teacher/allowed-endpoints"
    )


def test_without_a_folder_of_the_secret_the_message_asks_for_the_key_and_the_line(tmp_path: Path) -> None:
    assert refusal(local_config(tmp_path, "dpo-kd")) == (
        f"spec.stages[1].dpoDistillation.teacher.apiKeySecret: the file {tmp_path}/teacher/api-key does not exist; put the key "
        f"there, and, if its owner agrees to send it to this server, the line {URL} into the file "
        f"{tmp_path}/teacher/allowed-endpoints"
    )


def test_on_one_machine_a_key_that_is_none_is_named_by_its_file(tmp_path: Path) -> None:
    a_secret(tmp_path, api_key="two words", allowed_endpoints=URL)
    assert f"apiKeySecret: the file {tmp_path}/teacher/api-key is not a key: " in refusal(local_config(tmp_path, "dpo-kd"))


REFUSED_KEYS = [
    (None, "put a valid key for this server and model into the file FOLDER/key, and run again"),
    (
        "team",
        "put a valid key for this server and model into entry 'api-key' of Secret 'teacher', "
        "then set suspend to true and back to false",
    ),
]


@pytest.mark.parametrize(("namespace", "sentence"), REFUSED_KEYS)
def test_what_to_do_about_a_refused_key_depends_on_where_it_is(tmp_path: Path, namespace: str | None, sentence: str) -> None:
    paths = mounted(tmp_path)
    (known,) = paths.endpoint_keys or []
    paths = paths.model_copy(update={"endpoint_keys": [known.model_copy(update={"namespace": namespace})]})
    assert advice_to_refused(an_endpoint(), paths) == sentence.replace("FOLDER", str(tmp_path))


def test_a_key_of_a_later_stage_is_not_read(tmp_path: Path) -> None:
    a_secret(tmp_path, allowed_endpoints=URL)
    assert "apiKeySecret" not in refusal(local_config(tmp_path, "sft"))
    assert "apiKeySecret: " in refusal(local_config(tmp_path, "dpo-kd"))


def test_a_secret_that_allows_the_endpoint_passes(tmp_path: Path) -> None:
    a_secret(tmp_path, api_key=KEY, allowed_endpoints=f"{URL}\n")
    assert "apiKeySecret" not in refusal(local_config(tmp_path, "dpo-kd"))


def test_a_pod_ends_with_the_sentence_and_its_exit_code(tmp_path: Path) -> None:
    config_map, _ = pytorchjob.render(a_run(a_job(stages=STAGES), "dpo-kd"), Settings())
    (tmp_path / "run.json").write_text(config_map["data"]["run.json"])
    ended = subprocess.run(
        [sys.executable, "-m", "alignment_trainer", "--config", str(tmp_path / "run.json")], capture_output=True, text=True
    )
    assert ended.returncode == 78
    assert ended.stderr == (
        "BadConfiguration: spec.stages[1].dpoDistillation.teacher.apiKeySecret: "
        f"Secret 'teacher' does not allow its keys to be sent to {URL}; if its owner agrees, run: "
        f"""kubectl patch secret teacher --namespace team --patch '{{"stringData":{{"allowed-endpoints":"{URL}"}}}}'\n"""
    )
