"""With FAST set, skips each test at the moment when it starts a process or loads a large library such as torch."""

import importlib.abc
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pytest

_LARGE = {"bitsandbytes", "datasets", "deepspeed", "mlflow", "moto", "peft", "streamlit", "torch", "transformers", "trl"}
_STARTS = {"os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn", "subprocess.Popen"}


class _SkippedImports(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name in _LARGE:
            _skip(f"loads {name}")


def _skip_processes(event: str, _: tuple[Any, ...]) -> None:
    if event in _STARTS:
        _skip("starts a process")


def _skip(reason: str) -> None:
    raise pytest.skip.Exception(f"FAST: {reason}", allow_module_level=True)


def pytest_configure() -> None:
    if os.environ.get("FAST"):
        sys.meta_path.insert(0, _SkippedImports())
        sys.addaudithook(_skip_processes)
