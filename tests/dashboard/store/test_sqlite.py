"""MLflow's database is read as it is: never made, migrated or written, and a database that cannot be read is one sentence."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from alembic.script import ScriptDirectory
from alignment_api.metrics import JOB_UID_TAG, LOSS
from alignment_dashboard.store import sqlite
from alignment_dashboard.store.sqlite import SCHEMA_VERSION, SqliteStore
from alignment_dashboard.store.store import StoreUnavailable
from mlflow import MlflowClient
from mlflow.entities import Metric

JOB = "uid-a"


def digest(path: Path) -> str:
    """Hash a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """Return a database with one run; tests must not write to it."""
    path = tmp_path_factory.mktemp("written") / "mlflow.db"
    shutil.copy(empty_database, path)
    client = MlflowClient(f"sqlite:///{path}")
    run_id = client.create_run("0", tags={JOB_UID_TAG: JOB}).info.run_id
    client.log_batch(run_id, [Metric(LOSS, 1 / (step + 1), 0, step) for step in range(300)])
    return path


@pytest.fixture
def path(tmp_path: Path, written: Path) -> Path:
    """Return a copy of it that a test may change."""
    return Path(shutil.copy(written, tmp_path / "mlflow.db"))


def refusal(path: Path) -> str:
    """Return the sentence about a database that cannot be read."""
    with pytest.raises(StoreUnavailable) as caught:
        store = SqliteStore(path)
        store.histories(store.runs_of(JOB)[0].run_id, {LOSS: None})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_schema_is_that_of_the_installed_mlflow() -> None:
    migrations = Path(mlflow.__file__).parent / "store" / "db_migrations"
    assert ScriptDirectory(str(migrations)).get_current_head() == SCHEMA_VERSION


def test_a_missing_database_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none" / "mlflow.db"
    assert "is not there: the first stage that trains creates it" in refusal(path)
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("situation", "change"),
    [
        ("no tables", None),
        ("tables of an older schema", "UPDATE alembic_version SET version_num = 'older'"),
        ("schema made, first experiment not", "DELETE FROM experiments"),
        ("a table not made yet", "DROP TABLE alembic_version"),
    ],
)
def test_a_half_made_database_is_left_alone(path: Path, situation: str, change: str | None) -> None:
    if change is None:
        path.write_bytes(b"")
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(change)
            connection.commit()
    before = digest(path)
    assert "is not complete yet: a stage is creating it" in refusal(path), situation
    assert digest(path) == before


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def scrambled(content: bytes) -> bytes:
    return content[:4096] + bytes(byte ^ 0xA5 for byte in content[4096:])


def no_database(_content: bytes) -> bytes:
    return b"not a database, but long enough to be looked at" * 1000


@pytest.mark.parametrize("change", [truncated, scrambled, no_database])
def test_a_damaged_file(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))
    assert "cannot be read now" in refusal(path)


def test_a_folder_in_the_place_of_the_database(tmp_path: Path) -> None:
    assert "is not there" in refusal(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_database_that_must_not_be_read(path: Path) -> None:
    path.chmod(0)
    assert "cannot be read now" in refusal(path)


def test_a_database_that_was_removed_and_made_anew_is_read_anew(path: Path, empty_database: Path) -> None:
    store = SqliteStore(path)
    assert store.runs_of(JOB)
    path.unlink()
    shutil.copy(empty_database, path)
    assert store.runs_of(JOB) == []


def test_reading_writes_nothing(path: Path) -> None:
    before = digest(path)
    store = SqliteStore(path)
    (run,) = store.runs_of(JOB)
    assert len(store.histories(run.run_id, {LOSS: None})[LOSS].steps) == 300
    assert store.outlines([run.run_id], LOSS, 40)
    assert digest(path) == before and [found.name for found in path.parent.iterdir()] == ["mlflow.db"]


@pytest.fixture
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection in the middle of a write."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM metrics")
        yield connection


def test_a_database_that_a_trainer_is_writing_shows_what_was_there_before(path: Path, writing: sqlite3.Connection) -> None:
    store = SqliteStore(path)
    (run,) = store.runs_of(JOB)
    assert len(store.histories(run.run_id, {LOSS: None})[LOSS].steps) == 300
    writing.execute("COMMIT")
    assert len(store.histories(run.run_id, {LOSS: None})[LOSS].steps) == 0


def test_a_database_that_stays_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert "a program keeps it locked" in refusal(path)


def test_a_write_that_was_killed_in_the_middle(path: Path) -> None:
    killed = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA cache_size = 1')\n"
        "connection.execute('BEGIN')\n"
        "connection.execute('UPDATE metrics SET value = value + 1')\n"
        "connection.execute('UPDATE metrics SET timestamp = timestamp + 1')\n"
        "os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", killed, str(path)], check=False)
    assert path.with_name("mlflow.db-journal").exists()
    assert "was killed while it wrote" in refusal(path)
