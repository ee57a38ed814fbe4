"""What all tests share: the inputs of the tiny example, and FAST, which skips each test as it starts a process or loads torch."""

import gc
import importlib.abc
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from alignment_api.spec.kinds import KINDS
from example_teacher import ExampleTeacher, served_teacher
from made_once import made_once

# Tests run side by side: threads of torch that wait for each other would only take processor time from the other tests. Torch
# reads this while it is imported, also in all programs that tests start.
os.environ["OMP_NUM_THREADS"] = "1"

_EXAMPLES = Path(__file__).parents[1] / "examples"
_LARGE = {"bitsandbytes", "datasets", "deepspeed", "mlflow", "moto", "peft", "streamlit", "torch", "transformers", "trl"}
_STARTS = {"os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn", "subprocess.Popen"}


MORE_MODULES = 200
"""So many new modules are worth another full search for garbage."""

_frozen = {"modules": 0}


class _SkippedImports(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name in _LARGE:
            _skip(f"loads {name}")


def _skip_processes(event: str, _: tuple[Any, ...]) -> None:
    if event in _STARTS:
        _skip("starts a process")


def _skip(reason: str) -> None:
    raise pytest.skip.Exception(f"FAST: {reason}", allow_module_level=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Begin to skip; not earlier, since the processes that run the tests side by side have to be started before."""
    # Tests and libraries are all loaded now, and none of that is garbage.
    gc.disable()
    starts_workers = session.config.getoption("numprocesses", None) and not hasattr(session.config, "workerinput")
    if os.environ.get("FAST") and not starts_workers:
        sys.meta_path.insert(0, _SkippedImports())
        sys.addaudithook(_skip_processes)


def pytest_collection_finish() -> None:
    """Let Python's search for garbage leave out tests and libraries: otherwise each full search takes a second."""
    _freeze()
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Do the same when a test has loaded more libraries, and its fixtures have ended."""
    if nextitem and len(sys.modules) > _frozen["modules"] + MORE_MODULES:
        _freeze()


def _freeze() -> None:
    gc.collect()
    gc.freeze()
    _frozen["modules"] = len(sys.modules)


@pytest.fixture
def every_kind_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this version run all kinds, also those whose page is still to be written."""
    for name, kind in KINDS.items():
        monkeypatch.setitem(KINDS, name, replace(kind, runs=True))


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the tiny example's model and rows; tests must not write to it."""

    def make(root: Path) -> None:
        subprocess.run([sys.executable, _EXAMPLES / "make_tiny.py", "--workspace", root], check=True, capture_output=True)

    return made_once(tmp_path_factory, "workspace", make)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs, since creating its tables takes seconds; copy it, and never write to it."""

    def make(folder: Path) -> None:
        from mlflow import MlflowClient

        MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").search_experiments()

    return made_once(tmp_path_factory, "mlflow", make) / "mlflow.db"


@pytest.fixture(scope="session")
def example_teacher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleTeacher]:
    """A real server of examples/models, one for each process that runs tests."""
    with served_teacher(_EXAMPLES / "models", tmp_path_factory.mktemp("teacher") / "log") as server:
        yield server
