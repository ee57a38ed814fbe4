"""How weights are updated, saved and evaluated."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alignment_api.schema import Rule, Schema, at_most_one, count_set, exactly_one
from alignment_api.spec.values import Steps


class Warmup(Schema):
    """How long the learning rate rises, as a share of all steps or in steps."""

    rules: ClassVar = (
        Rule(f"{count_set('fraction', 'steps')} == 1", exactly_one("fraction", "steps"), "set exactly one of fraction and steps"),
    )

    fraction: Annotated[float | None, Field(ge=0, le=1, description="Share of all optimizer steps.")] = None
    steps: Annotated[int | None, Field(ge=0, le=100_000_000, description="Number of optimizer steps.")] = None


class Optimization(Schema):
    """How weights are updated; no field has a default in the schema, so that a recipe can tell set values from unset ones."""

    rules: ClassVar = (
        Rule(
            f"{count_set('epochs', 'max_steps')} <= 1", at_most_one("epochs", "max_steps"), "set only one of epochs and maxSteps"
        ),
    )

    learning_rate: Annotated[float | None, Field(gt=0, le=1, description="Highest learning rate, such as 5.0e-7.")] = None
    schedule: Annotated[
        Literal["Cosine", "Linear", "Constant"] | None, Field(description="How the learning rate falls after the warm-up.")
    ] = None
    warmup: Annotated[Warmup | None, Field(description="How the learning rate rises.")] = None
    epochs: Annotated[float | None, Field(gt=0, le=1000, description="Passes over the training rows.")] = None
    max_steps: Annotated[Steps | None, Field(description="Optimizer steps, instead of epochs.")] = None
    global_batch_size: Annotated[
        int | None,
        Field(
            ge=1,
            le=1_000_000,
            description="Examples (packed rows, with packing; pairs, for preferences) per optimizer step over all processes.",
        ),
    ] = None
    optimizer: Annotated[
        Literal["AdamW", "AdamW8bit", "PagedAdamW32bit", "RMSprop"] | None,
        Field(description="Which optimizer updates the weights."),
    ] = None
    weight_decay: Annotated[float | None, Field(ge=0, le=1, description="Weight decay of the optimizer.")] = None
    maximum_gradient_norm: Annotated[
        float | None, Field(gt=0, le=1e6, description="Gradients with a larger norm are scaled down to this one.")
    ] = None
    seed: Annotated[
        int | None, Field(ge=0, le=2**31 - 1, description="Seed of sampling, splits, the order of rows and new weights.")
    ] = None


class Lora(Schema):
    """Low-rank adapters on the model's linear layers."""

    rank: Annotated[int | None, Field(ge=1, le=1024, description="Rank of the update.")] = None
    alpha: Annotated[int | None, Field(ge=1, le=4096, description="Scale of the update; it is multiplied by alpha / rank.")] = (
        None
    )
    dropout: Annotated[float | None, Field(ge=0, lt=1, description="Dropout before the adapter; off in preference stages.")] = (
        None
    )
    target_modules: Annotated[
        list[Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9_.]+$")]] | None,
        Field(min_length=1, max_length=64, description="Layers to adapt; if unset, every linear layer except the head."),
    ] = None


class Adapter(Schema):
    """Train an adapter instead of all weights."""

    rules: ClassVar = (
        Rule(
            "!has(self.quantization) || has(self.lora)",
            lambda adapter: adapter.quantization is None or adapter.lora is not None,
            "quantization needs lora: quantized weights cannot be trained themselves",
        ),
    )

    lora: Annotated[Lora | None, Field(description="Low-rank adapters.")] = None
    quantization: Annotated[
        Literal["NF4"] | None, Field(description="Store the frozen weights in 4 bit (NF4, double quantization): QLoRA.")
    ] = None


class Checkpoint(Schema):
    """How often a checkpoint is saved, and how many are kept."""

    every_steps: Annotated[Steps | None, Field(description="Optimizer steps between checkpoints.")] = None
    keep: Annotated[
        int | None,
        Field(ge=2, le=100, description="Newest checkpoints that are kept; at least two, because the newest may be damaged."),
    ] = None


class Evaluation(Schema):
    """How often the holdout is evaluated while training."""

    every_steps: Annotated[
        Steps | None,
        Field(description="Optimizer steps between evaluations, which also come before the first step and after the last."),
    ] = None
