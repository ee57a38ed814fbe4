"""The formats of llm-compressor: what is in their files, and what plain transformers predicts with them in a fresh process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from alignment_trainer.exporting.limits import size_fault
from alignment_trainer.exporting.linear import linear_layers
from alignment_trainer.exporting.sizes import size_of
from alignment_trainer.exporting.writing.rounding import Rounding, round_weights
from alignment_trainer.model_folder.weights import weights_digest
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

PREDICT = """
import json, sys
import torch
from transformers import AutoModelForCausalLM

@torch.inference_mode()
def compared(folders, texts):
    one, other = (
        AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()(torch.tensor(texts)).logits.float().log_softmax(-1)
        for folder in folders
    )
    return {
        "divergence": (one.exp() * (one - other)).sum(-1).mean().item(),
        "agreement": (one.argmax(-1) == other.argmax(-1)).float().mean().item(),
        "surprise": (one.exp() * -one).sum(-1).mean().item(),
    }

texts, pairs = json.load(sys.stdin)
found = {name: compared(folders, texts) for name, folders in pairs.items()}
assert not any(name.startswith("alignment") for name in sys.modules)
print(json.dumps(found))
"""
SIZES = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
GROUPS = {"num_key_value_heads": 2}


class Case(NamedTuple):
    """A model in one format."""

    quantization: str
    dtype: str
    share: float
    """Of 16 bit that linear layers have."""
    divergence: float
    """The most nats per token; from a model that finds all tokens equally likely it would be 0.6."""
    family: str = "mistral"
    changes: dict[str, object] = {}
    shard: str = "1GB"
    """The most bytes of one file."""


CASES = {
    "W8A16, several shards": Case("W8A16", "I32", 0.508, 0.002, shard="200KB"),
    "W4A16": Case("W4A16", "I32", 0.258, 0.15),
    "W4A16, another name of the head": Case("W4A16", "I32", 0.265, 0.15, family="gpt_neox"),
    "GPTQ": Case("GPTQ", "I32", 0.258, 0.1),
    "FP8, tied embeddings": Case("FP8", "F8_E4M3", 0.508, 0.05, family="qwen2", changes={"tie_word_embeddings": True}),
}
TEXTS = torch.randint(6, 250, (32, 48), generator=torch.Generator().manual_seed(3)).tolist()


class Rounded(NamedTuple):
    """What was written, and of what."""

    original: Path
    written: Path


def make(case: Case, folder: Path, tokenizer: object) -> None:
    """Write a model whose layers have large weights, so that each of them counts."""
    torch.manual_seed(0)
    sizes = {**SIZES, **(GROUPS if case.family != "gpt_neox" else {}), **case.changes}
    configuration = AutoConfig.for_model(case.family, vocab_size=len(tokenizer), initializer_range=0.1, **sizes)
    AutoModelForCausalLM.from_config(configuration).save_pretrained(folder, max_shard_size=case.shard)
    tokenizer.save_pretrained(folder)


def round_to(original: Path, written: Path, quantization: str, texts: list[list[int]]) -> Path:
    round_weights(Rounding(original=original, target=written, quantization=quantization, device="cpu", texts=texts))
    return written


@pytest.fixture(scope="module")
def rounded(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rounded]:
    """All cases, rounded one after the other by one process: llm-compressor takes seconds to load."""
    root, tokenizer = tmp_path_factory.mktemp("rounded"), AutoTokenizer.from_pretrained(workspace / "inputs/tiny/model")
    found = {}
    for number, (name, case) in enumerate(CASES.items()):
        original = root / f"original-{number}"
        make(case, original, tokenizer)
        texts = TEXTS if case.quantization == "GPTQ" else []
        found[name] = Rounded(original, round_to(original, root / f"written-{number}", case.quantization, texts))
    return found


@pytest.fixture(scope="module")
def predicted(rounded: dict[str, Rounded]) -> dict[str, dict[str, float]]:
    """What a fresh process with transformers alone predicts with each of them."""
    pairs = {name: list(map(str, one)) for name, one in rounded.items()}
    done = subprocess.run([sys.executable, "-c", PREDICT], input=json.dumps([TEXTS, pairs]), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", CASES)
def test_all_linear_layers_but_the_head_are_rounded(rounded: dict[str, Rounded], name: str) -> None:
    case, (original, written) = CASES[name], rounded[name]
    layers = linear_layers(original)
    after = size_of(written, layers)
    assert size_fault(case.quantization, sum(layers.values()), after) is None
    assert after.linear_bytes / (2 * sum(layers.values())) == pytest.approx(case.share, abs=0.003)
    assert after.dtypes[case.dtype] == len(layers)
    # Nothing else is rounded, and nothing is written twice.
    others = [size.all_bytes - size.linear_bytes for size in (size_of(original, layers), after)]
    assert others[1] == others[0] / 2


@pytest.mark.parametrize("name", CASES)
def test_plain_transformers_predicts_what_the_original_predicts(predicted: dict[str, dict[str, float]], name: str) -> None:
    print(name, predicted[name])
    assert 0 < predicted[name]["divergence"] < CASES[name].divergence


def test_the_texts_of_calibration_decide_and_nothing_else_does(
    rounded: dict[str, Rounded], predicted: dict[str, dict[str, float]], tmp_path: Path
) -> None:
    original, written = rounded["GPTQ"]
    again = round_to(original, tmp_path / "again", "GPTQ", TEXTS)
    other = round_to(original, tmp_path / "other", "GPTQ", [ids[::-1] for ids in TEXTS])
    assert weights_digest(again) == weights_digest(written) != weights_digest(other)
    assert predicted["GPTQ"]["divergence"] < predicted["W4A16"]["divergence"]
