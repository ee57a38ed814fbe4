"""The command that serves the dashboard."""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alignment_dashboard.__main__ import listen, main, read_flags
from alignment_dashboard.server import PAGES, TABLE
from alignment_dashboard.settings import SETTINGS
from ports import free_port
from websockets.sync.client import connect

END_SECONDS = 30


class Served:
    """A process that serves an empty home on a free port."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "alignment_dashboard", "--port", str(self.port), "--home", str(home), *arguments]
        self.process = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, text=True)

    def fetch(self, path: str) -> str:
        """Fetch an address once the server is up."""
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
                    return str(answer.read().decode())
            except urllib.error.HTTPError as error:
                return f"{error.code}"
            except OSError as error:
                failure = error
            time.sleep(0.2)
        raise failure

    def end(self) -> str:
        """End the process, and return what it printed."""
        self.process.terminate()
        return self.process.communicate(timeout=END_SECONDS)[0]


@contextmanager
def serving(home: Path, *arguments: str) -> Iterator[Served]:
    """Serve until the block ends."""
    served = Served(home, *arguments)
    try:
        yield served
    finally:
        served.process.kill()
        served.process.wait()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as served:
        yield served


def test_it_serves_with_one_command(served: Served) -> None:
    assert served.fetch("/healthz") == "ok"
    assert served.fetch("/_stcore/health") == "ok"


@pytest.mark.parametrize("page", ["/", "/run?job=uid-one", "/compare", "/samples", "/rows"])
def test_each_page_knows_from_its_own_address_where_the_server_is(served: Served, page: str) -> None:
    html = served.fetch(page)
    assert html.count("BACKEND_BASE_URL") == 1
    # Scripts of the page run in their order, so the address is known before Streamlit's own script asks for it.
    assert html.index("BACKEND_BASE_URL") < html.index('<script type="module"')
    assert "<title>Alignment runs</title>" in html


def test_a_page_says_what_the_server_would_say_about_its_hosts(served: Served) -> None:
    said = json.loads(served.fetch("/_stcore/host-config"))
    written = served.fetch("/").partition("HOST_CONFIG: ")[2].partition("}</script>")[0]
    assert json.loads(written) == {name: said[name] for name in ("allowedOrigins", "useExternalAuthToken")}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_early_what_it_needs_of_streamlits_script(served: Served, page: str) -> None:
    loaded = re.findall(r"import\('\./(static/js/(\w+)\.[^']+)'\)", served.fetch(f"/{page}"))
    assert sorted(part for _, part in loaded) == sorted(PAGES[page])
    styles = re.findall(r"fetch\('\./(static/css/(\w+)\.[^']+)'\)", served.fetch(f"/{page}"))
    assert [part for _, part in styles] == [part for part in PAGES[page] if part == TABLE]
    loaded += styles
    # What is not there is answered with the page.
    assert [path for path, _ in loaded if "<html" in served.fetch(f"/{path}")[:2000] or served.fetch(f"/{path}") == "404"] == []


def test_an_address_of_the_server_below_a_page_is_none(served: Served) -> None:
    assert served.fetch("/run/_stcore/health") == "404"


def test_below_a_base_path(tmp_path: Path) -> None:
    with serving(tmp_path, "--server.baseUrlPath", "team/alignment") as below:
        assert below.fetch("/healthz") == "ok"
        assert "BACKEND_BASE_URL" in below.fetch("/team/alignment/run?job=uid-one")
        assert "BACKEND_BASE_URL" in below.fetch("/team/alignment/")
        assert below.fetch("/team/alignment/_stcore/health") == "ok"
        assert below.end() == f"The dashboard is on http://127.0.0.1:{below.port}/team/alignment\n"


def test_a_signal_ends_it_although_a_page_is_open(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.fetch("/healthz")
        with connect(f"ws://127.0.0.1:{served.port}/_stcore/stream", subprotocols=["streamlit"]):
            served.end()


def test_a_port_in_use_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with listen("127.0.0.1", 0) as other, pytest.raises(SystemExit) as left:
        main(["--port", str(other.getsockname()[1])])
    printed = capsys.readouterr()
    assert left.value.code == 1
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "Address already in use" in printed.err and "choose another" in printed.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "99999"], "cannot listen on 127.0.0.1:99999"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid:8501"),
        (["--server.portt", "1"], "Streamlit has no setting server.portt"),
        (["--server.port", "1"], "--server.port has no effect here; use --port"),
        (["--server.sslCertFile=cert.pem"], "let a proxy in front of the dashboard serve TLS"),
        (["folder"], "unrecognized argument: folder"),
    ],
)
def test_a_wrong_argument_is_an_error_at_the_start(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code in (1, 2)
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(("name", "value"), [("ALIGNMENT_SOURCE", "etcd"), ("ALIGNMENT_NAMESPACES", "team")])
def test_a_wrong_setting_is_an_error_at_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 2
    assert f"{name} is" in capsys.readouterr().err


def test_flags_with_their_values() -> None:
    assert read_flags(["--theme.base", "dark", "--server.baseUrlPath=a/b"]) == {"theme.base": "dark", "server.baseUrlPath": "a/b"}


def test_telemetry_tracebacks_and_a_collection_after_each_run_are_off() -> None:
    assert SETTINGS["runner.postScriptGC"] is False
    assert SETTINGS["browser.gatherUsageStats"] is False
    assert SETTINGS["logger.hideWelcomeMessage"] is True
    assert SETTINGS["client.showErrorDetails"] == "none"
