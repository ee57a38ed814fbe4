"""Rows of the list of runs for tests of pure functions."""

from datetime import UTC, datetime
from typing import Any

from alignment_dashboard.facts.run_list.row import Row

_ROW = Row(
    identity="",
    name="",
    namespace="team",
    phase="Succeeded",
    stages="✓ sft  →  ✓ dpo",
    percent=100,
    ends=None,
    model="hf://HuggingFaceH4/zephyr-7b",
    parameters={},
    metrics={},
    gpu_hours=None,
    created=datetime(2026, 1, 1, tzinfo=UTC),
    started=datetime(2026, 1, 2, tzinfo=UTC),
    reason="",
    charted="dpo",
)


def a_row(name: str, parameters: dict[str, Any] | None = None, metrics: dict[str, float] | None = None, **others: Any) -> Row:
    """Return a row whose identity is its name with uid- before it."""
    return _ROW._replace(
        identity=f"uid-{name}",
        name=name,
        parameters={"stages": "sft → dpo"} | (parameters or {}),
        metrics=metrics or {},
        **others,
    )
