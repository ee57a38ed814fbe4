"""A bad model is a permanent fault, in one sentence; a fault of the machine, of another process or of ours is passed on."""

import errno
import json
from types import FunctionType

import pytest
import torch
from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.models.load_faults import loading
from huggingface_hub.errors import StrictDataclassFieldValidationError
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

NAME = "spec.model.uri: workspace://model"


def raised_in(module, error, inner=None):
    """Raise an error in a module, or in an inner one that this module calls."""

    def fail():
        if inner:
            raised_in(inner, error)
        raise error

    FunctionType(fail.__code__, {"__name__": module, "raised_in": raised_in}, closure=fail.__closure__)()


@pytest.mark.parametrize(
    ("module", "error", "cause"),
    [
        ("transformers.configuration_utils", KeyError("gelu9"), "it does not know 'gelu9'"),
        ("transformers", ValueError("\n  first\nsecond"), "ValueError: first"),
        ("transformers.models.llama", TypeError("must be real number, not str"), "TypeError: must be real number, not str"),
        ("transformers.models.llama", AttributeError("'int' object has no attribute 'get'"), "AttributeError: 'int' object"),
        ("transformers.models.llama", ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        ("transformers.models.llama", AssertionError(), "AssertionError"),
        (
            "transformers.configuration_utils",
            StrictDataclassFieldValidationError("vocab_size", TypeError("got 'many'")),
            "StrictDataclassFieldValidationError: Validation error for field 'vocab_size'",
        ),
        ("transformers.tokenization_utils_tokenizers", Exception("data did not match any variant"), "Exception: data did not"),
        (
            "transformers.utils.loading_report",
            RuntimeError("You set `ignore_mismatched_sizes` to `False`, thus raising an error."),
            "RuntimeError: You set `ignore_mismatched_sizes`",
        ),
        # Without a number: a folder lacks a file.
        (
            "transformers.utils.hub",
            OSError("model does not appear to have a file named vocab.json"),
            "OSError: model does not appear",
        ),
        # Raised by compiled code.
        (__name__, SafetensorError("Error while deserializing header: header too large"), "SafetensorError: Error while"),
    ],
)
def test_a_bad_model_gets_one_sentence(module, error, cause):
    with pytest.raises(BadConfiguration) as refused, loading("its tokenizer", NAME):
        raised_in(module, error)
    sentence = str(refused.value)
    assert sentence.startswith(f"{NAME}: transformers cannot load its tokenizer ({cause}")
    assert sentence.endswith("); copy the model's files again, or name another model")
    assert "\n" not in sentence


@pytest.mark.parametrize("module", ["transformers.modeling_utils", __name__])
@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] . DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("[gloo/transport/tcp/pair.cc:1] Connection closed by peer [10.0.0.1]:1"),
        RuntimeError("[Rank 1] Watchdog caught collective operation timeout"),
        RuntimeError("HIP error: out of memory"),
        RuntimeError("unable to mmap 5 bytes from file <model.safetensors>: Cannot allocate memory (12)"),
        SafetensorError("I/O error: Cannot allocate memory (os error 12)"),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ESTALE, "Stale file handle"),
        FileNotFoundError(errno.ENOENT, "No such file or directory"),
        TimeoutError("timed out"),
        ConnectionError("refused"),
        ImportError("bitsandbytes is not installed"),
        NameError("name 'x' is not defined"),
        NotImplementedError("not in this version"),
        BadData("a sentence of its own"),
    ],
    ids=repr,
)
def test_what_the_machine_or_another_process_or_a_library_lacks_is_passed_on(module, error):
    check_passed_on(module, error)


@pytest.mark.parametrize(
    ("module", "error"),
    [
        ("alignment_trainer.models.loading", AssertionError("ours")),
        ("alignment_trainer.models.tokenizer", KeyError("templateHash")),
        ("alignment_trainer.models.loading", OSError("without a number")),
        ("torch.nn.modules.sparse", ValueError("of a call of ours")),
        ("transformers.quantizers.quantizer_bnb_4bit", ValueError("Some modules are dispatched on the CPU")),
        ("transformers.integrations.deepspeed", ValueError("needs another version")),
    ],
)
def test_what_is_ours_is_passed_on(module, error):
    check_passed_on(module, error)


def test_what_deepspeed_raises_while_transformers_builds_a_model_is_passed_on():
    check_passed_on("transformers.modeling_utils", AssertionError("DeepSpeed needs a process group"), "deepspeed.zero")


def test_a_bad_value_is_found_behind_what_deepspeed_wraps():
    with pytest.raises(BadConfiguration), loading("its weights", NAME):
        raised_in("deepspeed.zero", KeyError("gelu9"), "transformers.activations")


def check_passed_on(module, *rest):
    error = rest[0]
    with pytest.raises(type(error)) as raised, loading("its weights", NAME):
        raised_in(module, *rest)
    assert raised.value is error


def in_file(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def in_config(**settings):
    def damage(folder):
        document = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**document, **settings}))

    return damage


def read_header(folder):
    with safe_open(folder / "model.safetensors", framework="pt"):
        pass


@pytest.mark.parametrize(
    ("damage", "load"),
    [
        (in_file("config.json", b"{"), AutoConfig.from_pretrained),
        (in_config(model_type="unheard"), AutoConfig.from_pretrained),
        (in_config(vocab_size="many"), AutoConfig.from_pretrained),
        (in_config(hidden_act="gelu9"), AutoModelForCausalLM.from_pretrained),
        (in_config(rope_scaling={"rope_type": "spiral"}), AutoModelForCausalLM.from_pretrained),
        (in_config(pad_token_id=1_000_000), AutoModelForCausalLM.from_pretrained),
        (in_config(hidden_size=24), AutoModelForCausalLM.from_pretrained),
        (lambda folder: (folder / "model.safetensors").unlink(), AutoModelForCausalLM.from_pretrained),
        (in_file("model.safetensors", b"torn"), AutoModelForCausalLM.from_pretrained),
        (in_file("model.safetensors", b"torn"), read_header),
        (in_file("tokenizer.json", b"{}"), AutoTokenizer.from_pretrained),
        (in_file("tokenizer.json", b'{"model": {"type": "BPE", "vocab": []}}'), AutoTokenizer.from_pretrained),
        (in_file("tokenizer_config.json", b'{"tokenizer_class": 5}'), AutoTokenizer.from_pretrained),
    ],
)
def test_what_the_libraries_raise_for_damaged_files_means_a_bad_model(own_workspace, damage, load):
    folder = own_workspace / "inputs" / "tiny" / "model"
    damage(folder)
    with pytest.raises(BadConfiguration, match="transformers cannot load it"), loading("it", NAME):
        load(folder)
