"""Is loaded by the process that ranks are forked from: what each rank would otherwise load, build or search again."""

from importlib import import_module

from alignment_trainer.process.garbage import loading_libraries

LOADED = (
    "alignment_trainer.stages.sft",
    "alignment_trainer.stages.dpo_distillation",
    "alignment_trainer.stages.evaluate",
    "deepspeed",
    "torch.profiler",
    "transformers.models.mistral.modeling_mistral",
)

# Objects that exist afterwards are not searched by the ranks' garbage collector: that would copy all their memory.
with loading_libraries():
    for name in LOADED:
        import_module(name)
    from alignment_trainer.asking import answering
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    # The first call compiles a thousand regular expressions for all families.
    get_checkpoint_conversion_mapping("mistral")

# Each token of an answer costs a forward pass each time that a policy is asked; real attempts generate all of them.
answering.NEW_TOKENS = 16
