"""A stage's settings with nothing left open: what is missing or cannot be combined is said here, in a sentence."""

from dataclasses import dataclass
from typing import Any, TypeVar

from alignment_api.combinations import combination_problems
from alignment_api.run_config import RunConfig
from alignment_api.stages import RUNNABLE_KINDS, Dpo, PreferenceSettings, Sft, TrainingSettings
from alignment_api.training import Adapter, Compute, Dataset, Decontamination, Holdout, Optimization, Warmup
from pydantic.alias_generators import to_camel

from alignment_trainer.failures import BadConfiguration

Value = TypeVar("Value")


@dataclass(frozen=True)
class LoraSettings:
    """An adapter to train instead of all weights."""

    rank: int
    alpha: int
    dropout: float
    target_modules: list[str] | None
    quantized: bool


@dataclass(frozen=True)
class DecontaminationSettings:
    """What the model will be measured on, and when a row counts as holding it."""

    datasets: list[Dataset]
    ngram_words: int
    overlap: float


@dataclass(frozen=True)
class Settings:
    """What every stage that updates weights is told."""

    path: str
    """Where these settings stand in the job, for messages."""
    chat_template: str
    datasets: list[Dataset]
    holdout: Holdout | None
    decontamination: DecontaminationSettings | None
    max_length: int
    learning_rate: float
    schedule: str
    warmup: Warmup
    epochs: float | None
    max_steps: int | None
    global_batch_size: int
    optimizer: str
    weight_decay: float
    maximum_gradient_norm: float
    seed: int
    precision: str
    adapter: LoraSettings | None
    save_steps: int
    keep: int
    evaluation_steps: int
    micro_batch_size: int
    sharding: str
    offload: str
    gradient_checkpointing: bool
    on_cpu: bool


@dataclass(frozen=True)
class SftSettings:
    """What supervised fine-tuning adds."""

    packing: bool
    assistant_only_loss: bool


@dataclass(frozen=True)
class DpoSettings:
    """What preference optimization adds."""

    beta: float
    loss: str
    label_smoothing: float
    batching: str


def stage_path(config: RunConfig) -> str:
    """Write where the stage's settings stand in the job."""
    return f"spec.stages[{config.stage_index}].{to_camel(config.stage.kind)}"


def training_settings(config: RunConfig) -> Settings:
    """Give the settings shared by all stages that update weights."""
    stage, path = config.stage, stage_path(config)
    if stage.kind not in RUNNABLE_KINDS:
        raise BadConfiguration(f"{path}: this trainer has no page for such a stage; it runs {', '.join(RUNNABLE_KINDS)}")
    settings = stage.settings
    assert isinstance(settings, TrainingSettings)
    optimization = _given(settings.optimization, f"{path}.optimization")
    checkpoint = _given(settings.checkpoint, f"{path}.checkpoint")
    evaluation = settings.evaluation.every_steps if settings.evaluation else None
    model = _given(config.spec.model, "spec.model")
    result = Settings(
        path=path,
        chat_template=_given(model.chat_template, "spec.model.chatTemplate"),
        datasets=_given(getattr(settings, "datasets", None), f"{path}.datasets"),
        holdout=settings.holdout,
        decontamination=_decontamination(getattr(settings, "decontamination", None), f"{path}.decontamination"),
        max_length=_given(settings.max_length, f"{path}.maxLength"),
        precision=_given(settings.precision, f"{path}.precision"),
        adapter=_adapter(settings.adapter, f"{path}.adapter"),
        save_steps=_given(checkpoint.every_steps, f"{path}.checkpoint.everySteps"),
        keep=_given(checkpoint.keep, f"{path}.checkpoint.keep"),
        evaluation_steps=_given(evaluation, f"{path}.evaluation.everySteps") if settings.holdout else 0,
        **_optimization(optimization, f"{path}.optimization"),
        **_compute(config.compute, path),
    )
    _refuse_impossible(config, path)
    return result


def sft_settings(config: RunConfig) -> SftSettings:
    """Give what supervised fine-tuning adds."""
    path, settings = stage_path(config), config.stage.settings
    assert isinstance(settings, Sft)
    return SftSettings(
        packing=_given(settings.packing, f"{path}.packing"),
        assistant_only_loss=_given(settings.assistant_only_loss, f"{path}.assistantOnlyLoss"),
    )


def dpo_settings(config: RunConfig) -> DpoSettings:
    """Give what preference optimization adds."""
    path, settings = stage_path(config), config.stage.settings
    assert isinstance(settings, PreferenceSettings)
    return DpoSettings(
        beta=_given(settings.beta, f"{path}.beta"),
        loss=_given(settings.loss, f"{path}.loss"),
        label_smoothing=_given(settings.label_smoothing, f"{path}.labelSmoothing"),
        batching=_given(settings.batching, f"{path}.batching"),
    )


def kind_settings(config: RunConfig) -> SftSettings | DpoSettings:
    """Give what this stage's kind adds."""
    return dpo_settings(config) if isinstance(config.stage.settings, Dpo) else sft_settings(config)


def _optimization(optimization: Optimization, path: str) -> dict[str, Any]:
    if optimization.epochs is None and optimization.max_steps is None:
        raise BadConfiguration(f"{path}.epochs: is not set, nor is maxSteps; set one of them")
    return {
        "learning_rate": _given(optimization.learning_rate, f"{path}.learningRate"),
        "schedule": _given(optimization.schedule, f"{path}.schedule"),
        "warmup": _given(optimization.warmup, f"{path}.warmup"),
        "epochs": optimization.epochs,
        "max_steps": optimization.max_steps,
        "global_batch_size": _given(optimization.global_batch_size, f"{path}.globalBatchSize"),
        "optimizer": _given(optimization.optimizer, f"{path}.optimizer"),
        "weight_decay": _given(optimization.weight_decay, f"{path}.weightDecay"),
        "maximum_gradient_norm": _given(optimization.maximum_gradient_norm, f"{path}.maximumGradientNorm"),
        "seed": _given(optimization.seed, f"{path}.seed"),
    }


def _compute(compute: Compute, path: str) -> dict[str, Any]:
    path = path.rpartition(".")[0] + ".compute"
    return {
        "micro_batch_size": _given(compute.micro_batch_size, f"{path}.microBatchSize"),
        "sharding": _given(compute.sharding, f"{path}.sharding"),
        "offload": _given(compute.offload, f"{path}.offload"),
        "gradient_checkpointing": _given(compute.gradient_checkpointing, f"{path}.gradientCheckpointing"),
        "on_cpu": not _given(compute.gpus_per_node, f"{path}.gpusPerNode"),
    }


def _adapter(adapter: Adapter | None, path: str) -> LoraSettings | None:
    if adapter is None or adapter.lora is None:
        return None
    return LoraSettings(
        rank=_given(adapter.lora.rank, f"{path}.lora.rank"),
        alpha=_given(adapter.lora.alpha, f"{path}.lora.alpha"),
        dropout=_given(adapter.lora.dropout, f"{path}.lora.dropout"),
        target_modules=adapter.lora.target_modules,
        quantized=adapter.quantization is not None,
    )


def _refuse_impossible(config: RunConfig, path: str) -> None:
    problems = combination_problems(config.stage, config.compute, path.rpartition(".")[0], path)
    if problems:
        raise BadConfiguration("\n".join(map(str, problems)))


def _decontamination(decontamination: Decontamination | None, path: str) -> DecontaminationSettings | None:
    if decontamination is None:
        return None
    return DecontaminationSettings(
        datasets=decontamination.datasets,
        ngram_words=_given(decontamination.ngram_words, f"{path}.ngramWords"),
        overlap=_given(decontamination.overlap, f"{path}.overlap"),
    )


def _given(value: Value | None, field: str) -> Value:
    if value is None:
        raise BadConfiguration(
            f"{field}: is not set, and the trainer guesses nothing; set it, or have the operator write this file, "
            f"which fills in recipes and defaults"
        )
    return value
