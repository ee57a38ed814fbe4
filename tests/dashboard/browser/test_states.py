"""Every page with data, without, and with each of its sources away: one sentence, no traceback, no error in the console."""

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
from alignment_api.home import Home
from playwright.sync_api import Page, expect
from ports import free_port
from seeded_home import DIVERGING, FAILED, RUNNING, SPIKE, SWEEP, Made
from served_dashboard import served
from settled_pages import charts, keep_picture, open_settled, tables
from watched_api import ApiServer, write_kubeconfig

# Its tests take the database away, and open runs that the dashboard has never read.
OWN_HOME = True
FIRST, SECOND = SWEEP[0], SWEEP[7]
PAGES = {
    "runs": "/",
    "run": f"/run?job={SPIKE.identity}",
    "compare": f"/compare?jobs={FIRST.identity},{SECOND.identity}",
    "samples": f"/samples?jobs={FIRST.identity}",
}
OF_CLUSTER = {
    "runs": "/",
    "run": "/run?job=uid-one",
    "compare": "/compare?jobs=uid-one,uid-two",
    "samples": "/samples?jobs=uid-one",
}
STATUS = {"phase": "Succeeded", "stages": [{"name": "sft", "state": "Succeeded"}, {"name": "dpo", "state": "Succeeded"}]}


@pytest.mark.parametrize("made", [SPIKE, DIVERGING, RUNNING, FAILED], ids=lambda made: made.name)
def test_a_run_with_data(page: Page, made: Made) -> None:
    open_settled(page, f"/run?job={made.identity}")
    expect(page.get_by_text(made.name, exact=True).first).to_be_visible()
    expect(charts(page).first).to_be_visible()
    expect(page).to_have_title(f"{made.name} · Alignment")
    keep_picture(page, f"run-{made.name}")


def test_runs_with_data(page: Page) -> None:
    open_settled(page, PAGES["runs"])
    expect(tables(page).first).to_be_visible()
    expect(page).to_have_title("Runs · Alignment")
    keep_picture(page, "runs")


def test_a_comparison_with_data(page: Page) -> None:
    open_settled(page, PAGES["compare"])
    expect(charts(page).first).to_be_visible()
    expect(page).to_have_title("Compare · Alignment")
    keep_picture(page, "compare")


def test_samples_with_data(page: Page) -> None:
    open_settled(page, PAGES["samples"])
    expect(page.get_by_text("Why is the sky blue?").filter(visible=True).first).to_be_visible()
    expect(page).to_have_title("Samples · Alignment")
    keep_picture(page, "samples")


@pytest.fixture(scope="module")
def empty_dashboard(browser: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a home in which nothing has run."""
    with served(ALIGNMENT_HOME=str(tmp_path_factory.mktemp("empty"))) as address:
        yield address


@pytest.mark.parametrize(
    ("name", "address", "sentence"),
    [
        ("runs", "/", "alignment run examples/tiny.yaml"),
        ("run", "/run?job=uid-gone", "uid-gone"),
        ("compare", "/compare", "[Cc]hoose"),
        ("samples", "/samples", "No run is chosen"),
    ],
)
def test_a_page_without_jobs(
    open_page: Callable[..., Page], empty_dashboard: str, name: str, address: str, sentence: str
) -> None:
    page = open_page(empty_dashboard)
    open_settled(page, address)
    expect(page.get_by_text(re.compile(sentence)).first).to_be_visible()
    keep_picture(page, f"{name}-empty")


@contextmanager
def locked(database: Path) -> Iterator[None]:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def corrupt(database: Path) -> Iterator[None]:
    with missing(database):
        database.write_bytes(b"not a database, but long enough to be looked at " * 100)
        yield


@contextmanager
def missing(database: Path) -> Iterator[None]:
    kept = database.with_suffix(".kept")
    shutil.move(database, kept)
    yield
    shutil.move(kept, database)


@pytest.mark.parametrize(
    ("state", "fresh", "sentence"),
    [
        (locked, SWEEP[9], "cannot be read now"),
        (corrupt, SWEEP[10], "cannot be read now"),
        (missing, SWEEP[11], "is not there"),
    ],
    ids=["locked", "corrupt", "missing"],
)
def test_a_database_that_cannot_be_read(
    open_page: Callable[..., Page],
    dashboard: str,
    seeded: Home,
    state: Callable[[Path], AbstractContextManager[None]],
    fresh: Made,
    sentence: str,
) -> None:
    shown, page = open_page(dashboard), open_page(dashboard)
    open_settled(shown, PAGES["run"])
    expect(charts(shown).first).to_be_visible()
    with state(seeded.root / "mlflow.db"):
        for name, address in (("run", of_run), ("compare", of_comparison), ("samples", of_samples), ("runs", of_list)):
            open_settled(page, address(fresh))
            expect(page.get_by_text(sentence).first).to_be_visible()
            keep_picture(page, f"{name}-{state.__name__}")
        # What was drawn before stays, and says how old it is.
        expect(shown.get_by_text(sentence).first).to_be_visible()
        expect(charts(shown).first).to_be_visible()
        keep_picture(shown, f"run-shown-{state.__name__}")


def of_list(_made: Made) -> str:
    return PAGES["runs"]


def of_run(made: Made) -> str:
    return f"/run?job={made.identity}"


def of_comparison(made: Made) -> str:
    return f"/compare?jobs={made.identity},{FIRST.identity}"


def of_samples(made: Made) -> str:
    return f"/samples?jobs={made.identity}"


@pytest.fixture(scope="module")
def api() -> Iterator[ApiServer]:
    server = ApiServer()
    for name in ("one", "two"):
        server.put(name, status=STATUS)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def cluster_dashboard(browser: object, api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the jobs of an API server; no MLflow answers."""
    config = tmp_path_factory.mktemp("cluster") / "kubeconfig"
    write_kubeconfig(config, api.port)
    mlflow = f"http://127.0.0.1:{free_port()}"
    with served(KUBECONFIG=str(config), ALIGNMENT_SOURCE="kubernetes", MLFLOW_TRACKING_URI=mlflow) as address:
        yield address


@pytest.mark.parametrize("name", OF_CLUSTER)
def test_an_mlflow_that_does_not_answer(open_page: Callable[..., Page], cluster_dashboard: str, name: str) -> None:
    page = open_page(cluster_dashboard)
    open_settled(page, OF_CLUSTER[name])
    expect(page.get_by_text("cannot be read now").first).to_be_visible()
    keep_picture(page, f"{name}-mlflow-away")


@pytest.mark.parametrize(
    ("state", "change", "sentence"),
    [
        ("forbidden", lambda api: [api.refuse(verb, 403, b"{}") for verb in ("list", "watch")], "lacks the verb list"),
        (
            "no-definition",
            lambda api: [api.refuse(verb, 404, b"{}") for verb in ("list", "watch")],
            "has no AlignmentJob definition",
        ),
        ("api-away", lambda api: api.stop(), "does not answer"),
    ],
)
def test_an_api_server_that_gives_no_jobs(
    open_page: Callable[..., Page],
    cluster_dashboard: str,
    api: ApiServer,
    state: str,
    change: Callable[[ApiServer], object],
    sentence: str,
) -> None:
    change(api)
    page = open_page(cluster_dashboard)
    for name, address in OF_CLUSTER.items():
        open_settled(page, address)
        expect(page.get_by_text(sentence).first).to_be_visible()
        keep_picture(page, f"{name}-{state}")
