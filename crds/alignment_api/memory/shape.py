"""Reads the shape of a model from its config.json: the sizes that an estimate of memory needs."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class UnknownShape(ValueError):
    """A config.json lacks a size of its model, or describes a model whose parts this version cannot count."""


class Family(NamedTuple):
    """How the layers of a family of models are built, which config.json does not contain."""

    is_gated: bool = True
    """Whether the feed-forward part has a third matrix, whose output gates the second's."""
    query_bias: bool = False
    """Biases on query, key and value."""
    output_bias: bool = False
    """A bias on the attention's output."""
    feed_forward_bias: bool = False
    norms: int = 2
    """Normalizations per layer."""
    norm_vectors: int = 1
    """Vectors of each: a scale, or a scale and a shift."""
    extra_norms: int = 1
    """Normalizations outside the layers: after the last, for BLOOM also after the embedding."""
    head_bias: bool = False
    head_norms: bool = False
    """Whether each head of queries and keys is normalized too."""
    ties_embeddings: bool = False
    """Whether the head is the embedding itself if config.json does not say."""
    head_size: int | None = None
    """Size of a head if config.json does not say and it does not follow from other sizes."""
    takes_positions: bool = True
    """Whether the model takes positions, which separate packed examples."""
    keeps_scores: bool = False
    """Whether attention keeps all scores in memory, because it uses no fused kernel."""
    reads_biases: bool = False
    """Whether config.json can give the attention biases."""
    kept_by_activation: int = 3
    """Numbers that training keeps per inner value of the feed-forward part, before its last matrix."""
    norm_adds_one: bool = False
    """Whether normalizations multiply by one plus their scale, in 32 bit."""


# As transformers 5.23 builds them; tests count the real models.
_FAMILIES = {
    "llama": Family(reads_biases=True),
    "mistral": Family(),
    "qwen2": Family(query_bias=True),
    "qwen3": Family(head_norms=True, head_size=128, reads_biases=True),
    "gemma": Family(ties_embeddings=True, head_size=256, reads_biases=True, norm_adds_one=True),
    "phi": Family(
        is_gated=False,
        query_bias=True,
        output_bias=True,
        feed_forward_bias=True,
        norms=1,
        norm_vectors=2,
        head_bias=True,
        kept_by_activation=4,
    ),
    "bloom": Family(
        is_gated=False,
        query_bias=True,
        output_bias=True,
        feed_forward_bias=True,
        norm_vectors=2,
        extra_norms=2,
        ties_embeddings=True,
        takes_positions=False,
        keeps_scores=True,
        kept_by_activation=1,
    ),
}
# All their layers attend through transformers' interface with only a causal mask, and their head is one matrix whose
# products are the logits. tests/trainer/preference compares each of them with the padded forward pass.
PACKED_FAMILIES = ("gemma", "llama", "mistral", "olmo2", "phi", "phi3", "qwen2", "qwen3", "smollm3")
"""Families whose pairs can be packed, so that both answers share a prompt."""

# The names of one value in different families.
_NAMES = {
    "hidden": ("hidden_size", "n_embd", "n_embed", "d_model"),
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    "intermediate": ("intermediate_size", "n_inner", "ffn_dim", "d_ff"),
    "vocabulary": ("vocab_size",),
    "key_value_heads": ("num_key_value_heads",),
    "head_size": ("head_dim",),
}
_OPTIONAL = ("intermediate", "key_value_heads", "head_size")
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


class ModelShape(NamedTuple):
    """The sizes of a decoder's parts."""

    family: str
    hidden: int
    layers: int
    intermediate: int
    heads: int
    key_value_heads: int
    head_size: int
    vocabulary: int
    ties_embeddings: bool
    query_bias: bool
    output_bias: bool
    feed_forward_bias: bool
    head_norms: bool

    @property
    def is_known(self) -> bool:
        """Return whether its parts can be counted exactly; for other families only the order of magnitude is known."""
        return self.family in _FAMILIES

    @property
    def traits(self) -> Family:
        """Return what all models of the family have in common."""
        return _FAMILIES.get(self.family, Family())

    @property
    def takes_packed_pairs(self) -> bool:
        """Return whether pairs can be packed, so that both answers share a prompt."""
        return self.family in PACKED_FAMILIES

    @property
    def query_width(self) -> int:
        """Count the numbers of one token's queries."""
        return self.heads * self.head_size

    @property
    def key_width(self) -> int:
        """Count the numbers of one token's keys, or of its values."""
        return self.key_value_heads * self.head_size

    @property
    def linear_sizes(self) -> dict[str, tuple[int, int]]:
        """Return each linear layer of one block as (inputs, outputs), by the name that most families use."""
        matrices = {
            "q_proj": (self.hidden, self.query_width),
            "k_proj": (self.hidden, self.key_width),
            "v_proj": (self.hidden, self.key_width),
            "o_proj": (self.query_width, self.hidden),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }
        if self.family == "bloom":
            fused = {"query_key_value": (self.hidden, 3 * self.hidden), "dense": matrices["o_proj"]}
            return fused | {"dense_h_to_4h": matrices["up_proj"], "dense_4h_to_h": matrices["down_proj"]}
        if self.family == "phi":
            phi = {"o_proj": "dense", "up_proj": "fc1", "down_proj": "fc2"}
            return {phi.get(name, name): size for name, size in matrices.items()}
        return matrices | ({"gate_proj": matrices["up_proj"]} if self.traits.is_gated else {})

    @property
    def linear_parameters(self) -> int:
        """Count the weights of the linear layers in all blocks, which NF4 quantizes and adapters change."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.linear_sizes.values())

    @property
    def embedding_parameters(self) -> int:
        """Count the weights of the embedding, and of the head if the two are not tied."""
        head_bias = self.vocabulary if self.traits.head_bias else 0
        return self.vocabulary * self.hidden * (1 if self.ties_embeddings else 2) + head_bias

    @property
    def vector_parameters(self) -> int:
        """Count biases and normalizations."""
        biases = self.query_bias * (self.query_width + 2 * self.key_width) + self.output_bias * self.hidden
        biases += self.feed_forward_bias * (self.intermediate * (2 if self.traits.is_gated else 1) + self.hidden)
        norms = self.traits.norms * self.traits.norm_vectors * self.hidden
        norms += self.head_norms * 2 * self.traits.norm_vectors * self.head_size
        return self.layers * (biases + norms) + self.traits.extra_norms * self.traits.norm_vectors * self.hidden

    @property
    def parameters(self) -> int:
        """Count all weights."""
        return self.linear_parameters + self.embedding_parameters + self.vector_parameters


def has_experts(config: Mapping[str, Any]) -> bool:
    """Return whether a config.json describes a mixture of experts."""
    return any(config.get(name) for name in _EXPERTS)


def shape_of(config: Any) -> ModelShape:
    """Read a shape from the content of a config.json."""
    if not isinstance(config, dict):
        raise UnknownShape("its config.json is not a JSON object")
    found = _sizes(config)
    if has_experts(config):
        raise UnknownShape("it is a mixture of experts, whose parts this version cannot count")
    family = str(config.get("model_type", ""))
    traits = _FAMILIES.get(family, Family())
    hidden, heads = found["hidden"] or 0, found["heads"] or 1
    ties = config.get("tie_word_embeddings")
    attention_bias = traits.reads_biases and bool(config.get("attention_bias"))
    return ModelShape(
        family=family,
        hidden=hidden,
        layers=found["layers"] or 0,
        # BLOOM and similar models do not name it: it is four times the hidden size.
        intermediate=found["intermediate"] or 4 * hidden,
        heads=heads,
        key_value_heads=found["key_value_heads"] or heads,
        head_size=found["head_size"] or traits.head_size or hidden // heads,
        vocabulary=found["vocabulary"] or 0,
        ties_embeddings=traits.ties_embeddings if ties is None else bool(ties),
        query_bias=traits.query_bias or attention_bias,
        output_bias=traits.output_bias or attention_bias,
        feed_forward_bias=traits.feed_forward_bias or (family == "llama" and bool(config.get("mlp_bias"))),
        head_norms=traits.head_norms or (family == "phi" and bool(config.get("qk_layernorm"))),
    )


def _sizes(config: dict[str, Any]) -> dict[str, int | None]:
    """Read the sizes under whatever name the family gives them; a missing one is refused unless it is optional."""
    found = {field: _first(config, names) for field, names in _NAMES.items()}
    missing = [field for field, value in found.items() if value is None and field not in _OPTIONAL]
    if missing:
        raise UnknownShape(f"its config.json has no {_NAMES[missing[0]][0]}")
    return found


def _first(config: dict[str, Any], names: tuple[str, ...]) -> int | None:
    # Some families have a list with one size per layer; this version cannot count those.
    return next((config[name] for name in names if type(config.get(name)) is int and config[name] > 0), None)
