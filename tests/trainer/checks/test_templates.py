"""The template of a model on the volume is tried before any process starts, and without torch."""

import json
import subprocess
import sys

import pytest
from alignment_trainer.checks.preflight import check
from alignment_trainer.failures import BadConfiguration, BadData
from template_families import FAMILIES, UNFIT

MODEL, SFT, PREFERENCES = "inputs/tiny/model", "inputs/tiny/sft.jsonl", "inputs/tiny/preferences.jsonl"
ADVICE = ", so the answers cannot be distinguished from the rest; choose Zephyr or ChatML, or set assistantOnlyLoss to false"
BROKEN = "{% for m in messages %}\n{{ m.content }\n{% endfor %}"


def put(root, template):
    for file in (root / MODEL).glob("*.jinja"):
        file.unlink()
    if template is not None:
        (root / MODEL / "chat_template.jinja").write_text(template)


def refusal(config, failure=BadConfiguration):
    with pytest.raises(failure) as refused:
        check(config)
    return str(refused.value)


def test_a_template_without_marks_passes(own_workspace, trainer):
    put(own_workspace, FAMILIES["no text that opens an answer"].template)
    check(trainer.config(own_workspace))


def test_a_template_in_which_no_answer_is_found_is_refused_by_name(own_workspace, trainer):
    template, said = UNFIT["no end token after earlier answers"]
    put(own_workspace, template)
    assert refusal(trainer.config(own_workspace)) == f"spec.model.chatTemplate: {said}{ADVICE}"


@pytest.mark.parametrize("changes", [{"sft__assistantOnlyLoss": False}, {"model__chatTemplate": "ChatML"}], ids=str)
def test_a_job_that_follows_the_advice_passes(own_workspace, trainer, changes):
    put(own_workspace, UNFIT["no end token after earlier answers"][0])
    check(trainer.config(own_workspace, **changes))


@pytest.mark.parametrize("changes", [{}, {"sft__assistantOnlyLoss": False}], ids=str)
def test_a_template_that_does_not_parse_is_another_fault(own_workspace, trainer, changes):
    put(own_workspace, BROKEN)
    assert refusal(trainer.config(own_workspace, **changes)) == (
        "spec.model.chatTemplate: the model's own chat template is not valid Jinja (line 2: unexpected '}'); "
        "correct it in the model's folder, or choose Zephyr or ChatML"
    )


def test_without_a_template_dialogues_are_refused_with_their_place_and_texts_are_not(own_workspace, trainer):
    put(own_workspace, None)
    rows = [{"prompt": "A pig says", "completion": " oink."}, {"instruction": "Say oink.", "output": "Oink."}]
    (own_workspace / SFT).write_text("".join(json.dumps(row) + "\n" for row in rows))
    pairs = [{"prompt": "A pig says", "chosen": " oink.", "rejected": " moo."}]
    (own_workspace / PREFERENCES).write_text("".join(json.dumps(row) + "\n" for row in pairs))
    config = trainer.config(own_workspace, sft__holdout=None, dpo__holdout=None)
    assert refusal(config, BadData) == (
        f"{SFT}:2: is a dialogue, but the model's tokenizer has no chat template; "
        "set spec.model.chatTemplate to Zephyr or ChatML (spec.stages[0].sft.datasets[0].uri)"
    )
    (own_workspace / SFT).write_text(json.dumps(rows[0]) + "\n")
    check(config)


def test_a_later_stage_from_the_base_model_is_checked_too(own_workspace, trainer):
    put(own_workspace, BROKEN)
    config = trainer.config(own_workspace)
    stages = [config.spec.stages[1].model_copy(update={"name": "first", "model": None}), *config.spec.stages]
    later = config.model_copy(update={"spec": config.spec.model_copy(update={"stages": stages}), "stage_name": "first"})
    assert "is not valid Jinja" in refusal(later)


def test_a_model_of_the_hub_that_is_not_there_yet_passes(own_workspace, trainer):
    check(trainer.config(own_workspace, model__uri="hf://someone/something"))


def test_no_torch_is_loaded(own_workspace, trainer):
    put(own_workspace, FAMILIES["no text that opens an answer"].template)
    config = trainer.config(own_workspace).model_dump_json(by_alias=True, exclude_none=True)
    program = (
        "import sys; from alignment_api.run_config import RunConfig; from alignment_trainer.checks.preflight import check; "
        "check(RunConfig.model_validate_json(sys.stdin.read())); "
        "assert not {'torch', 'transformers', 'trl'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], input=config, text=True, check=True)
