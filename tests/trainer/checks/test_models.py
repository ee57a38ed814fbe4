"""Damaged models, and models that cannot be trained: each is refused in one sentence before a process starts."""

import json
import math
import os
import shutil
import struct

import pytest
from alignment_trainer.checks.preflight import check
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.model_folder.families import FAMILIES
from alignment_trainer.model_folder.fitness import fault_of
from alignment_trainer.model_folder.tensors import wanted_tensors

SIZES = {"vocab_size": 12, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
LAYER_1 = "model.layers.1.input_layernorm.weight"
WIDTH = {"F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "I8": 1}


def write(path, tensors, dtype="F32"):
    """Write a safetensors file of zeros."""
    header, begin = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors.items():
        end = begin + math.prod(shape) * WIDTH[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
        begin = end
    write_header(path, json.dumps(header).encode(), begin)


def write_header(path, header, size):
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))


def header_of(path):
    """Return the header of a file, and how many bytes follow it."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), len(content) - 8 - length


def shapes_of(config):
    """Return the tensors that a file has: a tied head is not one of them."""
    wanted = wanted_tensors(config)
    tied = {"lm_head.weight"} if wanted.same else set()
    return {name: shape for name, shape in wanted.shapes.items() if name not in tied}


def added(content, number):
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"id": number, "content": content, **flags}


def make(folder, family="llama", **settings):
    """Write a whole model of zeros."""
    folder.mkdir(parents=True)
    config = {"model_type": family, **SIZES, **settings}
    (folder / "config.json").write_text(json.dumps(config))
    tokens = {"model": {"type": "BPE", "vocab": {letter: at for at, letter in enumerate("abcdefghij")}, "merges": []}}
    (folder / "tokenizer.json").write_text(json.dumps(tokens | {"added_tokens": [added("</s>", 10)]}))
    (folder / "tokenizer_config.json").write_text('{"eos_token": "</s>"}')
    write(folder / WHOLE, shapes_of(config))
    return folder


def split(folder):
    """Write the weights of a model again, as two files with an index."""
    shapes = list(shapes_of(json.loads((folder / "config.json").read_text())).items())
    (folder / WHOLE).unlink()
    parts = {FIRST: dict(shapes[:5]), SECOND: dict(shapes[5:])}
    for file, tensors in parts.items():
        write(folder / file, tensors)
    places = {name: file for file, tensors in parts.items() for name in tensors}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two whole models: one in a single file, and one in two files with an index."""
    root = tmp_path_factory.mktemp("models")
    make(root / "whole")
    split(make(root / "sharded"))
    return root


def config_with(**settings):
    def damage(folder):
        document = json.loads((folder / "config.json").read_text()) | settings
        kept = {name: value for name, value in document.items() if value is not ...}
        (folder / "config.json").write_text(json.dumps(kept))

    return damage


def with_text(file, text):
    return lambda folder: (folder / file).write_text(text)


def without(file):
    return lambda folder: (folder / file).unlink()


def cut(file, size):
    return lambda folder: os.truncate(folder / file, size)


def as_folder(file):
    def damage(folder):
        (folder / file).unlink()
        (folder / file).mkdir()

    return damage


def as_fifo(file):
    def damage(folder):
        (folder / file).unlink()
        os.mkfifo(folder / file)

    return damage


def renamed(before, after):
    return lambda folder: (folder / before).rename(folder / after)


def tensors_with(change, dtype="F32"):
    def damage(folder):
        shapes = shapes_of(json.loads((folder / "config.json").read_text()))
        change(shapes)
        write(folder / WHOLE, shapes, dtype)

    return damage


def entry_with(name, **fields):
    def damage(folder):
        header, size = header_of(folder / WHOLE)
        header[name] |= fields
        write_header(folder / WHOLE, json.dumps(header).encode(), size)

    return damage


def longer(folder):
    with (folder / WHOLE).open("ab") as file:
        file.write(b"12")


def twice_in_a_header(folder):
    header, size = header_of(folder / WHOLE)
    entry = f'"{LAYER_1}": {json.dumps(header[LAYER_1])}, '
    write_header(folder / WHOLE, ("{" + entry + json.dumps(header)[1:]).encode(), size)


def in_two_shards(folder):
    write(folder / FIRST, {"model.norm.weight": (8,)})
    write(folder / SECOND, {"model.norm.weight": (8,)})
    index_with(weight_map={"model.norm.weight": FIRST, "other": SECOND})(folder)


def index_with(**fields):
    return lambda folder: (folder / INDEX).write_text(json.dumps(fields))


def moved_in_the_index(folder):
    places = json.loads((folder / INDEX).read_text())["weight_map"]
    index_with(weight_map=places | {"model.norm.weight": FIRST if places["model.norm.weight"] == SECOND else SECOND})(folder)


def tokenizer_with(**fields):
    def damage(folder):
        document = json.loads((folder / "tokenizer.json").read_text()) | fields
        (folder / "tokenizer.json").write_text(json.dumps(document))

    return damage


def tokenizer_settings(**fields):
    return with_text("tokenizer_config.json", json.dumps({"eos_token": "</s>"} | fields))


def template(damage=None):
    """Give the model a template in a file of its own, and damage it."""

    def written(folder):
        (folder / "chat_template.jinja").write_text("{{ messages }}")
        damage(folder)

    return written


def one_more_template(folder):
    (folder / "additional_chat_templates").mkdir()
    os.mkfifo(folder / "additional_chat_templates" / "tool_use.jinja")


def as_adapter(folder):
    (folder / "config.json").unlink()
    (folder / WHOLE).rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "team/base", "r": 8}')


def dangling(folder):
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("../blobs/0badcafe")


def link_to_a_secret(folder):
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("/etc/passwd")


AGAIN = "; copy the whole model folder again"
OF_THE_WEIGHTS = "; copy the config.json that belongs to the weights"
TOKENIZER_AGAIN = "; copy the tokenizer's files again"
NO_TEMPLATE = (
    "has a tokenizer_config.json whose chat_template is neither a text nor a list of templates, each with another name and its "
    f"template{TOKENIZER_AGAIN}"
)
OF_ONE_MODEL = "; copy config.json and all weight files of one and the same model"
DAMAGES = {
    # config.json
    "no config": (without("config.json"), "has no config.json; copy the whole model folder"),
    "a config that is a list": (with_text("config.json", "[]"), f"has a config.json that is no JSON object{AGAIN}"),
    "a config that is null": (with_text("config.json", "null"), f"has a config.json that is no JSON object{AGAIN}"),
    "a truncated config": (
        with_text("config.json", '{"model_type": '),
        "has a config.json that is not valid JSON (Expecting value",
    ),
    "an empty config": (with_text("config.json", ""), "has a config.json that is not valid JSON"),
    "a nested config": (with_text("config.json", "[" * 100_000), "has a config.json that is not valid JSON"),
    "a config that is a folder": (as_folder("config.json"), f"has a folder in place of the file config.json{AGAIN}"),
    "a config that is a FIFO": (as_fifo("config.json"), f"has no regular file in place of the file config.json{AGAIN}"),
    "a link to a secret": (link_to_a_secret, "is a link to /etc/passwd, a system file; copy the model itself to the volume"),
    "a dangling link": (dangling, "has a link config.json to ../blobs/0badcafe, which does not exist; copy the file itself"),
    "no model_type": (
        config_with(model_type=...),
        f"has a config.json without model_type, so its family is unknown{OF_THE_WEIGHTS}",
    ),
    "an unknown model_type": (
        config_with(model_type="llama9"),
        f"has the model_type 'llama9', which is no decoder that this version knows; name another model, or {OF_THE_WEIGHTS[2:]}",
    ),
    "an encoder": (
        config_with(model_type="bert"),
        "is an encoder (model_type bert); only decoders can be trained, so name a decoder",
    ),
    "an encoder-decoder": (
        config_with(model_type="t5", is_encoder_decoder=True),
        "is an encoder-decoder (model_type t5); only decoders can be trained, so name a decoder",
    ),
    "an encoder-decoder of no known kind": (
        config_with(model_type="mine", is_encoder_decoder=True),
        "is an encoder-decoder (model_type mine)",
    ),
    "code": (
        config_with(model_type="mine", auto_map={"AutoConfig": "configuration_mine.MineConfig"}),
        "needs code of its own (auto_map in config.json, model_type mine), which is never run; name a model whose family",
    ),
    "GPTQ": (
        config_with(quantization_config={"quant_method": "gptq", "bits": 4}),
        "has quantized weights (quantization_config in config.json: gptq), which cannot be trained; name the model before "
        "quantization, and set adapter.quantization to hold its weights in 4 bit",
    ),
    "AWQ": (
        config_with(quantization_config={"quant_method": "awq"}),
        "has quantized weights (quantization_config in config.json: awq)",
    ),
    "bitsandbytes": (
        config_with(quantization_config={"load_in_4bit": True, "quant_method": "bitsandbytes"}),
        "has quantized weights (quantization_config in config.json: bitsandbytes)",
    ),
    "no heads": (
        config_with(num_attention_heads=0),
        f"has num_attention_heads 0 in its config.json, which must be a whole number above 0{OF_THE_WEIGHTS}",
    ),
    "a million layers": (
        config_with(num_hidden_layers=1_000_000),
        f"has num_hidden_layers 1000000 in its config.json, more than any model{OF_THE_WEIGHTS}",
    ),
    "heads as text": (
        config_with(num_attention_heads="2"),
        "has num_attention_heads '2' in its config.json, which must be a whole",
    ),
    "too many heads": (
        config_with(num_attention_heads=3),
        f"has hidden_size 8 in its config.json, which cannot be divided by num_attention_heads 3{OF_THE_WEIGHTS}",
    ),
    "heads that keys do not divide": (
        config_with(num_attention_heads=4, num_key_value_heads=3),
        f"has num_attention_heads 4 in its config.json, which cannot be divided by num_key_value_heads 3{OF_THE_WEIGHTS}",
    ),
    "no hidden_size": (config_with(hidden_size=...), f"has a config.json without hidden_size{OF_THE_WEIGHTS}"),
    "a fraction of layers": (config_with(num_hidden_layers=1.5), "has num_hidden_layers 1.5 in its config.json"),
    "an impossible dtype": (
        config_with(dtype="float99"),
        "has dtype 'float99' in its config.json, which is none of float64, float32, float16, bfloat16; correct it",
    ),
    "padding outside the vocabulary": (
        config_with(pad_token_id=12),
        "has pad_token_id 12 in its config.json, but only 12 tokens (vocab_size); correct it",
    ),
    "a broken generation_config": (
        with_text("generation_config.json", "{"),
        "has a generation_config.json that is not valid JSON",
    ),
    "an adapter": (
        as_adapter,
        "is an adapter for team/base (adapter_config.json), not a whole model; merge it into its base, and name the merged model",
    ),
    # Tokenizer
    "no tokenizer": (without("tokenizer.json"), "has no tokenizer (tokenizer.json or tokenizer.model or vocab.json)"),
    "a truncated tokenizer": (cut("tokenizer.json", 40), "has a tokenizer.json that is not valid JSON"),
    "a list of settings of the tokenizer": (
        with_text("tokenizer_config.json", "[]"),
        f"has a tokenizer_config.json that is no JSON object{TOKENIZER_AGAIN}",
    ),
    "added tokens in a list": (
        tokenizer_settings(added_tokens_decoder=[1]),
        "has a tokenizer_config.json whose added_tokens_decoder is no object of tokens with their content" + TOKENIZER_AGAIN,
    ),
    "added tokens as words": (
        tokenizer_settings(added_tokens_decoder={"0": "x"}),
        "has a tokenizer_config.json whose added_tokens_decoder is no object of tokens with their content" + TOKENIZER_AGAIN,
    ),
    "added tokens without a content": (
        tokenizer_with(added_tokens=[{"id": 10, "special": True}]),
        "has a tokenizer.json ",
    ),
    "a number of special tokens": (
        tokenizer_settings(extra_special_tokens=5),
        "has a tokenizer_config.json whose extra_special_tokens is no list of tokens" + TOKENIZER_AGAIN,
    ),
    "a number for a template": (tokenizer_settings(chat_template=5), NO_TEMPLATE),
    "a name without its template": (tokenizer_settings(chat_template=[{"name": "default"}]), NO_TEMPLATE),
    "templates without names": (tokenizer_settings(chat_template=["{{ messages }}"]), NO_TEMPLATE),
    "two templates of one name": (tokenizer_settings(chat_template=[{"name": "default", "template": "a"}] * 2), NO_TEMPLATE),
    "a template in no known letters": (
        template(lambda folder: (folder / "chat_template.jinja").write_bytes(b"\xff\xfe{{ messages }}")),
        f"has a chat_template.jinja that is no text in UTF-8{TOKENIZER_AGAIN}",
    ),
    "a template that is a folder": (
        template(as_folder("chat_template.jinja")),
        f"has a folder in place of the file chat_template.jinja{AGAIN}",
    ),
    "a template that is a FIFO": (
        template(as_fifo("chat_template.jinja")),
        f"has no regular file in place of the file chat_template.jinja{AGAIN}",
    ),
    "a second template that is a FIFO": (
        one_more_template,
        f"has no regular file in place of the file tool_use.jinja{AGAIN}",
    ),
    "a tokenizer without tokens": (
        tokenizer_with(model={"type": "BPE", "vocab": {}}),
        "has a tokenizer.json without model.vocab, which lists its tokens; copy the tokenizer's files again",
    ),
    "a tokenizer without a model": (tokenizer_with(model=None), "has a tokenizer.json without model.vocab"),
    "a tokenizer of an unknown kind": (
        tokenizer_with(model={"type": "Mine", "vocab": {"a": 0}}),
        "has a tokenizer.json that is no tokenizer (data did not match any variant",
    ),
    "tokens without numbers": (
        tokenizer_with(added_tokens=[{"content": "</s>"}]),
        "has a tokenizer.json whose tokens have no numbers; copy the tokenizer's files again",
    ),
    "the tokenizer of another model": (
        tokenizer_with(added_tokens=[added("<pad>", 12)]),
        "has a tokenizer of 13 tokens for a model of 12; copy the tokenizer that belongs to the model",
    ),
    "broken settings of the tokenizer": (
        with_text("tokenizer_config.json", "{"),
        "has a tokenizer_config.json that is not valid JSON",
    ),
    # Weight files
    "no weights": (without(WHOLE), "has no *.safetensors; convert the weights, other formats can carry code and are not read"),
    "weights of another name": (
        renamed(WHOLE, "weights.safetensors"),
        f"has weights.safetensors, but neither {WHOLE} nor {INDEX}{AGAIN}",
    ),
    "weights that are a folder": (as_folder(WHOLE), f"has a folder in place of the file {WHOLE}{AGAIN}"),
    "an empty weight file": (cut(WHOLE, 0), f"has a {WHOLE} of 0 bytes that is truncated or no safetensors file{AGAIN}"),
    "a truncated header": (cut(WHOLE, 100), f"has a {WHOLE} of 100 bytes that is truncated or no safetensors file{AGAIN}"),
    "truncated weights": (lambda folder: os.truncate(folder / WHOLE, (folder / WHOLE).stat().st_size - 1), "so it is truncated"),
    "longer weights": (longer, "so it was changed or badly copied"),
    "a pointer of Git LFS": (
        with_text(WHOLE, "version https://git-lfs.github.com/spec/v1\n"),
        "is truncated or no safetensors file",
    ),
    "a header that is no JSON": (lambda folder: write_header(folder / WHOLE, b"{not json}", 8), "whose header is not valid JSON"),
    "a header that is a list": (lambda folder: write_header(folder / WHOLE, b"[1, 2]", 8), "whose header is no JSON object"),
    "a name twice": (twice_in_a_header, f"has a {WHOLE} whose header names {LAYER_1} twice{AGAIN}"),
    "a tensor without a shape": (
        entry_with(LAYER_1, shape=None),
        f"has a {WHOLE} whose header does not describe {LAYER_1}: it needs dtype, shape and data_offsets{AGAIN}",
    ),
    "a negative size": (entry_with(LAYER_1, shape=[-8]), f"whose header does not describe {LAYER_1}"),
    "an unknown dtype": (entry_with(LAYER_1, dtype="F99"), f"has the tensor {LAYER_1} of the unknown dtype 'F99' in {WHOLE}"),
    "bytes that do not fit": (entry_with(LAYER_1, shape=[9]), f"with 32 bytes, which do not fit F32 [9]{AGAIN}"),
    "overlapping tensors": (entry_with(LAYER_1, data_offsets=[0, 32]), f"in {WHOLE}, which overlaps the tensor before it{AGAIN}"),
    "offsets in reverse": (entry_with(LAYER_1, data_offsets=[32, 0]), "with -32 bytes, which do not fit F32 [8]"),
    # Weights of another model
    "one layer more in config.json": (
        config_with(num_hidden_layers=3),
        "lacks 9 of the 30 tensors that its config.json describes, the first is model.layers.2.self_attn.q_proj.weight"
        + OF_ONE_MODEL,
    ),
    "one layer less in config.json": (
        config_with(num_hidden_layers=1),
        "has 9 tensors that its config.json does not describe, the first is model.layers.1.self_attn.q_proj.weight"
        + OF_ONE_MODEL,
    ),
    "another width": (
        config_with(intermediate_size=24),
        "has 6 of 21 tensors with other shapes than its config.json describes, the first is "
        f"model.layers.0.mlp.gate_proj.weight, [16, 8] instead of [24, 8]{OF_ONE_MODEL}",
    ),
    "another family": (
        config_with(model_type="phi3"),
        "lacks 4 of the 15 tensors that its config.json describes, the first is model.layers.0.self_attn.qkv_proj.weight, "
        "and has 10 tensors that its config.json does not describe, the first is model.layers.0.self_attn.q_proj.weight",
    ),
    "a missing norm": (
        tensors_with(lambda shapes: shapes.pop("model.norm.weight")),
        f"lacks 1 of the 21 tensors that its config.json describes, the first is model.norm.weight{OF_ONE_MODEL}",
    ),
    "a head of values": (
        tensors_with(lambda shapes: shapes.update({"v_head.summary.weight": (1, 8)})),
        "has 1 tensors that its config.json does not describe, the first is v_head.summary.weight",
    ),
    "no head": (tensors_with(lambda shapes: shapes.pop("lm_head.weight")), "the first is lm_head.weight"),
    "numbers of 8 bit": (
        tensors_with(lambda shapes: None, "F8_E4M3"),
        "has weights of the dtype F8_E4M3 (model.embed_tokens.weight), which cannot be trained; "
        "convert them to one of F64, F32, F16, BF16, without quantization",
    ),
}
SHARDED = {
    "an empty index": (with_text(INDEX, ""), f"has a {INDEX} that is not valid JSON"),
    "an index without names": (
        index_with(metadata={}),
        f"has a {INDEX} without a weight_map that names the file of each tensor{AGAIN}",
    ),
    "an index of nothing": (index_with(weight_map={}), f"has a {INDEX} without a weight_map"),
    "an index of numbers": (index_with(weight_map={"model.norm.weight": 1}), f"has a {INDEX} without a weight_map"),
    "a file outside the folder": (
        index_with(weight_map={"model.norm.weight": "../other/model.safetensors"}),
        f"has a {INDEX} that names '../other/model.safetensors', which is no safetensors file of this folder{AGAIN}",
    ),
    "a missing shard": (without(SECOND), f"lacks {SECOND} (1 of 2 weight files); copy the whole model folder"),
    "a shard that is a folder": (as_folder(SECOND), f"has a folder in place of the file {SECOND}{AGAIN}"),
    "no index": (without(INDEX), f"has {FIRST}, but neither {WHOLE} nor {INDEX}{AGAIN}"),
    "a tensor in two shards": (in_two_shards, f"has the tensor model.norm.weight twice, in {FIRST} and {SECOND}{AGAIN}"),
    "an index that is wrong": (moved_in_the_index, "has an index that names model.norm.weight in "),
}
CASES = [("whole", *case) for case in DAMAGES.items()] + [("sharded", *case) for case in SHARDED.items()]


@pytest.mark.parametrize(("source", "case"), [(source, case) for source, _, case in CASES], ids=[name for _, name, _ in CASES])
def test_an_unfit_model_is_refused_in_one_sentence(models, tmp_path, trainer, source, case):
    damage, fault = case
    shutil.copytree(models / source, tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(BadConfiguration) as refused:
        check(trainer.config(tmp_path, model__uri="workspace://model"))
    sentence = str(refused.value)
    assert sentence.startswith("spec.model.uri: workspace://model ")
    assert fault in sentence
    assert "; " in sentence and "\n" not in sentence, "one sentence, which says what to do"


def with_old_buffers(shapes):
    shapes.update({f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": (2,) for layer in range(2)})


def without_prefix(shapes):
    for name in [name for name in shapes if name.startswith("transformer.")]:
        shapes[name.removeprefix("transformer.")] = shapes.pop(name)
    shapes["h.0.attn.bias"] = (1, 1, 24, 24)


def only_the_head(shapes):
    shapes["lm_head.weight"] = shapes.pop("model.embed_tokens.weight")


@pytest.mark.parametrize(
    ("family", "settings", "damage"),
    [
        *((family, {}, None) for family in FAMILIES),
        ("llama", {"auto_map": {"AutoConfig": "code.Config"}}, None),
        ("llama", {"dtype": "bfloat16", "pad_token_id": -1}, tensors_with(lambda shapes: None, "BF16")),
        ("llama", {}, tensors_with(with_old_buffers)),
        ("llama", {"tie_word_embeddings": True}, tensors_with(only_the_head)),
        ("qwen2", {"tie_word_embeddings": True}, tensors_with(lambda shapes: shapes.update({"lm_head.weight": (12, 8)}))),
        ("gpt2", {"n_positions": 24}, tensors_with(without_prefix)),
        ("llama", {}, split),
        # Only transformers can tell what these need; the first process of the stage compares.
        ("mixtral", {}, tensors_with(lambda shapes: shapes.clear() or shapes.update({"anything": (1,)}))),
    ],
)
def test_a_whole_model_passes(tmp_path, family, settings, damage):
    grouped = {} if family in ("bloom", "gpt2") else {"num_key_value_heads": 2}
    known = family if family in FAMILIES else "llama"
    folder = make(tmp_path / "model", known, **grouped, **settings)
    config_with(model_type=family)(folder)
    if damage:
        config_with(model_type=known)(folder)
        damage(folder)
        config_with(model_type=family)(folder)
    assert fault_of(folder) is None


def test_a_damaged_model_of_the_stage_before_is_refused(tmp_path, trainer, models):
    shutil.copytree(models / "whole", tmp_path / "job" / "sft" / "model")
    os.truncate(tmp_path / "job" / "sft" / "model" / WHOLE, 100)
    with pytest.raises(BadConfiguration) as refused:
        check(trainer.config(tmp_path, "dpo"))
    assert str(refused.value) == (
        f"the model of the stage before has a {WHOLE} of 100 bytes that is truncated or no safetensors file{AGAIN}, "
        "or run that stage again"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_named(tmp_path):
    folder = make(tmp_path / "model")
    (folder / WHOLE).chmod(0)
    assert fault_of(folder) == f"cannot be read: {folder / WHOLE} (Permission denied); change its permissions"


def test_a_model_of_many_files_is_checked_without_reading_weights(tmp_path):
    folder = make(tmp_path / "model")
    shapes = shapes_of({"model_type": "llama", **SIZES, "num_hidden_layers": 60})
    config_with(num_hidden_layers=60)(folder)
    (folder / WHOLE).unlink()
    places = {}
    for number, (name, shape) in enumerate(shapes.items()):
        places[name] = f"model-{number}.safetensors"
        write(folder / places[name], {name: shape})
    index_with(weight_map=places)(folder)
    assert len(places) > 500
    assert fault_of(folder) is None
