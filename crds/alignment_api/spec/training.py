"""What the stages have in common: where data and models come from, how weights are updated, how large things may get."""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from alignment_api.schema import FieldRule, Rule, Schema, at_most_one, count_set, exactly_one, form

Uri = Annotated[
    str,
    Field(max_length=512),
    form(
        r"^(hf://[A-Za-z0-9._-]+/[A-Za-z0-9._-]+|workspace://[A-Za-z0-9._@+=-][A-Za-z0-9._/@+=-]*|s3://[a-z0-9.-]+/.+)$",
        "must be hf://owner/name, workspace://path or s3://bucket/key (letters, digits and . _ - / @ + =)",
    ),
]
NO_WAY_UP = Rule(
    cel="!has(self.uri) || !self.uri.contains('..')",
    holds=lambda source: source.uri is None or ".." not in source.uri,
    message="uri must not contain '..'; name the path from the workspace's root",
    blame=lambda source: ("uri", f"{source.uri!r} must not contain '..'; name the path from the workspace's root"),
)
Name = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
StageName = Annotated[str, Field(max_length=16, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")]
Fraction = Annotated[float, Field(gt=0, le=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]
Steps = Annotated[int, Field(ge=1, le=100_000_000)]


class SecretKey(Schema):
    """One key of a Secret in the job's own namespace; it reaches the pod as a mounted file, never as a variable."""

    name: Annotated[Name, Field(description="Name of the Secret.")]
    key: Annotated[str, Field(max_length=253, pattern=r"^[-._a-zA-Z0-9]+$", description="Key within the Secret.")]


class Dataset(Schema):
    """One named source of rows, whose form is recognised by their columns (docs/data.md)."""

    rules: ClassVar = (NO_WAY_UP,)

    uri: Annotated[
        Uri,
        Field(description="hf://owner/name, workspace://path or s3://bucket/key: a file, or a folder of files on the last two."),
    ]
    name: Annotated[
        Name | None,
        Field(description="Name in manifests and counts; the last part of the uri where left out, or more if several are alike."),
    ] = None
    revision: Annotated[str | None, Field(max_length=64, description="Commit of a Hub dataset; pin it to be reproducible.")] = (
        None
    )
    configuration: Annotated[str | None, Field(max_length=128, description="Configuration (subset) of a Hub dataset.")] = None
    split: Annotated[
        str | None, Field(max_length=128, pattern=r"^[A-Za-z0-9._]+$", description="Split of a Hub dataset, such as train_sft.")
    ] = None
    fraction: Annotated[Fraction | None, Field(description="Share of the rows that is used, drawn with the stage's seed.")] = None
    max_examples: Annotated[
        int | None, Field(ge=1, le=1_000_000_000, description="At most this many rows: min(maxExamples, rows available).")
    ] = None
    cleaning: Annotated[
        list[Literal["Truecase", "DropRefusals"]] | None,
        Field(
            min_length=1,
            max_length=2,
            description="Truecase corrects sentences written in small or in capital letters alone; DropRefusals drops rows whose "
            "assistant speaks of itself as an AI or as without feelings and opinions.",
        ),
    ] = None


Datasets = Annotated[list[Dataset], Field(min_length=1, max_length=64)]


class Holdout(Schema):
    """Rows kept out of training for evaluation, taken from each dataset before they are merged."""

    rules: ClassVar = (
        Rule(
            f"{count_set('fraction', 'examples', 'datasets')} == 1",
            exactly_one("fraction", "examples", "datasets"),
            "set exactly one of fraction, examples and datasets",
        ),
    )

    fraction: Annotated[OpenFraction | None, Field(description="Share of each dataset.")] = None
    examples: Annotated[
        int | None, Field(ge=1, le=10_000_000, description="Number of rows, shared among the datasets by size.")
    ] = None
    datasets: Annotated[Datasets | None, Field(description="Separate datasets that are only evaluated on.")] = None


class Decontamination(Schema):
    """Training rows that hold what the model will be measured on are dropped."""

    rules: ClassVar = (
        Rule(
            "self.datasets.all(dataset, !has(dataset.cleaning))",
            lambda decontamination: all(dataset.cleaning is None for dataset in decontamination.datasets),
            "datasets that a model is measured on are not cleaned; remove cleaning",
        ),
    )

    datasets: Annotated[
        list[Dataset],
        Field(min_length=1, max_length=32, description="What the model will be measured on; all texts of their rows count."),
    ]
    ngram_words: Annotated[
        int | None, Field(ge=2, le=64, description="Words in a row that must agree to be counted as the same.")
    ] = None
    overlap: Annotated[Fraction | None, Field(description="Share of a text's words at which it counts as known.")] = None


class Warmup(Schema):
    """How long the learning rate rises, as a share of all steps or in steps."""

    rules: ClassVar = (
        Rule(f"{count_set('fraction', 'steps')} == 1", exactly_one("fraction", "steps"), "set exactly one of fraction and steps"),
    )

    fraction: Annotated[float | None, Field(ge=0, le=1, description="Share of all optimizer steps.")] = None
    steps: Annotated[int | None, Field(ge=0, le=100_000_000, description="Number of optimizer steps.")] = None


class Optimization(Schema):
    """How weights are updated; nothing here has a default in the schema, so that a recipe can tell a wish from silence."""

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
    max_steps: Annotated[Steps | None, Field(description="Optimizer steps, in place of epochs.")] = None
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
    maximum_gradient_norm: Annotated[float | None, Field(gt=0, le=1e6, description="Gradients are scaled down to this norm.")] = (
        None
    )
    seed: Annotated[int | None, Field(ge=0, le=2**31 - 1, description="Seed of sampling, splits, order and new weights.")] = None


class Lora(Schema):
    """Low-rank adapters on the model's linear layers."""

    rank: Annotated[int | None, Field(ge=1, le=1024, description="Rank of the update.")] = None
    alpha: Annotated[int | None, Field(ge=1, le=4096, description="Scale of the update; it is multiplied by alpha / rank.")] = (
        None
    )
    dropout: Annotated[
        float | None, Field(ge=0, lt=1, description="Dropout before the adapter; off while pairs are learned.")
    ] = None
    target_modules: Annotated[
        list[Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9_.]+$")]] | None,
        Field(min_length=1, max_length=64, description="Layers to adapt; every linear layer but the head where left out."),
    ] = None


class Adapter(Schema):
    """Train a small addition instead of all weights."""

    rules: ClassVar = (
        Rule(
            "!has(self.quantization) || has(self.lora)",
            lambda adapter: adapter.quantization is None or adapter.lora is not None,
            "quantization needs lora: quantized weights cannot be trained themselves",
        ),
    )

    lora: Annotated[Lora | None, Field(description="Low-rank adapters.")] = None
    quantization: Annotated[
        Literal["NF4"] | None, Field(description="Hold the frozen weights in 4 bit (NF4, double quantization): QLoRA.")
    ] = None


class Checkpoint(Schema):
    """How often training is saved, and how much of it is kept."""

    every_steps: Annotated[Steps | None, Field(description="Optimizer steps between checkpoints.")] = None
    keep: Annotated[
        int | None, Field(ge=2, le=100, description="Newest checkpoints kept; at least two, since the last may be torn.")
    ] = None


class Evaluation(Schema):
    """How often the holdout is evaluated while training."""

    every_steps: Annotated[
        Steps | None, Field(description="Optimizer steps between evaluations; also before the first and after the last.")
    ] = None


class Toleration(Schema):
    """A node taint that the pods accept."""

    key: Annotated[str | None, Field(max_length=253, description="Taint key; every key where left out.")] = None
    operator: Annotated[Literal["Exists", "Equal"] | None, Field(description="How the value is compared.")] = None
    value: Annotated[str | None, Field(max_length=63, description="Taint value, with Equal.")] = None
    effect: Annotated[
        Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None,
        Field(description="Taint effect; every effect where left out."),
    ] = None


def _in_text(value: Any) -> Any:
    """Write whole numbers as text, as Kubernetes takes both for quantities; so `cpu: 1` and `cpu: "1"` are the same job."""
    return str(value) if type(value) is int else value


# As Kubernetes reads quantities. CEL asks by a function: a pattern on a value of two types is too costly for Kubernetes 1.33.
_is_quantity = re.compile(r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)([num]|k|[MGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?").fullmatch
Quantity = Annotated[
    str,
    Field(max_length=32),
    BeforeValidator(_in_text),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "maxLength": 32}),
    FieldRule(
        "type(self) == int ? self >= 0 : isQuantity(self) && !self.startsWith('-')",
        lambda text: _is_quantity(text) is not None,
        "must be a quantity such as 500m, 4 or 16Gi; units are k, M, G, T and Ki, Mi, Gi, Ti, without B, and m for a thousandth",
    ),
]


# GPUs under another name would be neither counted nor queued for: of any vendor, shared, virtual or a part (MIG) of one.
_GPU_RESOURCE = r"^(gpu\.[^/]*/.*|[^/]*/[vp]?gpu.*|[^/]*/mig-.*)$"
_is_gpu = re.compile(_GPU_RESOURCE).fullmatch
_NO_GPU = FieldRule(
    f"!self.matches(r'{_GPU_RESOURCE}')",
    lambda name: _is_gpu(name) is None,
    "must not be a GPU resource, which gpusPerNode asks for; name the network devices, such as rdma/hca",
)


class Rdma(Schema):
    """A high-speed network between the nodes, by the name of its device resource."""

    resource_name: Annotated[
        str,
        Field(max_length=253, description="Extended resource of the network devices, such as rdma/hca."),
        form(r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$", "must be an extended resource, domain/name, such as rdma/hca"),
        _NO_GPU,
    ]
    count: Annotated[int, Field(ge=1, le=64, description="Devices per node.")]
    interfaces: Annotated[
        str | None,
        Field(
            max_length=253, pattern=r"^[A-Za-z0-9_,:=^-]+$", description="Network devices NCCL may use, such as mlx5_0,mlx5_1."
        ),
    ] = None


class Compute(Schema):
    """Where and how a stage runs; nothing here changes what is learned beyond rounding."""

    nodes: Annotated[int | None, Field(ge=1, le=100, description="Nodes, one pod each.")] = None
    gpus_per_node: Annotated[int | None, Field(ge=0, le=16, description="GPUs and processes of each pod; 0 trains on CPUs.")] = (
        None
    )
    processes_per_node: Annotated[
        int | None, Field(ge=1, le=64, description="Processes of each pod when there are no GPUs; one where left out.")
    ] = None
    accelerator_type: Annotated[
        str | None,
        Field(max_length=63, pattern=r"^[A-Za-z0-9._-]+$", description="Value of the node label nvidia.com/gpu.product."),
    ] = None
    micro_batch_size: Annotated[
        int | None,
        Field(
            ge=1,
            le=4096,
            description="Examples in one forward of one process; accumulation follows from globalBatchSize. Packed pairs: as "
            "many tokens as so many full pairs.",
        ),
    ] = None
    sharding: Annotated[
        Literal["None", "ZeRO1", "ZeRO2", "ZeRO3"] | None, Field(description="What the processes share out instead of copying.")
    ] = None
    offload: Annotated[
        Literal["None", "Optimizer", "OptimizerAndParameters"] | None, Field(description="What ZeRO keeps in host memory.")
    ] = None
    gradient_checkpointing: Annotated[bool | None, Field(description="Recompute activations instead of keeping them.")] = None
    cpu: Annotated[Quantity | None, Field(description="CPUs of each pod.")] = None
    memory: Annotated[Quantity | None, Field(description="Memory of each pod.")] = None
    shared_memory: Annotated[Quantity | None, Field(description="Size of /dev/shm, counted as memory.")] = None
    node_selector: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]] | None, Field(max_length=32, description="Labels a node must have.")
    ] = None
    tolerations: Annotated[list[Toleration] | None, Field(max_length=32, description="Node taints the pods accept.")] = None
    rdma: Annotated[Rdma | None, Field(description="High-speed network between the nodes.")] = None


class Endpoint(Schema):
    """An OpenAI-compatible server: a teacher or a judge."""

    base_url: Annotated[
        str,
        Field(max_length=512, description="Address up to /v1."),
        form(
            r"^https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._/-]*)?$",
            "must be an address such as http://teacher.models.svc:8000/v1, with http:// or https:// before it",
        ),
    ]
    model: Annotated[str, Field(min_length=1, max_length=253, description="Model name that the server knows.")]
    api_key_secret: Annotated[
        SecretKey | None,
        Field(
            description="Where the API key is kept. The Secret must allow this address in an entry allowed-endpoints "
            "(docs/endpoints.md); otherwise the stage is refused before any request."
        ),
    ] = None
    concurrency: Annotated[int | None, Field(ge=1, le=1024, description="Requests under way at once.")] = None
    requests_per_minute: Annotated[int | None, Field(ge=1, le=1_000_000, description="Request rate the server allows.")] = None
    tokens_per_minute: Annotated[int | None, Field(ge=1, le=1_000_000_000, description="Token rate the server allows.")] = None


class Sampling(Schema):
    """How answers are drawn from a model."""

    temperature: Annotated[float | None, Field(ge=0, le=10, description="0 takes the likeliest token.")] = None
    top_p: Annotated[Fraction | None, Field(description="Nucleus of the distribution that is sampled.")] = None
    maximum_tokens: Annotated[int | None, Field(ge=1, le=1_000_000, description="Longest answer.")] = None


class Budget(Schema):
    """What may be spent on teachers and judges; the stage stops when one is used up, and keeps what it has."""

    requests: Annotated[int | None, Field(ge=1, le=1_000_000_000, description="Requests in all.")] = None
    tokens: Annotated[int | None, Field(ge=1, le=1_000_000_000_000, description="Prompt and answer tokens in all.")] = None
