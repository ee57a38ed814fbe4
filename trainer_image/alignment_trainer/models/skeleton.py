"""A model without its weights, and which tensors of a folder's files become which of its parameters."""

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
    """What a tensor of a file is to the model."""

    parameter: str
    is_whole: bool
    """Whether the parameter is this tensor, and not made of it and others."""


def build(folder: Path) -> Any:
    """Build the model that a folder describes, without any weights."""
    configuration = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    # Not by from_config: where weights are shared out it would call the other processes.
    with torch.device("meta"):
        model = MODEL_FOR_CAUSAL_LM_MAPPING[type(configuration)](configuration)
    if (folder / _GENERATION_FILE).exists():
        model.generation_config = GenerationConfig.from_pretrained(folder)
    return model


def origins(model: Any, names: list[str]) -> dict[str, Origin]:
    """Say what each tensor is to the model, as transformers decides it when it loads them; others it does not read."""
    parts = dict(model.state_dict())
    # They keep what they have seen.
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
    """Name the parameters for which there is no tensor, and which are no other one under a second name."""
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
    """Name the layers that transformers holds in 4 bit when it loads the model so."""
    from bitsandbytes.nn import Linear4bit

    model = build(folder)
    AutoHfQuantizer.from_config(how, pre_quantized=False).preprocess_model(model=model, device_map={"": "cpu"})
    return {name for name, layer in model.named_modules() if isinstance(layer, Linear4bit)}
