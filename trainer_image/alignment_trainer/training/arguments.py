"""Translates a stage's settings to the arguments of transformers that all kinds of training share."""

import math
from pathlib import Path
from typing import Any

from alignment_api.run_config import RunConfig

from alignment_trainer.settings.training import Settings
from alignment_trainer.training.deepspeed import deepspeed_config
from alignment_trainer.workspace.checkpoints import staging_folder

_OPTIMIZERS = {
    "AdamW": "adamw_torch",
    "AdamW8bit": "adamw_bnb_8bit",
    "PagedAdamW32bit": "paged_adamw_32bit",
    "RMSprop": "rmsprop",
}
_SCHEDULES = {"Cosine": "cosine", "Linear": "linear", "Constant": "constant_with_warmup"}
COLLECTIVE_TIMEOUT_SECONDS = 3 * 3600
"""The other processes wait while the first one tokenizes; the operator notices a real stall."""


def training_arguments(config: RunConfig, settings: Settings, is_resumed: bool) -> dict[str, Any]:
    """Return the arguments that do not depend on the kind of stage."""
    return {
        "output_dir": str(staging_folder(Path(config.paths.stage))),
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": _SCHEDULES[settings.schedule],
        "warmup_steps": _warmup(settings),
        "num_train_epochs": settings.epochs or 1,
        "max_steps": settings.max_steps or -1,
        "per_device_train_batch_size": settings.micro_batch_size,
        "per_device_eval_batch_size": settings.micro_batch_size,
        # For transformers a step is one batch; `stepping` does the accumulation.
        "gradient_accumulation_steps": 1,
        "optim": _OPTIMIZERS[settings.optimizer],
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.maximum_gradient_norm,
        "seed": settings.seed,
        "data_seed": settings.seed,
        "bf16": settings.precision == "BFloat16",
        "activation_checkpointing": settings.gradient_checkpointing,
        # With non-reentrant recomputation, DeepSpeed 0.19 miscounts the weights that ZeRO-3 gathers beside an adapter.
        "activation_checkpointing_kwargs": {"use_reentrant": bool(settings.adapter and settings.sharding == "ZeRO3")},
        "deepspeed": deepspeed_config(settings),
        "use_cpu": settings.on_cpu,
        "ddp_timeout": COLLECTIVE_TIMEOUT_SECONDS,
        "logging_steps": 1,
        # Otherwise transformers logs a NaN loss as the average of the losses before it.
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": settings.save_steps,
        "report_to": "none",
        "disable_tqdm": True,
        **_evaluation(settings, is_resumed),
    }


def _evaluation(settings: Settings, is_resumed: bool) -> dict[str, Any]:
    if not settings.holdout:
        return {"eval_strategy": "no"}
    return {"eval_strategy": "steps", "eval_steps": settings.evaluation_steps, "eval_on_start": not is_resumed}


def _warmup(settings: Settings) -> float:
    """Return steps as an integer or a fraction below 1, because transformers tells the two apart in this way."""
    if settings.warmup.fraction is not None:
        return min(settings.warmup.fraction, math.nextafter(1.0, 0.0))
    return int(settings.warmup.steps or 0)
