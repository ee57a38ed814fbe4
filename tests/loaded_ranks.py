"""Is loaded by the process that ranks and other programs are forked from: what each would otherwise load, build or search again.

Modules that run as programs are not among them: Python warns when such a module is there already.
"""

import warnings
from importlib import import_module

from alignment_trainer.process.garbage import loading_libraries

LOADED = (
    "alignment_operator.commands.run",
    "alignment_operator.commands.sync",
    "alignment_trainer.stages.sft",
    "alignment_trainer.stages.dpo_distillation",
    "alignment_trainer.stages.evaluate",
    "alignment_trainer.supervisor",
    "deepspeed",
    "mlflow.cli",
    "mlflow.server.fastapi_app",
    "mlflow.store.tracking.sqlalchemy_store",
    "torch.distributed.run",
    "torch.profiler",
    "transformers.models.mistral.modeling_mistral",
    "uvicorn.main",
)

# Objects that exist afterwards are not searched by the ranks' garbage collector: that would copy all their memory.
with loading_libraries(), warnings.catch_warnings():
    # A library that uses what another one will remove: tests cannot act on that.
    warnings.simplefilter("ignore")
    for name in LOADED:
        import_module(name)
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    # The first call compiles a thousand regular expressions for all families.
    get_checkpoint_conversion_mapping("mistral")
