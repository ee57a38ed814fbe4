"""The report of an export stage: what was written, and its proof against the original."""

from typing import Annotated, Literal

from pydantic import Field

from alignment_api.results.evaluation import Estimate
from alignment_api.schema import Schema


class Fidelity(Schema):
    """How close a model comes to the original on the same tokens."""

    perplexity: Estimate
    divergence: Estimate | None = Field(default=None, description="Mean KL divergence per token from the original, in nats.")
    agreement: Estimate | None = Field(default=None, description="Share of tokens for which both find the same one likeliest.")


class Size(Schema):
    """Bytes of the tensors in the files."""

    all_bytes: int = Field(ge=0)
    linear_bytes: int = Field(ge=0, description="Of the weights of linear layers, which alone are quantized.")
    dtypes: dict[str, int] = Field(description="Tensors by the number format in the files' headers.")


class Limit(Schema):
    """A limit of the proof, and what the written model reached; beyond it the stage fails."""

    name: str = Field(description="As the spec names it, such as minimumAgreement.")
    limit: float
    figure: float | None = Field(default=None, description="None if it is no finite number.")
    is_broken: bool


class ExportReport(Schema):
    """What an export stage has written."""

    version: Annotated[Literal["v1alpha1"], Field(description="Of this form.")] = "v1alpha1"
    quantization: str
    model: str = Field(description="base, or the name of the stage whose model was written.")
    weights: str = Field(description="Hash of the original's weights.")
    written_weights: str = Field(description="Hash of the written weights.")
    output: str = Field(description="The folder, as a workspace uri.")
    before: Size
    after: Size
    original: Fidelity | None = Field(default=None, description="The original; only its perplexity.")
    rounded: Fidelity | None = Field(default=None, description="The original in bfloat16: no export in 16 bit comes closer.")
    written: Fidelity | None = Field(default=None, description="The written folder, loaded in a fresh process.")
    tokens: int = Field(default=0, ge=0, description="Tokens on which they were compared.")
    limits: list[Limit] = Field(default_factory=list, description="The limits that its proof has.")
    ends_its_answers: bool | None = Field(default=None, description="Whether its greedy answer ends with an end token.")
    destinations: list[str] = Field(default_factory=list, description="Where it was copied.")
    registered: str | None = Field(default=None, description="Name and version in MLflow's model registry.")
    notes: list[str] = Field(default_factory=list, description="Sentences about what limits the figures or the use.")
