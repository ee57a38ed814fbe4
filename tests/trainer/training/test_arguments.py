import pytest
from alignment_trainer.settings.training import training_settings
from alignment_trainer.training.arguments import training_arguments
from transformers import TrainingArguments


def arguments(workspace, trainer, is_resumed=False, **changes):
    config = trainer.config(workspace, **changes)
    return training_arguments(config, training_settings(config), is_resumed)


@pytest.mark.parametrize(
    ("warmup", "steps_of_100"),
    [
        ({"fraction": 0}, 0),
        ({"fraction": 0.1}, 10),
        ({"fraction": 1}, 100),
        ({"steps": 0}, 0),
        ({"steps": 1}, 1),
        ({"steps": 30}, 30),
    ],
)
def test_warmup_in_steps_of_100(workspace, trainer, tmp_path, warmup, steps_of_100):
    given = arguments(workspace, trainer, sft__optimization__warmup=warmup)
    assert TrainingArguments(**{**given, "output_dir": str(tmp_path)}).get_warmup_steps(100) == steps_of_100


def test_evaluation_before_the_first_step_but_not_after_a_resume(workspace, trainer):
    assert arguments(workspace, trainer)["eval_on_start"]
    assert not arguments(workspace, trainer, is_resumed=True)["eval_on_start"]


def test_no_holdout_no_evaluation(workspace, trainer):
    given = arguments(workspace, trainer, sft__holdout=None)
    assert given["eval_strategy"] == "no"


@pytest.mark.parametrize(
    ("field", "value", "name", "expected"),
    [
        ("sft__optimization__optimizer", "AdamW8bit", "optim", "adamw_bnb_8bit"),
        ("sft__optimization__optimizer", "RMSprop", "optim", "rmsprop"),
        ("sft__optimization__schedule", "Constant", "lr_scheduler_type", "constant_with_warmup"),
        ("sft__optimization__schedule", "Linear", "lr_scheduler_type", "linear"),
        ("sft__optimization__weightDecay", 0.1, "weight_decay", 0.1),
        ("sft__optimization__maximumGradientNorm", 0.3, "max_grad_norm", 0.3),
        ("sft__optimization__seed", 7, "seed", 7),
        ("sft__precision", "BFloat16", "bf16", True),
        ("compute__gradientCheckpointing", True, "activation_checkpointing", True),
    ],
)
def test_settings_are_passed_on(workspace, trainer, field, value, name, expected):
    assert arguments(workspace, trainer, **{field: value})[name] == expected
