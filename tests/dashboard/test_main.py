"""The command that serves the dashboard."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from alignment_dashboard.__main__ import flags, main
from ports import free_port


@pytest.fixture
def served(tmp_path: Path) -> Iterator[int]:
    """Serve an empty home on a free port."""
    port = free_port()
    command = [sys.executable, "-m", "alignment_dashboard", "--port", str(port), "--home", str(tmp_path)]
    with subprocess.Popen(command, cwd=tmp_path) as process:
        yield port
        process.terminate()


def fetch(port: int, path: str) -> str:
    """Fetch a page once the server is up."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}") as answer:
                return str(answer.read().decode())
        except ConnectionError as error:
            failure: Exception = error
        except urllib.error.URLError as error:
            failure = error
        time.sleep(0.2)
    raise failure


def test_it_serves_with_one_command(served: int) -> None:
    assert fetch(served, "_stcore/health") == "ok"


@pytest.mark.parametrize(("name", "value"), [("ALIGNMENT_SOURCE", "etcd"), ("ALIGNMENT_NAMESPACES", "team")])
def test_a_wrong_setting_is_an_error_at_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 2
    assert f"{name} is" in capsys.readouterr().err


def test_telemetry_and_tracebacks_are_off() -> None:
    given = flags("127.0.0.1", 8501)
    settings = dict(zip(given[::2], given[1::2], strict=True))
    assert settings["--browser.gatherUsageStats"] == "false"
    assert settings["--logger.hideWelcomeMessage"] == "true"
    assert settings["--client.showErrorDetails"] == "none"
    assert settings["--server.address"] == "127.0.0.1"
