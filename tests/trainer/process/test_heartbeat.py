"""The heartbeat server's answers to allowed and other callers."""

import http.client
import socket
import time
from datetime import UTC, datetime

import pytest
from alignment_api.heartbeat import HEARTBEAT_PATH, Heartbeat, heartbeat_token
from alignment_trainer.process import heartbeat

ANSWER = Heartbeat(job_uid="0badcafe-1", stage="sft", attempt=1, alive_time=datetime(2025, 1, 1, tzinfo=UTC), step=7)
TOKEN = heartbeat_token("0badcafe-1", "sft", 1)


@pytest.fixture
def server(tmp_path, trainer, monkeypatch):
    monkeypatch.setenv(heartbeat.PORT_VARIABLE, "0")
    monkeypatch.setattr(heartbeat, "_REQUEST_SECONDS", 0.3)
    made = heartbeat.serve(trainer.config(tmp_path), lambda: ANSWER)
    yield made
    made.shutdown()
    made.server_close()


def ask(server, method="GET", path=HEARTBEAT_PATH, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_a_caller_with_the_token_gets_the_heartbeat(server):
    status, body = ask(server, Authorization=f"Bearer {TOKEN}")
    assert status == 200
    assert Heartbeat.model_validate_json(body) == ANSWER
    assert b'"aliveTime"' in body


@pytest.mark.parametrize(
    ("method", "path", "authorization", "status"),
    [
        ("GET", HEARTBEAT_PATH, None, 401),
        ("GET", HEARTBEAT_PATH, "", 401),
        ("GET", HEARTBEAT_PATH, "Bearer ", 401),
        ("GET", HEARTBEAT_PATH, "Bearer é", 401),
        ("GET", HEARTBEAT_PATH, f"Bearer {heartbeat_token('0badcafe-1', 'sft', 2)}", 401),
        ("GET", HEARTBEAT_PATH, f"Basic {TOKEN}", 401),
        ("GET", "/", f"Bearer {TOKEN}", 404),
        ("GET", f"{HEARTBEAT_PATH}/../run.json", f"Bearer {TOKEN}", 404),
        ("GET", f"{HEARTBEAT_PATH}?all", f"Bearer {TOKEN}", 404),
        ("POST", HEARTBEAT_PATH, f"Bearer {TOKEN}", 501),
        ("HEAD", HEARTBEAT_PATH, f"Bearer {TOKEN}", 501),
    ],
)
def test_other_callers_get_nothing(server, method, path, authorization, status):
    headers = {} if authorization is None else {"Authorization": authorization.encode()}
    answered, body = ask(server, method, path, **headers)
    assert answered == status
    assert b"0badcafe" not in body


def hears_nothing(server, *pieces):
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=60) as connection:
        for piece in pieces:
            connection.sendall(piece)
        try:
            return b"200" not in connection.recv(1000)
        except ConnectionError:
            return True


def test_an_endless_request_is_dropped(server):
    assert hears_nothing(server, b"GET /heartbeat HTTP/1.1\r\nAuthorization: Bea")
    assert hears_nothing(server, b"GET /heartbeat HTTP/1.1\r\n" + b"X: " + b"x" * 100_000)
    assert ask(server, Authorization=f"Bearer {TOKEN}")[0] == 200


def test_many_silent_connections_block_others_only_briefly(server):
    silent = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(heartbeat._MOST_REQUESTS)]
    deadline = time.monotonic() + 60
    while True:
        assert time.monotonic() < deadline
        try:
            if ask(server, Authorization=f"Bearer {TOKEN}")[0] == 200:
                break
        except (ConnectionError, http.client.HTTPException):
            time.sleep(0.05)
    for connection in silent:
        connection.close()


def test_a_port_in_use_is_reported_and_the_stage_continues(tmp_path, trainer, monkeypatch, server, capfd):
    for port in (str(server.server_port), "65536", "http"):
        monkeypatch.setenv(heartbeat.PORT_VARIABLE, port)
        assert heartbeat.serve(trainer.config(tmp_path), lambda: ANSWER) is None
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith(f"ALIGNMENT_HEARTBEAT_PORT: port {port} cannot be served (")


def test_without_a_port_nothing_is_served(tmp_path, trainer, monkeypatch):
    monkeypatch.delenv(heartbeat.PORT_VARIABLE, raising=False)
    assert heartbeat.serve(trainer.config(tmp_path), lambda: ANSWER) is None
