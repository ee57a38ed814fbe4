"""Reads the settings of the stages that train; refuses missing values and impossible combinations with a sentence."""

from dataclasses import dataclass
from typing import Any

from alignment_api.run_config import RunConfig
from alignment_api.spec.combinations import combination_problems
from alignment_api.spec.compute import Compute
from alignment_api.spec.data import Dataset, Decontamination, Holdout
from alignment_api.spec.optimization import Adapter, Optimization, Warmup
from alignment_api.spec.stages import DpoDistillation, PreferenceSettings, Sft, TrainingSettings

from alignment_trainer.failures import BadConfiguration
from alignment_trainer.settings.given import given, stage_path


@dataclass(frozen=True)
class LoraSettings:
    """The adapter that is trained instead of all weights."""

    rank: int
    alpha: int
    dropout: float
    target_modules: list[str] | None
    quantized: bool


@dataclass(frozen=True)
class DecontaminationSettings:
    """The evaluation sets, and how much of a text a training row must hold to be dropped."""

    datasets: list[Dataset]
    ngram_words: int
    overlap: float


@dataclass(frozen=True)
class Settings:
    """The settings of every stage that updates weights."""

    path: str
    """The field of these settings in the job, for messages."""
    chat_template: str
    datasets: list[Dataset]
    datasets_path: str
    """Their field in the job."""
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
    """The settings that supervised fine-tuning adds."""

    packing: bool
    assistant_only_loss: bool


@dataclass(frozen=True)
class DpoSettings:
    """The settings that preference optimization adds."""

    beta: float
    loss: str
    label_smoothing: float
    batching: str


def training_settings(config: RunConfig) -> Settings:
    """Return the settings shared by all stages that update weights."""
    stage, path = config.stage, stage_path(config)
    settings = stage.settings
    assert isinstance(settings, TrainingSettings)
    optimization = given(settings.optimization, f"{path}.optimization")
    checkpoint = given(settings.checkpoint, f"{path}.checkpoint")
    evaluation = settings.evaluation.every_steps if settings.evaluation else None
    model = given(config.spec.model, "spec.model")
    field = "prompts" if isinstance(settings, DpoDistillation) else "datasets"
    result = Settings(
        path=path,
        chat_template=given(model.chat_template, "spec.model.chatTemplate"),
        datasets=given(getattr(settings, field, None), f"{path}.{field}"),
        datasets_path=f"{path}.{field}",
        holdout=settings.holdout,
        decontamination=_decontamination(getattr(settings, "decontamination", None), f"{path}.decontamination"),
        max_length=given(settings.max_length, f"{path}.maxLength"),
        precision=given(settings.precision, f"{path}.precision"),
        adapter=_adapter(settings.adapter, f"{path}.adapter"),
        save_steps=given(checkpoint.every_steps, f"{path}.checkpoint.everySteps"),
        keep=given(checkpoint.keep, f"{path}.checkpoint.keep"),
        evaluation_steps=given(evaluation, f"{path}.evaluation.everySteps") if settings.holdout else 0,
        **_optimization(optimization, f"{path}.optimization"),
        **_compute(config.compute, path),
    )
    _refuse_impossible(config, path)
    return result


def sft_settings(config: RunConfig) -> SftSettings:
    """Return the settings that supervised fine-tuning adds."""
    path, settings = stage_path(config), config.stage.settings
    assert isinstance(settings, Sft)
    return SftSettings(
        packing=given(settings.packing, f"{path}.packing"),
        assistant_only_loss=given(settings.assistant_only_loss, f"{path}.assistantOnlyLoss"),
    )


def dpo_settings(config: RunConfig) -> DpoSettings:
    """Return the settings that preference optimization adds."""
    path, settings = stage_path(config), config.stage.settings
    assert isinstance(settings, PreferenceSettings)
    return DpoSettings(
        beta=given(settings.beta, f"{path}.beta"),
        loss=given(settings.loss, f"{path}.loss"),
        label_smoothing=given(settings.label_smoothing, f"{path}.labelSmoothing"),
        batching=given(settings.batching, f"{path}.batching"),
    )


def _optimization(optimization: Optimization, path: str) -> dict[str, Any]:
    if optimization.epochs is None and optimization.max_steps is None:
        raise BadConfiguration(f"{path}.epochs: neither epochs nor maxSteps is set; set one of them")
    return {
        "learning_rate": given(optimization.learning_rate, f"{path}.learningRate"),
        "schedule": given(optimization.schedule, f"{path}.schedule"),
        "warmup": given(optimization.warmup, f"{path}.warmup"),
        "epochs": optimization.epochs,
        "max_steps": optimization.max_steps,
        "global_batch_size": given(optimization.global_batch_size, f"{path}.globalBatchSize"),
        "optimizer": given(optimization.optimizer, f"{path}.optimizer"),
        "weight_decay": given(optimization.weight_decay, f"{path}.weightDecay"),
        "maximum_gradient_norm": given(optimization.maximum_gradient_norm, f"{path}.maximumGradientNorm"),
        "seed": given(optimization.seed, f"{path}.seed"),
    }


def _compute(compute: Compute, path: str) -> dict[str, Any]:
    path = path.rpartition(".")[0] + ".compute"
    return {
        "micro_batch_size": given(compute.micro_batch_size, f"{path}.microBatchSize"),
        "sharding": given(compute.sharding, f"{path}.sharding"),
        "offload": given(compute.offload, f"{path}.offload"),
        "gradient_checkpointing": given(compute.gradient_checkpointing, f"{path}.gradientCheckpointing"),
        "on_cpu": not given(compute.gpus_per_node, f"{path}.gpusPerNode"),
    }


def _adapter(adapter: Adapter | None, path: str) -> LoraSettings | None:
    if adapter is None or adapter.lora is None:
        return None
    return LoraSettings(
        rank=given(adapter.lora.rank, f"{path}.lora.rank"),
        alpha=given(adapter.lora.alpha, f"{path}.lora.alpha"),
        dropout=given(adapter.lora.dropout, f"{path}.lora.dropout"),
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
        ngram_words=given(decontamination.ngram_words, f"{path}.ngramWords"),
        overlap=given(decontamination.overlap, f"{path}.overlap"),
    )
