"""A model without weights, and the mapping from the tensors of its files to its parameters."""

import re
from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, BitsAndBytesConfig, GenerationConfig
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key
from transformers.quantizers import AutoHfQuantizer

from alignment_trainer.model_folder.matching import Origin
from alignment_trainer.model_folder.tensors import Wanted

_GENERATION_FILE = "generation_config.json"
_OLD_BUFFERS = (r"rotary_emb\.inv_freq", r"(^|\.)position_ids$")
"""Buffers in files of earlier versions, which transformers computes itself."""


def build(folder: Path) -> Any:
    """Build the model that a folder describes, without any weights."""
    configuration = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    kind = MODEL_FOR_CAUSAL_LM_MAPPING[type(configuration)]
    # As from_pretrained does for the decoder of a model that also reads images.
    if kind.config_class == configuration.sub_configs.get("text_config"):
        configuration = configuration.get_text_config()
    # Not with from_config: with sharding it would wait for the other processes.
    with torch.device("meta"):
        model = kind(configuration)
    if (folder / _GENERATION_FILE).exists():
        model.generation_config = GenerationConfig.from_pretrained(folder)
    return model


def origins(model: Any, names: list[str]) -> dict[str, Origin]:
    """Return the origin of each tensor's parameter, as transformers maps it when it loads them; unread tensors are left out."""
    parts = dict(model.state_dict())
    # They keep state from earlier calls.
    transforms = deepcopy(get_model_conversion_mapping(model))
    renamings = [each for each in transforms if isinstance(each, WeightRenaming)]
    converters = [each for each in transforms if isinstance(each, WeightConverter)]
    found = {}
    for name in names:
        parameter, pattern = rename_source_key(name, renamings, converters, model.base_model_prefix, parts)
        if parameter not in parts and name in parts:
            parameter, pattern = rename_source_key(name, [], [], model.base_model_prefix, parts)
        if parameter in parts:
            found[name] = Origin(parameter, pattern is None)
    return found


def wanted(model: Any, folder: Path) -> Wanted:
    """Return the tensors that a model needs, and which others transformers leaves unread on purpose."""
    buffers = {name for name, _ in model.named_buffers()}
    may_miss = [re.compile(pattern) for pattern in model._keys_to_ignore_on_load_missing or []]
    shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    first, beside = _split(model, shapes)
    # The decoder of a model that also reads images is loaded alone; the tensors of the other parts are not its own.
    is_a_part = type(model.config) is not type(AutoConfig.from_pretrained(folder, trust_remote_code=False))
    ignored = {".*"} if is_a_part else {*(model._keys_to_ignore_on_load_unexpected or []), *_OLD_BUFFERS}
    return Wanted(
        shapes=shapes,
        same=(*_shared(model), *map(frozenset, (getattr(model, "all_tied_weights_keys", None) or {}).items())),
        optional=frozenset(name for name in shapes if name in buffers | beside or any(each.search(name) for each in may_miss)),
        split=frozenset(first),
        ignored="|".join(f"({pattern})" for pattern in sorted(ignored)),
    )


def _split(model: Any, shapes: Iterable[str]) -> tuple[set[str], set[str]]:
    """Return the parameters that one tensor of a file is split into: the first of each such tensor, and the others."""
    targets = [each.target_patterns for each in get_model_conversion_mapping(model) if isinstance(each, WeightConverter)]
    several = [patterns for patterns in targets if len(patterns) > 1]
    first = {name for name in shapes if any(patterns[0] in name for patterns in several)}
    return first, {name for name in shapes if any(pattern in name for patterns in several for pattern in patterns[1:])}


def _shared(model: Any) -> Iterator[frozenset[str]]:
    """Yield the names of each parameter that has several."""
    names: dict[int, set[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), set()).add(name)
    yield from (frozenset(same) for same in names.values() if len(same) > 1)


def quantized_layers(folder: Path, how: BitsAndBytesConfig) -> set[str]:
    """Return the names of the layers that transformers holds in 4 bit when it loads the model with this configuration."""
    from bitsandbytes.nn import Linear4bit

    model = build(folder)
    AutoHfQuantizer.from_config(how, pre_quantized=False).preprocess_model(model=model, device_map={"": "cpu"})
    return {name for name, layer in model.named_modules() if isinstance(layer, Linear4bit)}
