"""Datasets in buckets, read from a real S3 server that the tests start."""

import json
import os
import re
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError

import boto3
import pytest
from alignment_trainer.checks.preflight import check
from alignment_trainer.failures import BadData, Unreachable
from alignment_trainer.fetching import retries
from alignment_trainer.reading.sources import find_source
from moto.server import ThreadedMotoServer

ROWS = [{"prompt": f"Say {number}.", "completion": f" It is {number}."} for number in range(40)]
BODY = "\n".join(map(json.dumps, ROWS)).encode()


@pytest.fixture(scope="module")
def server():
    started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    yield f"http://{host}:{port}"
    started.stop()


@pytest.fixture
def bucket(server, request):
    """A bucket of the test, with a few objects."""
    client = boto3.client(
        "s3", endpoint_url=server, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )
    name = "b-" + re.sub("[^a-z0-9]", "-", request.node.name.lower())[:40].strip("-")
    client.create_bucket(Bucket=name)
    for key in ("rows.jsonl", "many/a.jsonl", "many/b.jsonl", "many/deeper/c.jsonl", "many/about.txt"):
        client.put_object(Bucket=name, Key=key, Body=BODY)
    client.put_object(Bucket=name, Key="broken.jsonl", Body=BODY + b"\n{")
    client.put_object(Bucket=name, Key="none/readme.txt", Body=b"nothing")
    return client, name


@pytest.fixture
def configured(own_workspace, trainer, server, tmp_path_factory, monkeypatch):
    """A RunConfig whose credentials are a mounted file, as on a cluster."""
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    # The trainer sets this variable from its RunConfig; the test removes it.
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "")
    credentials = tmp_path_factory.mktemp("secret") / "credentials"
    credentials.write_text(
        f"[default]\naws_access_key_id = key\naws_secret_access_key = secret\nregion = us-east-1\nendpoint_url = {server}\n"
    )

    def configure(uri):
        config = trainer.config(own_workspace, sft__datasets=[{"uri": uri}])
        return config.model_copy(update={"paths": config.paths.model_copy(update={"s3_credentials": str(credentials)})})

    configure.credentials = credentials
    return configure


def source(config):
    return find_source(config.stage.settings.datasets[0], config.paths)


def cached(config):
    return sorted(path.name for path in (Path(config.paths.workspace) / ".cache" / "s3").iterdir())


def test_an_object_is_read_like_a_file(bucket, configured):
    config = configured(f"s3://{bucket[1]}/rows.jsonl")
    check(config)
    rows = list(source(config).rows())
    assert [row.values for row in rows] == ROWS
    assert rows[7].place == f"s3://{bucket[1]}/rows.jsonl:8"


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_prefix_is_a_folder(bucket, configured, ending):
    found = source(configured(f"s3://{bucket[1]}/many{ending}"))
    assert [part.shown for part in found.parts] == [f"s3://{bucket[1]}/many/{name}.jsonl" for name in "ab"]
    assert sum(found.counts) == 80


def test_each_version_is_downloaded_once_and_a_changed_object_again(bucket, configured):
    client, name = bucket
    config = configured(f"s3://{name}/rows.jsonl")
    source(config)
    (first,) = cached(config)
    file = Path(config.paths.workspace) / ".cache" / "s3" / first
    written = file.stat().st_mtime_ns
    source(config)
    assert file.stat().st_mtime_ns == written
    client.put_object(Bucket=name, Key="rows.jsonl", Body=BODY[:200].rpartition(b"\n")[0])
    assert sum(source(config).counts) < 40
    assert len(cached(config)) == 2
    assert not any(entry.startswith(".") for entry in cached(config))


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        (
            "absent.jsonl",
            r"spec.stages\[0\].sft.datasets\[0\].uri: s3://.*/absent.jsonl cannot be read \(.*\); check bucket, key",
        ),
        ("broken.jsonl", r"^s3://.*/broken.jsonl:41: is not valid JSON"),
        ("none/readme.txt", r"none/readme.txt is not a .jsonl or .* file; convert it"),
        ("none/", r"s3://.*/none/ is a folder that has no .jsonl"),
    ],
)
def test_unusable_objects_are_refused(bucket, configured, key, fault):
    with pytest.raises(BadData, match=fault):
        check(configured(f"s3://{bucket[1]}/{key}"))


def test_no_such_bucket(server, configured):
    with pytest.raises(BadData, match=r"s3://no-such-bucket/rows.jsonl cannot be read"):
        check(configured("s3://no-such-bucket/rows.jsonl"))


def test_without_credentials_the_secret_is_named(bucket, configured, monkeypatch):
    config = configured(f"s3://{bucket[1]}/rows.jsonl")
    configured.credentials.write_text(f"[default]\nendpoint_url = {bucket[0].meta.endpoint_url}\n")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(BadData, match=r"check bucket, key and spec.s3CredentialsSecret"):
        check(config)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(retries, "RETRY_POLICY", retries.RetryPolicy(3, 0.01, 0.02, 2))


def pointed_at(configured, url, uri):
    config = configured(uri)
    text = configured.credentials.read_text()
    configured.credentials.write_text(re.sub(r"endpoint_url = .*", f"endpoint_url = {url}", text))
    return config


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
def test_a_server_that_does_not_answer_is_retried(configured, quick, url, capsys):
    config = pointed_at(configured, url, "s3://bucket/rows.jsonl")
    with pytest.raises(Unreachable, match=rf"s3://bucket/rows.jsonl cannot be downloaded now \(.*{url}.*; 3 tries\)"):
        check(config)
    assert capsys.readouterr().err.count("next try at") == 2


@pytest.fixture
def faulty(server):
    """A server that answers as S3 does, after the faults that the test gives it."""
    faults, asked = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(f"{self.command} {self.path}")
            if faults:
                status, headers, body = faults.pop(0)
            else:
                request = urllib.request.Request(f"{server}{self.path}", headers=dict(self.headers), method=self.command)
                try:
                    with urllib.request.urlopen(request) as answer:
                        status, headers, body = answer.status, dict(answer.headers), answer.read()
                except HTTPError as error:
                    status, headers, body = error.code, dict(error.headers), error.read()
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("connection", "transfer-encoding"):
                    self.send_header(name, value)
            if not any(name.lower() == "content-length" for name in headers):
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_):
            """Log nothing."""

    started = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=started.serve_forever, daemon=True).start()
    started.faults, started.asked, started.url = faults, asked, f"http://127.0.0.1:{started.server_port}"
    yield started
    started.shutdown()


def answer(status, code, **headers):
    return status, headers, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()


SLOW = answer(503, "SlowDown")


@pytest.mark.parametrize(
    ("faults", "waits"),
    [
        ([], 0),
        ([SLOW, SLOW], 2),
        ([answer(429, "TooManyRequests", **{"Retry-After": "1"})], 1),
        ([answer(500, "InternalError")], 1),
    ],
    ids=["nothing", "slow down twice", "429", "500"],
)
def test_an_object_is_downloaded_in_spite_of(bucket, configured, faulty, quick, faults, waits, capsys):
    config = pointed_at(configured, faulty.url, f"s3://{bucket[1]}/rows.jsonl")
    faulty.faults[:] = faults
    assert [row.values for row in source(config).rows()] == ROWS
    assert capsys.readouterr().err.count("next try at") == waits


def test_a_persistent_fault_is_tried_as_often_as_the_policy_allows(bucket, configured, faulty, quick):
    config = pointed_at(configured, faulty.url, f"s3://{bucket[1]}/rows.jsonl")
    faulty.faults[:] = [SLOW] * 50
    with pytest.raises(Unreachable, match="the server answers 503"):
        check(config)
    assert len(faulty.asked) == 3


@pytest.mark.parametrize("fault", [answer(403, "AccessDenied"), answer(401, "Unauthorized")])
def test_a_refusal_is_final(bucket, configured, faulty, quick, fault, capsys):
    config = pointed_at(configured, faulty.url, f"s3://{bucket[1]}/rows.jsonl")
    faulty.faults[:] = [fault] * 50
    with pytest.raises(
        BadData, match=r"s3://.*/rows.jsonl cannot be read \(.*\); check bucket, key and spec.s3CredentialsSecret"
    ):
        check(config)
    assert "next try" not in capsys.readouterr().err
