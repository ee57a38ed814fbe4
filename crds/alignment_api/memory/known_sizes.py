"""Looks up the sizes of well-known models and GPUs: the operator downloads nothing."""

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
# The device plugin and feature discovery add these if a pod gets a part of a GPU; the names do not always show how large.
_SLICED = re.compile(r"-(MIG|SHARED)(-|$)")
# Not for every GPU: GH200-480GB is named after the memory of its CPU.
_MEMORY_IN_NAME = re.compile(r"(^|-)(A100|A800|H100|H800|V100|P100)(-[A-Z]+\d*)?-(\d+)GB(-|$)")


def known_shape(uri: str) -> ModelShape | None:
    """Return the shape of a well-known model of the Hub; None for others."""
    return _shapes().get(uri.removeprefix(HUB_PREFIX)) if uri.startswith(HUB_PREFIX) else None


def known_base_shape(spec: AlignmentJobSpec) -> ModelShape | None:
    """Return the shape of the model that a job starts from, if it is well-known."""
    return known_shape(spec.model.uri) if spec.model and spec.model.uri else None


def known_models() -> list[dict[str, Any]]:
    """List the well-known models: their names, published parameters and configuration."""
    models: list[dict[str, Any]] = _read("models")
    return models


def accelerator_bytes(product: str) -> int | None:
    """Return the memory of the GPU in a node label; None if it is unknown."""
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
