"""The settings of stages that write a model for serving."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alignment_api.schema import FieldRule, Rule, Schema
from alignment_api.spec.data import Dataset
from alignment_api.spec.settings.synthesis import Seed

Quantization = Literal["None", "Int8", "Int4", "W8A16", "W4A16", "GPTQ", "FP8"]
UNROUNDED: Quantization = "None"
"""The format whose weights stay as trained."""
CALIBRATED: tuple[Quantization, ...] = ("GPTQ",)
"""Formats whose rounding depends on texts."""
COMPRESSED: tuple[Quantization, ...] = ("W8A16", "W4A16", "GPTQ", "FP8")
"""Formats that need the trainer's extra for compression."""

GROUPED: tuple[Quantization, ...] = ("W8A16", "W4A16", "GPTQ")
"""Formats in which groups of weights share a scale, so that all rows must be divisible by a group."""


class Proof(Schema):
    """The written folder, loaded again in a fresh process, against the original; the stage fails beyond a limit."""

    dataset: Annotated[Dataset, Field(description="Texts or dialogues on which both models are compared.")]
    maximum_tokens: Annotated[
        int | None, Field(ge=16, le=100_000_000, description="At most so many tokens of them, from the first on.")
    ] = None
    maximum_divergence: Annotated[
        float | None, Field(gt=0, le=100, description="Largest mean KL divergence per token from the original, in nats.")
    ] = None
    maximum_perplexity_increase: Annotated[
        float | None, Field(gt=0, le=1000, description="Largest increase of perplexity, as a share: 0.05 allows 5 %.")
    ] = None
    minimum_agreement: Annotated[
        float | None, Field(ge=0, le=1, description="Smallest share of tokens for which both find the same one likeliest.")
    ] = None


_DESTINATION = r"(hf://[A-Za-z0-9._-]+/[A-Za-z0-9._-]+|s3://[a-z0-9.-]+/.+|workspace://[^/ ].*)"


def _is_destination(uri: str) -> bool:
    return re.fullmatch(_DESTINATION, uri) is not None and ".." not in uri and not uri.endswith(("/", " "))


Destination = Annotated[
    str,
    Field(max_length=512),
    FieldRule(
        f"self.matches(r'^{_DESTINATION}$') && !self.contains('..') && !self.endsWith('/') && !self.endsWith(' ')",
        _is_destination,
        "must be hf://owner/name, s3://bucket/prefix or workspace://folder, without '..' and without / or a space at its end",
    ),
]


class Export(Schema):
    """Write the model for serving, optionally quantized, and prove what was written."""

    rules: ClassVar = (
        Rule(
            "!has(self.quantization) || (self.quantization == 'GPTQ') == has(self.calibration)",
            lambda export: export.quantization is None or (export.quantization in CALIBRATED) == (export.calibration is not None),
            "GPTQ needs calibration, the texts by which weights are rounded; no other quantization has it",
        ),
    )

    quantization: Annotated[
        Quantization | None,
        Field(
            description="Number format of the written weights. Int8 and Int4 are bitsandbytes'; W8A16, W4A16, GPTQ (4 bit) and "
            "FP8 are compressed-tensors, which vLLM reads as they are and which need the trainer's compression extra."
        ),
    ] = None
    calibration: Annotated[Dataset | None, Field(description="Texts or dialogues by which GPTQ rounds the weights.")] = None
    proof: Annotated[
        Proof | None, Field(description="Measures the written folder against the original; if unset, only its form is checked.")
    ] = None
    destinations: Annotated[
        list[Destination] | None,
        Field(
            min_length=1,
            max_length=4,
            description="Where the folder is copied: s3://bucket/prefix, hf://owner/name, workspace://folder; "
            "it always stays in the stage's own folder too.",
        ),
    ] = None
    registered_model: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=128,
            pattern=r"^[A-Za-z0-9._-]+$",
            description="Name in MLflow's model registry, of which a new version is made.",
        ),
    ] = None
    seed: Seed = None
