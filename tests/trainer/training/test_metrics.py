"""The metrics of the short job's real runs are those that the API names and that docs/metrics.md explains."""

import re
from pathlib import Path

import pytest
from alignment_api import metrics
from measured_metrics import DPO_METRICS, SFT_METRICS

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
PROGRESS = {metrics.TOTAL_STEPS, metrics.SECONDS_LEFT}


def named():
    """Return the names of all metrics."""
    return {value for value in vars(metrics).values() if isinstance(value, str) and re.fullmatch(r"[a-z]+/[a-z_/]+", value)}


def test_the_page_explains_each_metric_and_no_other():
    groups = "|".join(sorted({name.partition("/")[0] for name in named()}))
    # What stands in capital letters differs from stage to stage: a reason, a model.
    assert set(re.findall(rf"`((?:{groups})/[a-z_]+(?:/[a-z_]+)*)(?:/[A-Z]+)*`", PAGE.read_text())) == named()


@pytest.mark.parametrize(("stage", "names"), [("sft", SFT_METRICS), ("dpo", DPO_METRICS)], ids=["sft", "dpo"])
def test_a_run_on_cpus_has_all_metrics_but_those_of_a_gpu(finished, trainer, stage, names):
    measured = {name for point in trainer.points(finished / "job" / stage) for name in point["metrics"]}
    assert measured == {*names, metrics.MEMORY_RESIDENT} | PROGRESS


def test_amounts_cover_the_whole_batch(finished, trainer):
    folder = finished / "job" / "dpo"
    assert set(trainer.values(folder, metrics.PAIRS).values()) == {8.0}
    assert set(trainer.values(folder, metrics.EVALUATION_PAIRS).values()) == {16.0}
    assert trainer.values(folder, metrics.ROWS_HELD_OUT) == {0: 16.0}


def test_kl_is_the_mean_reward_divided_by_beta(finished, trainer):
    folder, beta = finished / "job" / "dpo", 0.1
    chosen, rejected = (trainer.values(folder, name) for name in (metrics.REWARD_CHOSEN, metrics.REWARD_REJECTED))
    expected = {step: pytest.approx((chosen[step] + rejected[step]) / 2 / beta) for step in chosen}
    assert trainer.values(folder, metrics.KL) == expected
