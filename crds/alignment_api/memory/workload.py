"""The settings of a stage on which its memory depends."""

from typing import NamedTuple

from alignment_api.memory.shape import ModelShape
from alignment_api.spec.batch import world_size
from alignment_api.spec.compute import Compute
from alignment_api.spec.optimization import Adapter
from alignment_api.spec.stages import PreferenceSettings, Sft, Stage


class AdapterSize(NamedTuple):
    """A low-rank adapter."""

    rank: int
    layers: tuple[str, ...] | None
    """Names of the adapted layers; None for every linear layer except the head."""
    drops: bool
    is_quantized: bool
    """Whether the frozen weights are stored in 4 bit."""

    def adapted(self, shape: ModelShape) -> list[tuple[int, int]]:
        """Return the inputs and outputs of each adapted layer of one block."""
        wanted = None if self.layers is None else {name.rpartition(".")[2] for name in self.layers}
        return [size for name, size in shape.linear_sizes.items() if wanted is None or name in wanted]


class Workload(NamedTuple):
    """The settings of one training stage on which memory depends."""

    compares_pairs: bool
    max_length: int
    packs: bool
    """Whether several examples fill each row to its full length."""
    shares_prompts: bool
    """Whether the stage asks for packed pairs, in which both answers share a prompt."""
    is_16_bit: bool
    optimizer: str
    adapter: AdapterSize | None
    micro_batch_size: int
    processes: int
    sharding: str
    offload: str
    gradient_checkpointing: bool

    @property
    def sequences(self) -> int:
        """Count the sequences in one forward pass: a pair is two."""
        return self.micro_batch_size * (2 if self.compares_pairs else 1)

    @property
    def tokens(self) -> int:
        """Count the tokens in one forward pass if every sequence has the maximum length."""
        return self.sequences * self.max_length

    @property
    def number_bytes(self) -> int:
        """Return the bytes of a number in computation."""
        return 2 if self.is_16_bit else 4

    @property
    def weight_bytes(self) -> int:
        """Return the bytes of a stored weight; without DeepSpeed, weights that are trained stay in 32 bit."""
        return self.number_bytes if self.adapter or self.is_sharded else 4

    @property
    def casts(self) -> bool:
        """Return whether 32-bit weights are cast to 16 bit for each computation (torch's autocast)."""
        return self.is_16_bit and self.weight_bytes == 4

    @property
    def is_sharded(self) -> bool:
        """Return whether DeepSpeed shards anything."""
        return self.sharding != "None"


def workload_of(stage: Stage, compute: Compute) -> Workload:
    """Summarize a stage that trains, of a resolved job; `compute` is the stage's own."""
    settings = stage.training
    assert settings is not None and settings.optimization is not None and settings.max_length is not None
    return Workload(
        compares_pairs=isinstance(settings, PreferenceSettings),
        max_length=settings.max_length,
        packs=isinstance(settings, Sft) and bool(settings.packing),
        shares_prompts=isinstance(settings, PreferenceSettings) and settings.packs_pairs,
        is_16_bit=settings.precision == "BFloat16",
        optimizer=settings.optimization.optimizer or "AdamW",
        adapter=_adapter(settings.adapter),
        micro_batch_size=compute.micro_batch_size or 1,
        processes=world_size(compute),
        sharding=compute.sharding or "None",
        offload=compute.offload or "None",
        gradient_checkpointing=bool(compute.gradient_checkpointing),
    )


def _adapter(adapter: Adapter | None) -> AdapterSize | None:
    if adapter is None or adapter.lora is None or adapter.lora.rank is None:
        return None
    targets = adapter.lora.target_modules
    return AdapterSize(
        rank=adapter.lora.rank,
        layers=tuple(targets) if targets else None,
        drops=bool(adapter.lora.dropout),
        is_quantized=adapter.quantization is not None,
    )
