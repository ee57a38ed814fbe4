"""Leaves the test process as it was after a page has run in it."""

import sys

import pytest


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore `__main__`, which Streamlit replaces by the page: a process forked by a later test would run the page first."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
