"""What DeepSpeed is told: which parts of training the processes share out, and what is kept in host memory."""

import gc
import os
import warnings
from functools import _lru_cache_wrapper
from typing import Any

from alignment_trainer.settings.training import Settings

_STAGES = {"ZeRO1": 1, "ZeRO2": 2, "ZeRO3": 3}


def deepspeed_config(settings: Settings) -> dict[str, Any] | None:
    """Write DeepSpeed's configuration; None where every process holds everything."""
    if settings.sharding == "None":
        return None
    zero: dict[str, Any] = {"stage": _STAGES[settings.sharding], "overlap_comm": not settings.on_cpu}
    if settings.offload != "None":
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": not settings.on_cpu}
    if settings.offload == "OptimizerAndParameters":
        zero["offload_param"] = {"device": "cpu", "pin_memory": not settings.on_cpu}
    if settings.sharding == "ZeRO3":
        # Without the first, saved weights are empty; without the second, small models are never shared out.
        zero["stage3_gather_16bit_weights_on_model_save"] = True
        zero["stage3_param_persistence_threshold"] = 0 if settings.on_cpu else "auto"
        zero["stage3_prefetch_bucket_size"] = "auto"
        zero["reduce_bucket_size"] = "auto"
    return {
        "zero_optimization": zero,
        # The optimizer is torch's own: DeepSpeed's would have to be compiled when training starts.
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "bf16": {"enabled": settings.precision == "BFloat16"},
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
    }


def prepare_environment(settings: Settings) -> None:
    """Make DeepSpeed run where there is neither a GPU nor a compiler, and without its noise; before its first use."""
    if settings.sharding == "None":
        return
    # DeepSpeed calls collectives by names that torch will give up; nothing a user could act on.
    warnings.filterwarnings(
        "ignore", r"`torch\.distributed\.\w+` is deprecated", FutureWarning, r"torch\.distributed\.c10d_logger"
    )
    if not settings.on_cpu:
        return
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import deepspeed

    # A shared-memory kernel for CPUs, which would be compiled at the start; torch's gloo does without.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False


def initialize(settings: Settings) -> None:
    """Connect the processes on CPUs before the model is loaded: ZeRO-3 shares it out while it is read."""
    if settings.sharding != "None" and settings.on_cpu:
        import deepspeed

        deepspeed.init_distributed(dist_backend="gloo")


def release(trainer: Any) -> None:
    """Have DeepSpeed let go of the model: its hooks, and what its modules remember, would keep it to the end of the process."""
    engine = getattr(trainer, "deepspeed", None)
    if engine is None:
        return
    from deepspeed.runtime.zero import parameter_offload

    engine.destroy()
    parameter_offload.FWD_MODULE_STACK.clear()
    for remembered in gc.get_objects():
        # Not isinstance: asking some of these objects for their class warns.
        if type(remembered) is _lru_cache_wrapper and str(remembered.__module__).startswith("deepspeed."):
            remembered.cache_clear()
