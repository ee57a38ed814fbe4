"""DeepSpeed's configuration (what is sharded, what is kept in host memory), its start and its release."""

import gc
import os
import warnings
from functools import _lru_cache_wrapper
from typing import Any

from transformers.integrations.deepspeed import unset_hf_deepspeed_config

from alignment_trainer.settings.training import Settings

_STAGES = {"ZeRO1": 1, "ZeRO2": 2, "ZeRO3": 3}


def deepspeed_config(settings: Settings) -> dict[str, Any] | None:
    """Return DeepSpeed's configuration; None where nothing is sharded."""
    if settings.sharding == "None":
        return None
    zero: dict[str, Any] = {"stage": _STAGES[settings.sharding], "overlap_comm": not settings.on_cpu}
    if settings.offload != "None":
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": not settings.on_cpu}
    if settings.offload == "OptimizerAndParameters":
        zero["offload_param"] = {"device": "cpu", "pin_memory": not settings.on_cpu}
    if settings.sharding == "ZeRO3":
        # Without the first, saved weights are empty; without the second, small models are never sharded.
        zero["stage3_gather_16bit_weights_on_model_save"] = True
        zero["stage3_param_persistence_threshold"] = 0 if settings.on_cpu else "auto"
        zero["stage3_prefetch_bucket_size"] = "auto"
        zero["reduce_bucket_size"] = "auto"
    return {
        "zero_optimization": zero,
        # We use torch's optimizer: DeepSpeed's own would have to be compiled when training starts.
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "bf16": {"enabled": settings.precision == "BFloat16"},
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
    }


def prepare_environment(settings: Settings) -> None:
    """Prepare DeepSpeed, before its first use, to run without a GPU or a compiler, and without warnings no user can act on."""
    if settings.sharding == "None":
        return
    # DeepSpeed calls collectives by names that torch has deprecated.
    warnings.filterwarnings(
        "ignore", r"`torch\.distributed\.\w+` is deprecated", FutureWarning, r"torch\.distributed\.c10d_logger"
    )
    if not settings.on_cpu:
        return
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import deepspeed

    # A shared-memory kernel for CPUs that would be compiled at the start; torch's gloo does not need it.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False


def initialize(settings: Settings) -> None:
    """Connect the processes on CPUs, before the model is loaded: ZeRO-3 shards it while it is read."""
    if settings.sharding != "None" and settings.on_cpu:
        import deepspeed

        deepspeed.init_distributed(dist_backend="gloo")


def load_whole() -> None:
    """Let models be loaded whole on each process: after a training with ZeRO-3, transformers would shard the next one too."""
    unset_hf_deepspeed_config()


def release(trainer: Any) -> None:
    """Free the model from DeepSpeed, whose hooks and module-level caches would hold it until the process ends."""
    engine = getattr(trainer, "deepspeed", None)
    if engine is None:
        return
    from deepspeed.runtime.zero import parameter_offload

    engine.destroy()
    parameter_offload.FWD_MODULE_STACK.clear()
    # What is left out of the search for garbage is also left out of this list.
    gc.unfreeze()
    for cached in gc.get_objects():
        # Not isinstance: on some of these objects, reading __class__ prints a warning.
        if type(cached) is _lru_cache_wrapper and str(cached.__module__).startswith("deepspeed."):
            cached.cache_clear()
