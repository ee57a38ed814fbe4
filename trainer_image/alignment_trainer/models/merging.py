"""Merges an adapter into its base weights, one tensor at a time, from file to file."""

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel
from peft.tuners.lora import LoraLayer
from safetensors import safe_open

from alignment_trainer.failures import BadConfiguration
from alignment_trainer.model_folder.matching import Origin
from alignment_trainer.models import skeleton
from alignment_trainer.models.loading import quantization, weights_dtype
from alignment_trainer.models.tensor_files import ModelWriter, StoredTensor, as_written, stored_tensors
from alignment_trainer.settings.training import Settings
from alignment_trainer.workspace.activity import advancing

_WEIGHT = ".weight"
_ADAPTER = "default"
_HALVES = ("lora_A", "lora_B")


def check(start: Path, settings: Settings) -> None:
    """Refuse weights into which an adapter cannot be merged, before the adapter is trained."""
    if settings.adapter is None:
        return
    model = skeleton.build(start)
    found = skeleton.origins(model, [tensor.name for tensor in stored_tensors(start)])
    parts = {origin.parameter for origin in found.values() if not origin.is_whole}
    for layer in _linear_layers(model, settings):
        if f"{layer}{_WEIGHT}" in parts:
            raise BadConfiguration(
                f"{settings.path}.adapter: {layer} is built from several tensors of the files in {start}, and this "
                f"version cannot merge an adapter into it; name other layers in lora.targetModules, or train all weights"
            )


def merge(start: Path, adapter: Path, settings: Settings, target: Path, device: torch.device) -> None:
    """Write the merged model to a folder; 4-bit rounding runs on `device`, as in training."""
    model = skeleton.build(start)
    found = skeleton.origins(model, [tensor.name for tensor in stored_tensors(start)])
    tensors = [tensor for tensor in stored_tensors(start) if tensor.name in found]
    merger = _Merger(Adapter(model, adapter), _rounded_layers(start, settings), settings, device)
    _save_description(model, merger.dtype, target)
    with (
        advancing("merging the adapter", sum(tensor.size for tensor in tensors), "bytes") as advance,
        ModelWriter(target, [as_written(tensor, merger.dtype) for tensor in tensors]) as writer,
    ):
        for tensor in tensors:
            for piece in merger.content(tensor, found[tensor.name]):
                writer.write(piece)
            advance(tensor.size)
    assert sorted(merger.merged) == sorted(merger.adapter.names), "each adapted layer is merged exactly once"


class _Merger:
    """Converts each tensor of the base weights to its content in the merged model."""

    def __init__(self, adapter: "Adapter", rounded: set[str], settings: Settings, device: torch.device) -> None:
        self.adapter = adapter
        self.dtype = weights_dtype(settings)
        self.merged: list[str] = []
        self._rounded = rounded
        self._settings = settings
        self._device = device

    def content(self, tensor: StoredTensor, origin: Origin) -> Iterator[Any]:
        """Yield the bytes to write, piece by piece."""
        layer = _layer_of(origin, self.adapter.names | self._rounded)
        if layer is None:
            yield from _cast(tensor, self.dtype)
            return
        yield _content(self._layer(tensor, layer))
        _release_freed_memory()

    def _layer(self, tensor: StoredTensor, layer: str) -> torch.Tensor:
        """Add the learned update in 32 bit to the weights as training saw them: in its dtype, or rounded to 4 bit."""
        weight = tensor.read().to(self.dtype)
        if layer in self._rounded:
            weight = _rounded(weight, self._settings, self._device).to(self.dtype)
        if layer not in self.adapter.names:
            return weight
        self.merged.append(layer)
        # In place on the update, which saves a copy; the sum is the same in either order.
        return self.adapter.learned(layer).add_(weight).to(self.dtype)


def _release_freed_memory() -> None:
    """Make the C library return freed memory, which it would keep for later allocations of the same size."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)


def _linear_layers(model: Any, settings: Settings) -> Iterator[str]:
    """Yield the names of the layers to adapt, or of all linear layers if they are held in 4 bit."""
    assert settings.adapter is not None
    wanted = None if settings.adapter.quantized else settings.adapter.target_modules
    head = model.get_output_embeddings()
    for name, layer in model.named_modules():
        is_wanted = not wanted or any(name == each or name.endswith(f".{each}") for each in wanted)
        if isinstance(layer, torch.nn.Linear) and layer is not head and is_wanted:
            yield name


def _rounded_layers(start: Path, settings: Settings) -> set[str]:
    how = quantization(settings)
    return skeleton.quantized_layers(start, how) if how else set()


def _save_description(model: Any, dtype: torch.dtype, target: Path) -> None:
    model.config.dtype = str(dtype).removeprefix("torch.")
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(target)
    if model.can_generate():
        model.generation_config.save_pretrained(target)


class Adapter:
    """An adapter's file with a model without weights, from which PEFT computes the update of each layer."""

    def __init__(self, model: Any, folder: Path) -> None:
        PeftModel(model, PeftConfig.from_pretrained(str(folder)))
        self._file = folder / "adapter_model.safetensors"
        self._layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
        self.names = set(self._layers)
        with safe_open(self._file, framework="pt") as file:
            halves = set(file.keys())
        expected = {_half(name, which) for name in self.names for which in _HALVES}
        assert halves == expected, f"the adapter's file and its layers differ in {sorted(halves ^ expected)[:3]}"

    def learned(self, name: str) -> torch.Tensor:
        """Compute the learned update of one layer, in 32 bit."""
        layer = self._layers[name]
        with safe_open(self._file, framework="pt") as file:
            for which in _HALVES:
                half = file.get_tensor(_half(name, which)).to(torch.float32)
                getattr(layer, which)[_ADAPTER].weight = torch.nn.Parameter(half, requires_grad=False)
        learned: torch.Tensor = layer.get_delta_weight(_ADAPTER)
        for which in _HALVES:
            getattr(layer, which)[_ADAPTER].to("meta")
        return learned


def _half(layer: str, which: str) -> str:
    return f"base_model.model.{layer}.{which}.weight"


def _layer_of(origin: Origin, layers: set[str]) -> str | None:
    layer = origin.parameter.removesuffix(_WEIGHT)
    if layer == origin.parameter or layer not in layers:
        return None
    assert origin.is_whole, f"{origin.parameter} is not made of one tensor"
    return layer


def _rounded(weight: torch.Tensor, settings: Settings, device: torch.device) -> torch.Tensor:
    """Round to 4 bit and back, because the adapter was trained with the rounded weights."""
    try:
        return _round_trip(weight, settings, device)
    except torch.cuda.OutOfMemoryError:
        print("the GPU has too little free memory for one layer; it is rounded on the CPU", file=sys.stderr, flush=True)
        return _round_trip(weight, settings, torch.device("cpu"))


def _round_trip(weight: torch.Tensor, settings: Settings, device: torch.device) -> torch.Tensor:
    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn import Params4bit

    how = quantization(settings)
    assert how is not None
    held = Params4bit(
        weight,
        requires_grad=False,
        compress_statistics=how.bnb_4bit_use_double_quant,
        quant_type=how.bnb_4bit_quant_type,
        quant_storage=how.bnb_4bit_quant_storage,
    ).to(device)
    whole: torch.Tensor = dequantize_4bit(held.data, held.quant_state).cpu()
    return whole


def _cast(tensor: StoredTensor, dtype: torch.dtype) -> Iterator[Any]:
    """Yield a tensor's content piece by piece, converted to another dtype."""
    for piece in tensor.pieces():
        if tensor.dtype in (None, dtype):
            yield piece
        else:
            yield _content(torch.frombuffer(piece, dtype=tensor.dtype).to(dtype))


def _content(tensor: torch.Tensor) -> Any:
    return tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().data
