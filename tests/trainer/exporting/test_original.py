"""Weights that were trained from others than those of the stage before are not exported."""

import pytest
import torch
from alignment_trainer.exporting.original import Ancestor, check_lineage
from alignment_trainer.failures import BadData
from alignment_trainer.models import merging
from alignment_trainer.settings.training import training_settings
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM


def stage(name, start, made):
    return Ancestor(name, {"weights": {"start": start, "made": made}})


@pytest.mark.parametrize(
    ("ancestors", "base"),
    [
        ([], "a"),
        ([stage("sft", "a", "b"), stage("dpo", "b", "c")], "a"),
        ([stage("sft", "a", "b")], None),
        ([Ancestor("sft", {}), stage("dpo", "b", "c")], "a"),
    ],
    ids=["the job's model", "two stages", "unknown base", "a stage of an earlier version"],
)
def test_a_chain_of_weights_is_accepted(ancestors, base):
    check_lineage(ancestors, base)


@pytest.mark.parametrize(
    ("ancestors", "base", "sentence"),
    [
        ([stage("sft", "a", "b")], "x", r"stage 'sft' was trained from weights with the hash a, and those of 'base' have x now"),
        ([stage("sft", "a", "b"), stage("dpo", "y", "c")], "a", r"stage 'dpo' .* hash y, and those of 'sft' have b now"),
    ],
    ids=["another base", "another stage"],
)
def test_a_broken_chain_is_refused(ancestors, base, sentence):
    with pytest.raises(BadData, match=sentence):
        check_lineage(ancestors, base)


def test_a_merged_model_predicts_what_base_and_adapter_predict(workspace, tmp_path, trainer):
    start = workspace / "inputs/tiny/model"
    adapted = get_peft_model(
        AutoModelForCausalLM.from_pretrained(start), LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    torch.manual_seed(0)
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            weight.data = torch.randn(weight.shape) * 0.1
    adapted.save_pretrained(tmp_path / "adapter")
    config = trainer.config(tmp_path, sft__adapter={"lora": {"rank": 4}})
    (tmp_path / "merged").mkdir()
    merging.merge(start, tmp_path / "adapter", training_settings(config), tmp_path / "merged", torch.device("cpu"))
    ids = torch.arange(5, 45)[None]
    with torch.inference_mode():
        wanted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(start), tmp_path / "adapter")(ids).logits
        merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")(ids).logits
        base = AutoModelForCausalLM.from_pretrained(start)(ids).logits
    assert float((merged - wanted).abs().max()) < 1e-4
    assert float((base - wanted).abs().max()) > 0.1
