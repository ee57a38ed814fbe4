"""Loads what a stage starts from: weights as safetensors, a tokenizer with its chat template, an adapter to train."""

import inspect
import json
from pathlib import Path
from typing import Any

import torch
from alignment_api.combinations import packing_problem
from alignment_api.names import MANIFEST_FILE
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, set_seed
from trl.chat_template_utils import get_training_chat_template

from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.settings import Settings
from alignment_trainer.templates import NAMED, template_hash
from alignment_trainer.tokens import marks_answers


def load_tokenizer(folder: Path, settings: Settings, needs_marks: bool) -> Any:
    """Load the tokenizer and give it the chat template that the job names."""
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if tokenizer.eos_token_id is None:
        raise BadData(f"{folder}: the tokenizer has no eos_token, so no answer could ever end; add one to it")
    if settings.chat_template in NAMED:
        tokenizer.chat_template = NAMED[settings.chat_template]
    elif tokenizer.chat_template and needs_marks and not marks_answers(tokenizer.chat_template):
        tokenizer.chat_template = _marked_template(tokenizer)
    # Padding is told from content by length alone, so it may look like the end of a text.
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    tokenizer.padding_side = "right"
    _check_parent_template(folder, tokenizer)
    return tokenizer


def load_model(folder: Path, settings: Settings) -> Any:
    """Load the weights in the number format that the stage trains in."""
    configuration = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    longest = getattr(configuration, "max_position_embeddings", None)
    if longest and settings.max_length > longest:
        raise BadConfiguration(
            f"{settings.path}.maxLength: {settings.max_length} is more than the {longest} tokens this model can read; lower it"
        )
    # The adapter that may be put beside the weights begins at random numbers, the same wherever the stage runs.
    set_seed(settings.seed)
    return AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=weights_dtype(settings),
        quantization_config=quantization(settings),
        trust_remote_code=False,
        use_safetensors=True,
    )


def weights_dtype(settings: Settings) -> torch.dtype:
    """Choose the number format that weights are held in."""
    if settings.precision == "Float32":
        return torch.float32
    # Updates as small as 5e-7 vanish in 16 bit: weights that are trained themselves stay in 32 and are only computed with
    # in 16. DeepSpeed keeps such a copy of its own, and beside an adapter the weights are not trained.
    return torch.bfloat16 if settings.adapter or settings.sharding != "None" else torch.float32


def quantization(settings: Settings) -> BitsAndBytesConfig | None:
    """Describe the 4-bit form of weights that are only read."""
    if not settings.adapter or not settings.adapter.quantized:
        return None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if settings.precision == "BFloat16" else torch.float32,
    )


def lora(settings: Settings, model: Any) -> LoraConfig | None:
    """Describe the adapter to train."""
    if not settings.adapter:
        return None
    targets, layers = settings.adapter.target_modules, linear_layers(model)
    unknown = [target for target in targets or [] if target.rpartition(".")[2] not in layers]
    if unknown:
        raise BadConfiguration(
            f"{settings.path}.adapter.lora.targetModules: the model has no layer {unknown[0]} that could be adapted; "
            f"name some of {', '.join(layers)}, or leave targetModules out"
        )
    return LoraConfig(
        r=settings.adapter.rank,
        lora_alpha=settings.adapter.alpha,
        lora_dropout=settings.adapter.dropout,
        target_modules=targets or layers,
        task_type="CAUSAL_LM",
    )


def with_adapter(model: Any, adapter: LoraConfig | None, settings: Settings) -> Any:
    """Put an adapter beside the weights, which are only read from then on."""
    if adapter is None:
        return model
    quantized = bool(settings.adapter and settings.adapter.quantized)
    # ZeRO-3 gathers weights of one number format only; elsewhere adapters are trained in 32 bit.
    adapted = get_peft_model(model, adapter, autocast_adapter_dtype=quantized or settings.sharding != "ZeRO3")
    if quantized:
        # As the authors of QLoRA do (arXiv 2305.14314, section 3).
        for weight in adapted.parameters():
            weight.data = weight.data.to(torch.bfloat16) if weight.requires_grad else weight.data
    if settings.gradient_checkpointing:
        adapted.enable_input_require_grads()
    return adapted


def linear_layers(model: Any) -> list[str]:
    """Find what the model's linear layers are called; the head is none of them."""
    head = model.get_output_embeddings()
    return sorted(
        {
            name.rpartition(".")[2]
            for name, layer in model.named_modules()
            if isinstance(layer, torch.nn.Linear) and layer is not head
        }
    )


def check_packing(model: Any, settings: Settings) -> None:
    """Refuse to pack for a model that would let the examples of a row see each other."""
    if "position_ids" not in inspect.signature(model.base_model.forward).parameters:
        raise BadConfiguration(str(packing_problem(settings.path, model.config.model_type)))


def check_vocabulary(model: Any, tokenizer: Any) -> None:
    """Refuse a tokenizer that knows more tokens than the model."""
    rows = model.config.get_text_config().vocab_size
    if len(tokenizer) > rows:
        raise BadData(f"the tokenizer has {len(tokenizer)} tokens and the model only {rows}; copy the tokenizer made for it")


def _marked_template(tokenizer: Any) -> str:
    try:
        template = get_training_chat_template(tokenizer)
    except ValueError as error:
        raise BadConfiguration(
            "spec.model.chatTemplate: the tokenizer's own template does not mark answers with {% generation %}, so "
            "assistantOnlyLoss cannot tell them; choose Zephyr or ChatML, or set assistantOnlyLoss to false"
        ) from error
    return str(template or tokenizer.chat_template)


def _check_parent_template(folder: Path, tokenizer: Any) -> None:
    manifest = folder.parent / MANIFEST_FILE
    if not manifest.exists() or "templateHash" not in (document := json.loads(manifest.read_text())):
        return
    if document["templateHash"] != template_hash(tokenizer.chat_template):
        raise BadConfiguration(
            "spec.model.chatTemplate: the stage before was trained with another template, and its model would not "
            "understand this one; use the same template in all stages"
        )
