"""Checks what a config.json says of its model: whether this version can build and train it."""

from typing import Any

from alignment_trainer.model_folder.decoders import DECODERS, ENCODER_DECODERS, READ_BOTH_WAYS
from alignment_trainer.model_folder.documents import Unfit

COPY_CONFIG = "copy the config.json that belongs to the weights"

_DTYPES = ("float64", "float32", "float16", "bfloat16")
_MOST_LAYERS = 10_000
_QUANTIZATIONS = ("quantization_config", "compression_config")
SIZES = {
    "vocab_size": ("vocab_size",),
    "hidden_size": ("hidden_size", "n_embd", "n_embed", "d_model"),
    "num_hidden_layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "num_attention_heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    "num_key_value_heads": ("num_key_value_heads", "num_kv_heads"),
    "head_dim": ("head_dim",),
    "intermediate_size": ("intermediate_size", "n_inner", "ffn_dim", "d_ff"),
    "max_position_embeddings": ("max_position_embeddings", "n_positions", "n_ctx"),
}
"""The names that families give to each size, the most common first."""


def check_configuration(config: dict[str, Any]) -> None:
    """Refuse a model that this version cannot build, or cannot train."""
    _check_kind(config)
    _check_quantization(config)
    _check_dtype(config)
    _check_sizes(config)


def size_of(config: dict[str, Any], size: str) -> int | None:
    """Return a size under whatever name the family gives it; None if config.json has none."""
    found = _named(config, size)
    return found[1] if found else None


def _check_kind(config: dict[str, Any]) -> None:
    kind = config.get("model_type")
    if not isinstance(kind, str) or not kind:
        raise Unfit(f"has a config.json without model_type, so its family is unknown; {COPY_CONFIG}")
    if kind in ENCODER_DECODERS or (config.get("is_encoder_decoder") is True and "text_config" not in config):
        raise Unfit(f"is an encoder-decoder (model_type {kind}); only decoders can be trained, so name a decoder")
    if kind in DECODERS or (kind in READ_BOTH_WAYS and config.get("is_decoder") is True):
        return
    if kind in READ_BOTH_WAYS:
        raise Unfit(f"is an encoder (model_type {kind}); only decoders can be trained, so name a decoder")
    if config.get("auto_map"):
        raise Unfit(
            f"needs code of its own (auto_map in config.json, model_type {kind}), which is never run; name a model whose "
            f"family transformers contains"
        )
    raise Unfit(f"has the model_type {kind!r}, which is no decoder that this version knows; name another model, or {COPY_CONFIG}")


def _check_quantization(config: dict[str, Any]) -> None:
    found = next((name for name in _QUANTIZATIONS if config.get(name)), None)
    if found is None:
        return
    content = config[found]
    method = content.get("quant_method") if isinstance(content, dict) else None
    raise Unfit(
        f"has quantized weights ({found} in config.json{f': {method}' if method else ''}), which cannot be trained; name the "
        f"model before quantization, and set adapter.quantization to hold its weights in 4 bit"
    )


def _check_dtype(config: dict[str, Any]) -> None:
    for name in ("dtype", "torch_dtype"):
        value = config.get(name)
        if value is not None and value not in _DTYPES:
            raise Unfit(f"has {name} {value!r} in its config.json, which is none of {', '.join(_DTYPES)}; correct it")


def _check_sizes(config: dict[str, Any]) -> None:
    found = {size: named for size in SIZES if (named := _named(config, size))}
    for name, value in found.values():
        # Some families have one size per layer.
        if not isinstance(value, list) and (type(value) is not int or value < 1):
            raise Unfit(f"has {name} {value!r} in its config.json, which must be a whole number above 0; {COPY_CONFIG}")
    layers = found.get("num_hidden_layers")
    if layers and type(layers[1]) is int and layers[1] > _MOST_LAYERS:
        raise Unfit(f"has {layers[0]} {layers[1]} in its config.json, more than any model; {COPY_CONFIG}")
    padding, rows = config.get("pad_token_id"), size_of(config, "vocab_size")
    if type(padding) is int and type(rows) is int and padding >= rows:
        raise Unfit(f"has pad_token_id {padding} in its config.json, but only {rows} tokens (vocab_size); correct it")
    _check_divides(found, "num_attention_heads", "num_key_value_heads")
    if "head_dim" not in found:
        _check_divides(found, "hidden_size", "num_attention_heads")


def _check_divides(found: dict[str, tuple[str, Any]], of: str, by: str) -> None:
    if of not in found or by not in found:
        return
    (whole, number), (part, parts) = found[of], found[by]
    if type(number) is int and type(parts) is int and number % parts:
        raise Unfit(f"has {whole} {number} in its config.json, which cannot be divided by {part} {parts}; {COPY_CONFIG}")


def _named(config: dict[str, Any], size: str) -> tuple[str, Any] | None:
    return next(((name, config[name]) for name in SIZES[size] if config.get(name) is not None), None)
