import pytest
from alignment_trainer.training.hardware import Work, flops_per_token, peak_flops, rates


@pytest.mark.parametrize(
    ("devices", "peak"),
    [
        (["NVIDIA A100-SXM4-80GB"], 312e12),
        (["NVIDIA H100 80GB HBM3"] * 16, 16 * 989e12),
        (["NVIDIA H100 PCIe"], 756e12),
        (["NVIDIA H100 NVL"], 835e12),
        (["NVIDIA H200"], 989e12),
        (["NVIDIA A10"], 125e12),
        (["NVIDIA A10G"], None),
        (["NVIDIA H200", "NVIDIA TITAN V"], None),
        ([], None),
    ],
)
def test_peak_flops_by_gpu_name(devices, peak):
    assert peak_flops(devices) == peak


def test_rates_of_a_step():
    work = Work(flops_per_token(10**9, trains_all=True), 100e12)
    assert rates({"tokens": 2000.0, "pairs": 8.0, "loss": 1.0}, 0.5, work) == {
        "tokens_per_second": 4000.0,
        "pairs_per_second": 16.0,
        "model_flops_utilization": 4000 * 6e9 / 100e12,
    }
    assert rates({"tokens": 2000.0}, 2.0, Work(6e9, None)) == {"tokens_per_second": 1000.0}


def test_frozen_weights_cost_no_gradient():
    assert flops_per_token(100, trains_all=False) / flops_per_token(100, trains_all=True) == pytest.approx(2 / 3)
