"""Which settings cannot be combined; checked when a job is accepted and again before a stage trains."""

from alignment_api.problems import Problem
from alignment_api.schema import Schema
from alignment_api.spec.batch import ImpossibleBatch, check_batch
from alignment_api.spec.compute import Compute
from alignment_api.spec.data import Columns, Dataset
from alignment_api.spec.endpoints import Budget
from alignment_api.spec.parts import endpoints_of, parts_of
from alignment_api.spec.stages import Dpo, PreferenceSettings, Sft, Stage, TrainingSettings


def impossible_combination(sharding: str, offload: str, *, is_quantized: bool) -> Problem | None:
    """Return the setting of the compute that cannot be combined with the others, if there is one."""
    if offload != "None" and sharding == "None":
        return Problem("offload", f"{offload} needs sharding; set sharding to ZeRO2 or ZeRO3, or offload to None")
    if offload == "OptimizerAndParameters" and sharding != "ZeRO3":
        return Problem(
            "offload",
            f"parameters can only be offloaded if they are sharded, and {sharding} does not shard them; "
            f"set sharding to ZeRO3, or offload to Optimizer",
        )
    if is_quantized and sharding == "ZeRO3":
        advice = "set sharding to ZeRO2 or None, or leave out adapter.quantization"
        return Problem("sharding", f"ZeRO3 cannot shard quantized weights; {advice}")
    return None


def combination_problems(stage: Stage, compute: Compute, path: str, kind: str) -> list[Problem]:
    """List the impossible combinations of a stage that trains; `path` leads to the stage, `kind` to its settings."""
    settings = stage.training
    if settings is None:
        return []
    problems = _batch_problems(settings, compute, kind)
    adapter, optimization = settings.adapter, settings.optimization
    is_quantized = adapter is not None and adapter.quantization is not None
    found = impossible_combination(compute.sharding or "None", compute.offload or "None", is_quantized=is_quantized)
    if found:
        problems.append(Problem(f"{path}.compute.{found.path}", found.sentence))
    if compute.gpus_per_node == 0 and optimization and optimization.optimizer == "PagedAdamW32bit":
        problems.append(
            Problem(f"{kind}.optimization.optimizer", "PagedAdamW32bit pages GPU memory, and there is no GPU; set it to AdamW")
        )
    if isinstance(settings, PreferenceSettings) and settings.label_smoothing and settings.loss != "Robust":
        sentence = f"{settings.label_smoothing:g} has no effect on the loss {settings.loss}"
        problems.append(Problem(f"{kind}.labelSmoothing", f"{sentence}; set loss to Robust, or labelSmoothing to 0"))
    return problems + _columns_problems(stage, path)


def price_problems(stage: Stage, path: str) -> list[Problem]:
    """List the endpoints without a price of a stage whose cost is limited; `path` leads to the stage."""
    if all(budget.cost is None for _, budget in parts_of(stage, Budget)):
        return []
    sentence = "is not set, and budget.cost needs the price of every endpoint; set it, with 0 for a server that charges nothing"
    return [Problem(f"{path}.{field}.price", sentence) for field, endpoint in endpoints_of(stage) if endpoint.price is None]


def _batch_problems(settings: TrainingSettings, compute: Compute, kind: str) -> list[Problem]:
    size = settings.optimization.global_batch_size if settings.optimization else None
    if size is None or compute.gpus_per_node is None:
        return []
    try:
        check_batch(size, compute, packs_pairs=isinstance(settings, PreferenceSettings) and settings.packs_pairs)
    except ImpossibleBatch as error:
        return [Problem(f"{kind}.optimization.globalBatchSize", str(error))]
    return []


def _columns_problems(stage: Stage, path: str) -> list[Problem]:
    """Find mappings of columns to something that the stage does not learn from."""
    mapped = [(field, dataset.columns) for field, dataset in parts_of(stage, Dataset) if dataset.columns]
    found = [(field, _unlearned(stage.settings, columns)) for field, columns in mapped]
    return [Problem(f"{path}.{field}.columns", sentence) for field, sentence in found if sentence]


def _unlearned(settings: Schema, columns: Columns) -> str | None:
    if isinstance(settings, Sft) and columns.chosen:
        return "chosen and rejected make pairs, and sft learns from single answers; set prompt and answer, or use a dpo stage"
    if isinstance(settings, Sft) and columns.label:
        return "label marks good and bad answers, and sft would learn both; remove the bad rows and label, or use a dpo stage"
    if isinstance(settings, Dpo) and not (columns.chosen or columns.label):
        return "dpo learns from pairs; set chosen and rejected, or prompt, answer and label"
    return None


def packing_problem(kind: str, family: str) -> Problem:
    """Return the problem of a model family whose packed examples would attend to each other."""
    # Positions that restart at each example tell attention where one ends, and these models take no positions.
    return Problem(f"{kind}.packing", f"{family} models would attend across packed examples; set packing to false")
