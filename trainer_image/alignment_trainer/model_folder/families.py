"""The families of models whose tensors are known without torch: their names, and their shapes in letters."""

from typing import Any, NamedTuple


class Family(NamedTuple):
    """How a family names its tensors, and which settings of config.json add some."""

    tensors: str
    """One per line: the name, with * for the number of a layer, and the sizes, in the letters of LETTERS."""
    prefix: str = "model"
    """What transformers adds to the names of a file that lack it."""
    embedding: str = "model.embed_tokens.weight"
    ties: bool = False
    """Whether the head is the embedding itself where config.json does not say."""
    adds: dict[str, str] = {}
    """Tensors that a setting adds."""
    defaults: dict[str, Any] = {}
    """Sizes that config.json may leave out, where they do not follow from others."""
    ignored: str = r"rotary_emb\.inv_freq"
    """Tensors of older files that transformers computes itself."""


LETTERS = {
    "V": "vocab_size",
    "D": "hidden_size",
    "Q": "all heads of the queries",
    "K": "all heads of the keys, or of the values",
    "H": "one head",
    "F": "intermediate_size",
    "P": "max_position_embeddings",
}
"""What the letters of the table mean; a number before one multiplies it, and + adds."""

HEAD = "lm_head.weight"

_OUTSIDE = """
    model.embed_tokens.weight                        V D
    model.norm.weight                                D
    lm_head.weight                                   V D
"""
_ATTENTION = """
    model.layers.*.self_attn.q_proj.weight           Q D
    model.layers.*.self_attn.k_proj.weight           K D
    model.layers.*.self_attn.v_proj.weight           K D
    model.layers.*.self_attn.o_proj.weight           D Q
"""
_INPUT_BIASES = """
    model.layers.*.self_attn.q_proj.bias             Q
    model.layers.*.self_attn.k_proj.bias             K
    model.layers.*.self_attn.v_proj.bias             K
"""
_BIASES = f"""{_INPUT_BIASES}
    model.layers.*.self_attn.o_proj.bias             D
"""
_HEAD_NORMS = """
    model.layers.*.self_attn.q_norm.weight           H
    model.layers.*.self_attn.k_norm.weight           H
"""
_GATED = """
    model.layers.*.mlp.gate_proj.weight              F D
    model.layers.*.mlp.up_proj.weight                F D
    model.layers.*.mlp.down_proj.weight              D F
"""
_GATED_BIASES = """
    model.layers.*.mlp.gate_proj.bias                F
    model.layers.*.mlp.up_proj.bias                  F
    model.layers.*.mlp.down_proj.bias                D
"""
_NORMS = """
    model.layers.*.input_layernorm.weight            D
    model.layers.*.post_attention_layernorm.weight   D
"""
_AROUND_FEED_FORWARD = """
    model.layers.*.pre_feedforward_layernorm.weight  D
    model.layers.*.post_feedforward_layernorm.weight D
"""
_LLAMA = _OUTSIDE + _ATTENTION + _GATED + _NORMS
_GEMMA_2 = _LLAMA + _AROUND_FEED_FORWARD
_OLMO_2 = f"""{_OUTSIDE}{_ATTENTION}{_GATED}
    model.layers.*.self_attn.q_norm.weight           Q
    model.layers.*.self_attn.k_norm.weight           K
    model.layers.*.post_attention_layernorm.weight   D
    model.layers.*.post_feedforward_layernorm.weight D
"""
_PHI_3 = f"""{_OUTSIDE}{_NORMS}
    model.layers.*.self_attn.qkv_proj.weight         Q+2K D
    model.layers.*.self_attn.o_proj.weight           D Q
    model.layers.*.mlp.gate_up_proj.weight           2F D
    model.layers.*.mlp.down_proj.weight              D F
"""
_PHI = f"""{_INPUT_BIASES}
    model.embed_tokens.weight                        V D
    model.final_layernorm.weight                     D
    model.final_layernorm.bias                       D
    lm_head.weight                                   V D
    lm_head.bias                                     V
    model.layers.*.self_attn.q_proj.weight           Q D
    model.layers.*.self_attn.k_proj.weight           K D
    model.layers.*.self_attn.v_proj.weight           K D
    model.layers.*.self_attn.dense.weight            D Q
    model.layers.*.self_attn.dense.bias              D
    model.layers.*.mlp.fc1.weight                    F D
    model.layers.*.mlp.fc1.bias                      F
    model.layers.*.mlp.fc2.weight                    D F
    model.layers.*.mlp.fc2.bias                      D
    model.layers.*.input_layernorm.weight            D
    model.layers.*.input_layernorm.bias              D
"""
_PHI_HEAD_NORMS = """
    model.layers.*.self_attn.q_layernorm.weight      H
    model.layers.*.self_attn.q_layernorm.bias        H
    model.layers.*.self_attn.k_layernorm.weight      H
    model.layers.*.self_attn.k_layernorm.bias        H
"""
_BLOOM = """
    transformer.word_embeddings.weight               V D
    transformer.word_embeddings_layernorm.weight     D
    transformer.word_embeddings_layernorm.bias       D
    transformer.ln_f.weight                          D
    transformer.ln_f.bias                            D
    lm_head.weight                                   V D
    transformer.h.*.input_layernorm.weight           D
    transformer.h.*.input_layernorm.bias             D
    transformer.h.*.self_attention.query_key_value.weight 3D D
    transformer.h.*.self_attention.query_key_value.bias   3D
    transformer.h.*.self_attention.dense.weight      D D
    transformer.h.*.self_attention.dense.bias        D
    transformer.h.*.post_attention_layernorm.weight  D
    transformer.h.*.post_attention_layernorm.bias    D
    transformer.h.*.mlp.dense_h_to_4h.weight         4D D
    transformer.h.*.mlp.dense_h_to_4h.bias           4D
    transformer.h.*.mlp.dense_4h_to_h.weight         D 4D
    transformer.h.*.mlp.dense_4h_to_h.bias           D
"""
_GPT_2 = """
    transformer.wte.weight                           V D
    transformer.wpe.weight                           P D
    transformer.ln_f.weight                          D
    transformer.ln_f.bias                            D
    lm_head.weight                                   V D
    transformer.h.*.ln_1.weight                      D
    transformer.h.*.ln_1.bias                        D
    transformer.h.*.attn.c_attn.weight               D 3D
    transformer.h.*.attn.c_attn.bias                 3D
    transformer.h.*.attn.c_proj.weight               D D
    transformer.h.*.attn.c_proj.bias                 D
    transformer.h.*.ln_2.weight                      D
    transformer.h.*.ln_2.bias                        D
    transformer.h.*.mlp.c_fc.weight                  D F
    transformer.h.*.mlp.c_fc.bias                    F
    transformer.h.*.mlp.c_proj.weight                F D
    transformer.h.*.mlp.c_proj.bias                  D
"""

_ATTENTION_BIAS, _FEED_FORWARD_BIAS = {"attention_bias": _BIASES}, {"mlp_bias": _GATED_BIASES}
_GEMMA_HEAD = {"head_dim": 256}

# As transformers 5.23 builds them; a test compares each with the real model.
FAMILIES = {
    "llama": Family(_LLAMA, adds=_ATTENTION_BIAS | _FEED_FORWARD_BIAS),
    "mistral": Family(_LLAMA, defaults={"num_key_value_heads": 8}),
    "granite": Family(_LLAMA, adds=_ATTENTION_BIAS | _FEED_FORWARD_BIAS),
    "qwen2": Family(_LLAMA + _INPUT_BIASES, defaults={"num_key_value_heads": 32}),
    "qwen3": Family(_LLAMA + _HEAD_NORMS, adds=_ATTENTION_BIAS, defaults={"head_dim": 128, "num_key_value_heads": 32}),
    "smollm3": Family(_LLAMA, ties=True, adds=_ATTENTION_BIAS | _FEED_FORWARD_BIAS, defaults={"num_key_value_heads": 4}),
    "gemma": Family(_LLAMA, ties=True, adds=_ATTENTION_BIAS, defaults=_GEMMA_HEAD | {"num_key_value_heads": 16}),
    "gemma2": Family(_GEMMA_2, ties=True, adds=_ATTENTION_BIAS, defaults=_GEMMA_HEAD | {"num_key_value_heads": 4}),
    "gemma3_text": Family(
        _GEMMA_2 + _HEAD_NORMS, ties=True, adds=_ATTENTION_BIAS, defaults=_GEMMA_HEAD | {"num_key_value_heads": 4}
    ),
    "olmo2": Family(_OLMO_2, adds=_ATTENTION_BIAS),
    "phi": Family(_PHI, adds={"qk_layernorm": _PHI_HEAD_NORMS}),
    "phi3": Family(_PHI_3),
    "bloom": Family(_BLOOM, "transformer", "transformer.word_embeddings.weight", ties=True),
    "gpt2": Family(_GPT_2, "transformer", "transformer.wte.weight", ties=True, ignored=r"attn\.(masked_)?bias$"),
}
