"""The sizes of well-known models and GPUs, which the operator can only look up."""

import re
from functools import cache
from importlib.resources import files
from typing import Any

from alignment_api.document import parse_document
from alignment_api.memory.shape import ModelShape, shape_of
from alignment_api.names import HUB_PREFIX
from alignment_api.spec.job import AlignmentJobSpec

_FOLDER = files("alignment_api").joinpath("sizes")
_MEBIBYTE = 2**20
# The device plugin and feature discovery add these where a pod gets a part of a GPU; how large a part, they do not say alike.
_SLICED = re.compile(r"-(MIG|SHARED)(-|$)")
# Not of every GPU: GH200-480GB is named after the memory of its CPU.
_MEMORY_IN_NAME = re.compile(r"(^|-)(A100|A800|H100|H800|V100|P100)(-[A-Z]+\d*)?-(\d+)GB(-|$)")


def known_shape(uri: str) -> ModelShape | None:
    """Give the shape of a model of the Hub, where it is a well-known one."""
    return _shapes().get(uri.removeprefix(HUB_PREFIX)) if uri.startswith(HUB_PREFIX) else None


def known_base_shape(spec: AlignmentJobSpec) -> ModelShape | None:
    """Give the shape of the model that a job begins with, where it is a well-known one."""
    return known_shape(spec.model.uri) if spec.model and spec.model.uri else None


def known_models() -> list[dict[str, Any]]:
    """List the well-known models: their names, published parameters and configuration."""
    models: list[dict[str, Any]] = _read("models")
    return models


def accelerator_bytes(product: str) -> int | None:
    """Give the memory of the GPU that a node label names; None where that cannot be told."""
    if _SLICED.search(product):
        return None
    in_name = _MEMORY_IN_NAME.search(product)
    mebibytes = int(in_name[4]) * 1024 if in_name else _read("accelerators").get(product)
    return mebibytes * _MEBIBYTE if mebibytes else None


@cache
def _shapes() -> dict[str, ModelShape]:
    return {name: shape_of(model["config"]) for model in known_models() for name in model["names"]}


@cache
def _read(name: str) -> Any:
    return parse_document(_FOLDER.joinpath(f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml")
