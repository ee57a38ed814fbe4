"""What the pages read stays with its time when a source is away, and reading it needs few imports."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest
from alignment_api.home import Home
from alignment_api.metrics import LOSS, REWARD_MARGIN
from alignment_api.names import stage_folder
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard import cache
from alignment_dashboard.keeper import Keeper, Known

JobWriter = Callable[..., AlignmentJob]
RunLogger = Callable[..., str]
STATUS = {"phase": "Running", "stages": [{"name": "sft", "state": "Running", "attempts": 1}]}
POINTS = [(1, 2.0), (2, 1.5)]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every call read anew and wait for it."""
    get = Keeper.get

    def read_and_get(self: Keeper[str, object], key: str, seconds: float | None = None) -> object:
        for entry in self._entries.values():
            entry.due_at = 0.0
        return get(self, key, 60)

    monkeypatch.setattr(Keeper, "get", read_and_get)


@pytest.mark.usefixtures("at_once")
def test_all_that_a_job_has(write_job: JobWriter, log_run: RunLogger) -> None:
    write_job("one", STATUS)
    run_id = log_run("uid-one", "sft", {LOSS: POINTS, "eval/loss": [(2, 3.0)]})
    assert {stage: run.kind for stage, run in cache.runs("uid-one").value.items()} == {None: None, "sft": "sft"}
    assert cache.runs("uid-one").value["sft"].run_id == run_id
    assert list(cache.headlines().value) == ["uid-one"]
    found = cache.curves("uid-one", "sft", [LOSS, "eval/loss", REWARD_MARGIN])
    assert {name: history.values.tolist() for name, history in found.value.items()} == {LOSS: [2.0, 1.5], "eval/loss": [3.0]}
    assert cache.overview().value.curves == {"uid-one": [2.0, 1.5]}
    assert cache.events(cache.listing().jobs[0]).value == []


@pytest.mark.usefixtures("at_once")
def test_the_outline_of_a_deleted_job_is_no_longer_read(home: Home, write_job: JobWriter, log_run: RunLogger) -> None:
    for name in ("one", "two"):
        write_job(name, STATUS)
        log_run(f"uid-{name}", "sft", {LOSS: POINTS})
    assert set(cache.overview().value.curves) == {"uid-one", "uid-two"}
    shutil.rmtree(home.job_folder("default", "one"))
    assert set(cache.overview().value.curves) == {"uid-two"}
    assert {target.job_uid for target in cache._wanted[LOSS]} == set(cache._outlines.get(LOSS).value) == {"uid-two"}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    "read",
    [
        lambda: cache.runs("uid-one"),
        lambda: cache.headlines(),
        lambda: cache.curves("uid-one", "sft", [LOSS]),
        lambda: cache.samples("uid-one", "sft"),
        lambda: cache.log("uid-one", "sft"),
    ],
)
def test_what_was_read_stays_while_the_database_is_away(
    home: Home, write_job: JobWriter, log_run: RunLogger, read: Callable[[], Known[Mapping[object, object]]]
) -> None:
    write_job("one", STATUS)
    log_run("uid-one", "sft", {LOSS: POINTS})
    before = read()
    assert before.problem is None
    (home.root / "mlflow.db").rename(home.root / "moved.db")
    away = read()
    assert away.problem and "is not there" in away.problem
    assert str(away.value) == str(before.value) and away.as_of == before.as_of
    (home.root / "moved.db").rename(home.root / "mlflow.db")
    again = read()
    assert again.problem is None and again.as_of > before.as_of


@pytest.mark.parametrize(("state", "is_said"), [("Waiting", False), ("Pending", False), ("Running", True), ("Succeeded", True)])
def test_before_the_first_stage_trains_a_missing_database_is_no_problem(write_job: JobWriter, state: str, is_said: bool) -> None:
    write_job("one", {"phase": "Running", "stages": [{"name": "sft", "state": state}]})
    assert bool(cache.headlines().problem) == is_said


@pytest.mark.usefixtures("at_once")
def test_the_log_of_a_stage_that_runs_here_is_read_from_its_folder(home: Home, write_job: JobWriter, log_run: RunLogger) -> None:
    write_job("one", STATUS)
    log_run("uid-one", "sft", {})
    assert cache.log("uid-one", "sft")[:2] == ("", None)
    folder = home.workspace / stage_folder("default", "one", "uid-one", "sft")
    folder.mkdir(parents=True)
    (folder / "stage.log").write_bytes(b"step 1\nstep 2\n\xff")
    assert cache.log("uid-one", "sft").value == "step 1\nstep 2\n\N{REPLACEMENT CHARACTER}"


def test_the_list_of_a_local_folder_imports_neither_mlflow_nor_the_other_programs(home: Home, write_job: JobWriter) -> None:
    write_job("one", STATUS)
    program = (
        "import json, sys, alignment_dashboard.__main__\n"
        "from alignment_dashboard import cache\n"
        "cache.overview(), cache.headlines(), cache.curves('uid-one', 'sft', ['train/loss'])\n"
        "unwanted = {'torch', 'mlflow', 'alembic', 'sqlalchemy', 'kubernetes', 'alignment_operator', 'alignment_trainer'}\n"
        "print(json.dumps(sorted(unwanted & set(sys.modules))))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout.splitlines()[-1]) == []


def test_reading_a_server_of_mlflow_never_brings_torch_nor_the_other_programs() -> None:
    program = (
        "import sys, alignment_dashboard.store.rest\n"
        "print(*{'torch', 'alignment_operator', 'alignment_trainer'} & set(sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == ""
