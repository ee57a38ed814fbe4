"""The number formats of exports: how each is described, stored, and loaded."""

from typing import NamedTuple

from alignment_api.spec.settings.export import UNROUNDED


class Format(NamedTuple):
    """One format."""

    described: str
    dtype: str | None = None
    """The dtype of rounded weights in the files' headers."""
    largest_share: float = 0
    """Of their size in 16 bit that linear layers may have, with their scales."""
    package: str | None = None
    """What transformers needs to load it; vLLM has it."""


_BITS, _COMPRESSED = "bitsandbytes", "compressed-tensors"

FORMATS: dict[str, Format] = {
    UNROUNDED: Format("with its weights as trained"),
    "Int8": Format("in 8 bit (bitsandbytes)", "I8", 0.65, _BITS),
    "Int4": Format("in 4 bit (bitsandbytes, NF4)", "U8", 0.45, _BITS),
    "W8A16": Format("with weights of 8 bit in groups of 128 (compressed-tensors)", "I32", 0.65, _COMPRESSED),
    "W4A16": Format("with weights of 4 bit in groups of 128 (compressed-tensors)", "I32", 0.45, _COMPRESSED),
    "GPTQ": Format("with weights of 4 bit in groups of 128, rounded by GPTQ (compressed-tensors)", "I32", 0.45, _COMPRESSED),
    "FP8": Format("with weights and activations of 8 bit floating point (compressed-tensors)", "F8_E4M3", 0.65, _COMPRESSED),
}
"""By the name that the job gives them."""
