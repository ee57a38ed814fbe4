"""Shows a resolved job with where each value came from."""

from typing import Any

from alignment_api.batch import accumulation_steps, world_size
from alignment_api.job import AlignmentJobSpec
from alignment_api.recipes import Resolved
from rich.table import Table
from rich.text import Text


def explanation(resolved: Resolved) -> Table:
    """Table every value, its source and its reason."""
    values: dict[str, Any] = {}
    _flatten(resolved.spec.dump(), "spec", values)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("field", "value", "from", "because"):
        table.add_column(column, overflow="fold")
    for path, value in values.items():
        origin = resolved.origins[path]
        table.add_row(Text(path), Text(_shown(value)), Text(origin.source), Text(origin.reason))
    return table


def batch_lines(spec: AlignmentJobSpec) -> list[str]:
    """Say of each training stage how its global batch is reached."""
    lines = []
    for stage in spec.stages or []:
        optimization = getattr(stage.settings, "optimization", None)
        if optimization is not None:
            compute, size = spec.compute_of(stage), optimization.global_batch_size
            lines.append(
                f"{stage.name}: {size} examples per step = {world_size(compute)} processes x {compute.micro_batch_size or 1} "
                f"per forward x {accumulation_steps(size, compute)} accumulated"
            )
    return lines


def _flatten(value: Any, path: str, into: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _flatten(item, f"{path}.{key}", into)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, item in enumerate(value):
            _flatten(item, f"{path}[{index}]", into)
    else:
        into[path] = value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
