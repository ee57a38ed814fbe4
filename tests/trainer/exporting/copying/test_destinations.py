"""An exported folder is copied whole, once, and a copy that is not whole does not look like one."""

import base64
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import boto3
import pytest
import torch
from alignment_trainer.checks.exports import check_export
from alignment_trainer.exporting.copying import bucket
from alignment_trainer.exporting.copying.destinations import copy_everywhere
from alignment_trainer.failures import BadConfiguration
from exports import export_config
from moto.server import ThreadedMotoServer
from ports import free_port
from safetensors.torch import save_file


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "job/out/model"
    made.mkdir(parents=True)
    save_file({"weight": torch.ones(8)}, made / "model.safetensors")
    (made / "config.json").write_text("{}")
    return made


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_copy_on_the_workspace_is_made_once_and_follows_a_new_export(folder, tmp_path):
    config = export_config(tmp_path)
    copy_everywhere(config, folder, "a", ["workspace://models/mine"])
    target = tmp_path / "models/mine"
    assert contents(target) == contents(folder)
    first = target.stat().st_ino
    copy_everywhere(config, folder, "a", ["workspace://models/mine"])
    assert target.stat().st_ino == first
    (folder / "config.json").write_text('{"new": 1}')
    copy_everywhere(config, folder, "b", ["workspace://models/mine"])
    assert contents(target) == contents(folder)


def test_a_folder_of_others_is_not_replaced(folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("precious")
    with pytest.raises(BadConfiguration, match="workspace://mine exists and was not exported"):
        copy_everywhere(export_config(tmp_path), folder, "a", ["workspace://mine"])
    assert (tmp_path / "mine/thesis.txt").exists()


@pytest.fixture(scope="module")
def server():
    started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    yield "http://{}:{}".format(*started.get_host_and_port())
    started.stop()


class Bucket(NamedTuple):
    """An empty bucket of a real S3 server."""

    client: Any
    name: str

    def objects(self) -> dict[str, object]:
        """Return when each of its objects was written."""
        listed = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {found["Key"]: found["LastModified"] for found in listed}


@pytest.fixture
def made(server, request, tmp_path, monkeypatch):
    """A bucket, with credentials for it as a cluster mounts them."""
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    (tmp_path / "credentials").write_text(
        f"[default]\naws_access_key_id = key\naws_secret_access_key = secret\nregion = us-east-1\nendpoint_url = {server}\n"
    )
    client = boto3.client(
        "s3", endpoint_url=server, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )
    name = "m-" + re.sub("[^a-z0-9]", "-", request.node.name.lower())[:40].strip("-")
    client.create_bucket(Bucket=name)
    return Bucket(client, name)


def test_a_broken_upload_does_not_look_whole_and_is_continued(folder, tmp_path, made, monkeypatch):
    config, uri, uploaded = export_config(tmp_path), f"s3://{made.name}/mine", []
    upload = bucket._upload

    def once(files, path, key, sha256):
        if uploaded:
            raise KeyboardInterrupt
        uploaded.append(key)
        upload(files, path, key, sha256)

    monkeypatch.setattr(bucket, "_upload", once)
    with pytest.raises(KeyboardInterrupt):
        copy_everywhere(config, folder, "a", [uri])
    before = made.objects()
    assert set(before) == {"mine/config.json", "mine/export.begun.json"}
    monkeypatch.setattr(bucket, "_upload", upload)
    copy_everywhere(config, folder, "a", [uri])
    assert set(made.objects()) == {f"mine/{name}" for name in contents(folder)}
    assert made.objects()["mine/config.json"] == before["mine/config.json"]
    body = made.client.get_object(Bucket=made.name, Key="mine/model.safetensors")["Body"].read()
    assert body == (folder / "model.safetensors").read_bytes()


def test_a_whole_copy_in_a_bucket_is_not_written_again_and_a_new_export_replaces_it(folder, tmp_path, made):
    config, uri = export_config(tmp_path), f"s3://{made.name}/mine"
    (folder / "old.json").write_text("{}")
    copy_everywhere(config, folder, "a", [uri])
    before = made.objects()
    copy_everywhere(config, folder, "a", [uri])
    assert made.objects() == before
    (folder / "old.json").unlink()
    copy_everywhere(config, folder, "b", [uri])
    assert set(made.objects()) == {f"mine/{name}" for name in contents(folder)}


def test_a_replacement_that_was_killed_leaves_nothing_of_the_older_export(folder, tmp_path, made, monkeypatch):
    config, uri = export_config(tmp_path), f"s3://{made.name}/mine"
    (folder / "old.safetensors").write_text("{}")
    copy_everywhere(config, folder, "a", [uri])
    (folder / "old.safetensors").unlink()
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(bucket, "_upload", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        copy_everywhere(config, folder, "b", [uri])
    assert "mine/export.json" not in made.objects()
    copy_everywhere(config, folder, "b", [uri])
    assert set(made.objects()) == {f"mine/{name}" for name in contents(folder)}


def test_files_of_others_in_a_bucket_are_not_replaced(folder, own_workspace, made):
    made.client.put_object(Bucket=made.name, Key="mine/config.json", Body=b"precious")
    uri = f"s3://{made.name}/mine"
    lost = r"mine has files and was not exported, so they would be lost"
    with pytest.raises(BadConfiguration, match=lost):
        copy_everywhere(export_config(own_workspace), folder, "a", [uri])
    # Before any stage of the job, all destinations at once.
    with pytest.raises(BadConfiguration, match=rf"export.destinations\[0\]: s3://\S*/{lost}; .*\n.*destinations\[2\]: hf://me/x"):
        check_export(export_config(own_workspace, destinations=[uri, f"s3://{made.name}/free", "hf://me/x"]))
    assert made.client.get_object(Bucket=made.name, Key="mine/config.json")["Body"].read() == b"precious"


def test_a_missing_bucket_is_named(folder, own_workspace, made):
    missing = r"s3://none/mine cannot be written \(.*check bucket, prefix"
    with pytest.raises(BadConfiguration, match=missing):
        copy_everywhere(export_config(own_workspace), folder, "a", ["s3://none/mine"])
    with pytest.raises(BadConfiguration, match=missing):
        check_export(export_config(own_workspace, destinations=["s3://none/mine"]))


def test_before_the_job_a_copy_of_an_export_may_be_replaced_and_a_bucket_that_does_not_answer_is_left_to_the_copy(
    folder, own_workspace, made, tmp_path, capsys
):
    uri = f"s3://{made.name}/mine"
    copy_everywhere(export_config(own_workspace), folder, "a", [uri])
    check_export(export_config(own_workspace, destinations=[uri]))
    assert capsys.readouterr().err == ""
    credentials = tmp_path / "credentials"
    credentials.write_text(
        re.sub(r"endpoint_url = .*", f"endpoint_url = http://127.0.0.1:{free_port()}", credentials.read_text())
    )
    check_export(export_config(own_workspace, destinations=[uri]))
    assert re.match(rf"{uri} does not answer now \(.*\); whether it has files of others is seen", capsys.readouterr().err)


class _Hub(BaseHTTPRequestHandler):
    """As much of the Hub as an upload of small files needs."""

    made: dict[str, bytes]
    commits: list[str]
    seen: list[str | None]
    wanted: list[dict[str, object]]

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append(self.headers.get("Authorization"))
        if self.path == "/api/repos/create":
            self.wanted.append(json.loads(body))
            self._answer({"url": f"http://{self.headers['Host']}/me/mine"})
        elif self.path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            self._answer({"files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in files]})
        elif self.path.endswith("/commit/main"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.made[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "deletedFile":
                    del self.made[line["value"]["path"]]
            self.commits.append("one")
            self._answer({"commitOid": "a" * 40, "commitUrl": f"http://{self.headers['Host']}/me/mine/commit/{'a' * 40}"})
        else:
            self._answer({})

    def do_GET(self):
        if "/me/new" in self.path:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif "/tree/" in self.path:
            oid = "b" * 40
            self._answer([{"type": "file", "path": path, "size": len(body), "oid": oid} for path, body in self.made.items()])
        elif "/resolve/" in self.path:
            self._send(self.made[self.path.rpartition("/")[2]], {"ETag": f'"{len(self.commits)}"', "X-Repo-Commit": "a" * 40})
        else:
            self._answer({"id": "me/mine", "sha": "a" * 40, "siblings": []})

    def do_HEAD(self):
        self.do_GET()

    def _answer(self, document):
        self._send(json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _send(self, body, headers):
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty repository, and the RunConfig of a job that has a token for it."""
    kind = type("Hub", (_Hub,), {"made": {}, "commits": [], "seen": [], "wanted": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "token").write_text("hf_secret\n")
    config = export_config(tmp_path)
    yield kind, config.model_copy(update={"paths": config.paths.model_copy(update={"hub_token": str(tmp_path / "token")})})
    server.shutdown()
    server.server_close()


def test_the_hub_gets_all_files_in_one_commit(folder, hub):
    server, config = hub
    copy_everywhere(config, folder, "a", ["hf://me/mine"])
    assert server.made == contents(folder)
    assert server.commits == ["one"]
    assert "private" in str(server.wanted[0]) and "False" not in str(server.wanted[0])
    assert set(server.seen) == {"Bearer hf_secret"}


def test_a_new_export_removes_from_the_hub_only_files_of_the_older_one(folder, hub):
    server, config = hub
    (folder / "old.json").write_text("{}")
    copy_everywhere(config, folder, "a", ["hf://me/mine"])
    server.made["notes.txt"] = b"precious"
    (folder / "old.json").unlink()
    copy_everywhere(config, folder, "b", ["hf://me/mine"])
    assert server.made == {**contents(folder), "notes.txt": b"precious"}


def test_a_repository_of_others_is_not_replaced(folder, hub, own_workspace):
    server, config = hub
    known = export_config(own_workspace, destinations=["hf://me/mine", "hf://me/new"]).model_copy(update={"paths": config.paths})
    check_export(known)
    assert server.commits == [] and server.wanted == [], "looking makes nothing"
    server.made["model.safetensors"] = b"precious"
    lost = r"hf://me/mine has files and was not exported, so they would be lost"
    with pytest.raises(BadConfiguration, match=lost):
        copy_everywhere(config, folder, "a", ["hf://me/mine"])
    with pytest.raises(BadConfiguration, match=rf"destinations\[0\]: {lost}"):
        check_export(known)
    assert server.made == {"model.safetensors": b"precious"}
