"""Is loaded by the process that ranks are forked from: what each rank would otherwise load, build or search again."""

import gc

import torch.profiler  # noqa: F401
import transformers.models.mistral.modeling_mistral  # noqa: F401
from alignment_trainer.asking import answering
from transformers.conversion_mapping import get_checkpoint_conversion_mapping

# Each token of an answer costs a forward pass each time that a policy is asked; real attempts generate all of them.
answering.NEW_TOKENS = 16
# The first call compiles a thousand regular expressions for all families.
get_checkpoint_conversion_mapping("mistral")
# Objects that exist now are not searched by the ranks' garbage collector: that would copy all their memory.
gc.collect()
gc.freeze()
