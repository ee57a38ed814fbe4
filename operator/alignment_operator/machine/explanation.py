"""Shows every value of a resolved job and where it came from."""

from typing import Any

from alignment_api.memory.known_sizes import known_base_shape
from alignment_api.memory.shape import ModelShape
from alignment_api.resolving.recipes import Resolved
from alignment_api.spec.batch import pair_tokens, world_size
from alignment_api.spec.compute import Compute
from alignment_api.spec.endpoints import Budget
from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.lineage import stages_needed
from alignment_api.spec.parts import endpoints_of, parts_of
from alignment_api.spec.stages import PreferenceSettings, Stage
from alignment_api.trees import below, leaves
from rich.table import Table
from rich.text import Text


def explanation(resolved: Resolved) -> Table:
    """Return a table of every value, its source and the reason for it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("field", "value", "from", "because"):
        table.add_column(column, overflow="fold")
    for keys, value in leaves(resolved.spec.dump()):
        path = below("spec", keys)
        origin = resolved.origins[path]
        table.add_row(Text(path), Text(_shown(value)), Text(origin.source), Text(origin.reason))
    return table


def branch_lines(spec: AlignmentJobSpec) -> list[str]:
    """Return a line for each stage that does not simply build on the one before it: which stages it waits for."""
    lines, before = [], list[str]()
    for stage in spec.stages or []:
        needed = [known.name for known in stages_needed(spec, stage)]
        if needed != before:
            lines.append(f"{stage.name}: waits for {', '.join(needed) or 'no other stage'}")
        before = [stage.name]
    return lines


def batch_lines(spec: AlignmentJobSpec) -> list[str]:
    """Return a line for each training stage that shows how its global batch is reached."""
    lines = []
    for stage in spec.stages or []:
        optimization = getattr(stage.settings, "optimization", None)
        if optimization is not None:
            packs = _packs(stage, known_base_shape(spec))
            lines.append(f"{stage.name}: {_batch_line(stage, spec.compute_of(stage), optimization.global_batch_size, packs)}")
    return lines


def asking_lines(spec: AlignmentJobSpec) -> list[str]:
    """Return a line for each stage that asks servers: which models, and at most how much."""
    lines = []
    for stage in spec.stages or []:
        asked = dict.fromkeys(f"{endpoint.model} at {endpoint.base_url}" for _, endpoint in endpoints_of(stage))
        if asked:
            limits = [_limit(budget) for _, budget in parts_of(stage, Budget)]
            lines.append(f"{stage.name}: asks {', '.join(asked)}; {''.join(limits) or 'nothing limits how much'}")
    return lines


def _limit(budget: Budget) -> str:
    amounts = [f"{number:,} {what}" for number, what in ((budget.requests, "requests"), (budget.tokens, "tokens")) if number]
    amounts += ["a cost of " + f"{budget.cost:,.2f}".removesuffix(".00")] if budget.cost else []
    return f"at most {' or '.join(amounts)}" if amounts else ""


def _packs(stage: Stage, shape: ModelShape | None) -> bool:
    """Return whether pairs are packed; the trainer may still pad a model that is unknown here."""
    asked = isinstance(stage.settings, PreferenceSettings) and stage.settings.packs_pairs
    return asked and (shape is None or shape.takes_packed_pairs)


def _batch_line(stage: Stage, compute: Compute, size: int, packs: bool) -> str:
    processes, at_once = world_size(compute), compute.micro_batch_size or 1
    if packs and isinstance(stage.settings, PreferenceSettings):
        tokens = pair_tokens(at_once, stage.settings.max_length or 0)
        return f"{size} pairs per step over {processes} processes, packed into forwards of at most {tokens} tokens"
    accumulated, rest = divmod(size, processes * at_once)
    if rest:
        # Pairs that should be packed, of a model that takes them only padded.
        return f"{size} pairs per step over {processes} processes, at most {at_once} per forward"
    return f"{size} examples per step = {processes} processes x {at_once} per forward x {accumulated} accumulated"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    # Without the dot, some YAML parsers read a copied 5e-05 as text.
    if isinstance(value, float) and "." not in str(value):
        return str(value).replace("e", ".0e")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
