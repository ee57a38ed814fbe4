"""Is loaded by the process that ranks are forked from: what each rank would otherwise load, build or search again."""

import gc

from alignment_trainer.process.garbage import loading_libraries

# Objects that exist afterwards are not searched by the ranks' garbage collector: that would copy all their memory.
with loading_libraries():
    import deepspeed  # noqa: F401
    import torch.profiler  # noqa: F401
    import transformers.models.mistral.modeling_mistral  # noqa: F401
    from alignment_trainer.asking import answering
    from alignment_trainer.stages import dpo_distillation, evaluate, sft  # noqa: F401
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

# Each token of an answer costs a forward pass each time that a policy is asked; real attempts generate all of them.
answering.NEW_TOKENS = 16
# The first call compiles a thousand regular expressions for all families.
get_checkpoint_conversion_mapping("mistral")
gc.collect()
gc.freeze()
