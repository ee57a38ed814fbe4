"""A model without weights, and the mapping from the tensors of its files to its parameters."""

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, BitsAndBytesConfig, GenerationConfig
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key
from transformers.quantizers import AutoHfQuantizer

_GENERATION_FILE = "generation_config.json"


class Origin(NamedTuple):
    """The parameter that a tensor of a file belongs to."""

    parameter: str
    is_whole: bool
    """Whether this tensor alone is the parameter, without other tensors."""


def build(folder: Path) -> Any:
    """Build the model that a folder describes, without any weights."""
    configuration = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    # Not with from_config: with sharding it would wait for the other processes.
    with torch.device("meta"):
        model = MODEL_FOR_CAUSAL_LM_MAPPING[type(configuration)](configuration)
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


def without_weights(model: Any, found: dict[str, Origin]) -> Iterator[str]:
    """Yield the names of parameters that have no tensor and are not tied to another parameter."""
    given = {origin.parameter for origin in found.values()}
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    tied = set(getattr(model, "all_tied_weights_keys", None) or {})
    ignored = [re.compile(pattern) for pattern in model._keys_to_ignore_on_load_missing or []]
    for same in names.values():
        if not given.intersection(same) and not tied.intersection(same) and not any(each.search(same[0]) for each in ignored):
            yield same[0]


def quantized_layers(folder: Path, how: BitsAndBytesConfig) -> set[str]:
    """Return the names of the layers that transformers holds in 4 bit when it loads the model with this configuration."""
    from bitsandbytes.nn import Linear4bit

    model = build(folder)
    AutoHfQuantizer.from_config(how, pre_quantized=False).preprocess_model(model=model, device_map={"": "cpu"})
    return {name for name, layer in model.named_modules() if isinstance(layer, Linear4bit)}
