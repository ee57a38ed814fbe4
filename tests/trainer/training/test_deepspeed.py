import pytest
from alignment_trainer.settings.training import training_settings
from alignment_trainer.training.deepspeed import deepspeed_config


def zero(workspace, trainer, **compute):
    config = trainer.config(workspace, **{f"compute__{name}": value for name, value in compute.items()})
    return deepspeed_config(training_settings(config))


def test_without_sharding_there_is_no_configuration(workspace, trainer):
    assert zero(workspace, trainer) is None


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        ({"sharding": "ZeRO1"}, {"stage": 1}),
        ({"sharding": "ZeRO2"}, {"stage": 2}),
        ({"sharding": "ZeRO3"}, {"stage": 3, "stage3_gather_16bit_weights_on_model_save": True}),
        ({"sharding": "ZeRO2", "offload": "Optimizer"}, {"offload_optimizer": {"device": "cpu", "pin_memory": False}}),
        ({"sharding": "ZeRO3", "offload": "OptimizerAndParameters"}, {"offload_param": {"device": "cpu", "pin_memory": False}}),
        ({"sharding": "ZeRO2", "gpusPerNode": 2}, {"stage": 2, "overlap_comm": True}),
    ],
)
def test_sharding_and_offload(workspace, trainer, compute, expected):
    config = zero(workspace, trainer, **compute)
    assert expected.items() <= config["zero_optimization"].items()
    assert "offload_param" not in config["zero_optimization"] or "offload_param" in expected
    # A DeepSpeed optimizer would be compiled when training starts; ours is torch's.
    assert "optimizer" not in config
    assert config["zero_force_ds_cpu_optimizer"] is False


@pytest.mark.parametrize(("precision", "enabled"), [("BFloat16", True), ("Float32", False)])
def test_number_format(workspace, trainer, precision, enabled):
    config = trainer.config(workspace, compute__sharding="ZeRO2", sft__precision=precision)
    assert deepspeed_config(training_settings(config))["bf16"] == {"enabled": enabled}
