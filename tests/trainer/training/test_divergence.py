import math
import random
import shutil

import pytest
from alignment_api import metrics
from alignment_trainer.training.divergence import PATIENCE, SMOOTHED_OVER, LossWatch


def stops_at(losses):
    watch = LossWatch()
    for step, loss in enumerate(losses, start=1):
        watch.add(loss)
        if watch.has_diverged:
            return step
    return None


def curve(level, steps, noise, seed=0):
    draw = random.Random(seed)
    return [max(0.0, level(step) + draw.gauss(0, noise)) for step in range(steps)]


def dpo(margin, steps, seed=0):
    """Losses of single pairs with the given margins, and the spread that pairs have."""
    draw = random.Random(seed)
    return [math.log1p(math.exp(-draw.gauss(margin(step), 1.5))) for step in range(steps)]


NORMAL = {
    "sft": curve(lambda step: 1 + math.exp(-step / 200), 2000, 0.2),
    "sft from scratch": curve(lambda step: 0.2 + 6 * math.exp(-step / 50), 1000, 0.1),
    "sft that learns nothing": curve(lambda step: 2.0, 2000, 0.5),
    "a spike in warm-up": curve(lambda step: 9.0 if 30 <= step < 60 else 1.5, 1000, 0.2),
    "spikes of one step": curve(lambda step: 50.0 if step % 97 == 0 else 1.0, 1000, 0.1),
    "a lucky stretch, then harder data": curve(lambda step: 0.3 if 100 < step < 200 else 1.9, 1000, 0.2),
    "dpo by single pairs": dpo(lambda step: step / 500, 3000),
    "dpo that learns nothing": dpo(lambda step: 0.0, 3000),
    "dpo that overfits and is noisy": dpo(lambda step: 3.0 * (step % 700) / 700, 3000),
    "ipo": curve(lambda step: 25 * math.exp(-step / 300), 1000, 3),
    "below zero": [0.7 - step / 100 + 0.5 * math.sin(step) for step in range(600)],
    "epochs in steps": curve(lambda step: 2.0 - 0.5 * (step // 300), 900, 0.2),
    "shorter than anything": [1.0, 2.0, 30.0],
}

DIVERGED = {
    "a blow-up": (curve(lambda step: 1.5 if step < 300 else 9.0, 1000, 0.2), 300),
    "all that was learned is lost": (curve(lambda step: 6.5 if step > 400 else 0.2 + 6 * math.exp(-step / 50), 1000, 0.1), 400),
    "a slow climb": (curve(lambda step: 1 + step / 100, 2000, 0.2), 100),
    "dpo the wrong way": (dpo(lambda step: 0.5 if step < 200 else -4.0, 1000), 200),
}


@pytest.mark.parametrize("losses", NORMAL.values(), ids=NORMAL)
def test_normal_curves_go_on(losses):
    assert stops_at(losses) is None


@pytest.mark.parametrize("seed", range(50))
def test_noise_of_pairs_never_stops_a_run(seed):
    assert stops_at(dpo(lambda step: step / 1000, 5000, seed)) is None


@pytest.mark.parametrize(("losses", "since"), DIVERGED.values(), ids=DIVERGED)
def test_divergence_is_found_after_patience(losses, since):
    step = stops_at(losses)
    assert step is not None
    assert since + PATIENCE <= step <= since + PATIENCE + 5 * SMOOTHED_OVER


def test_a_diverged_stage_fails_without_retry_and_keeps_its_last_good_checkpoint(finished, tmp_path, trainer):
    shutil.copytree(finished / "inputs", tmp_path / "inputs")
    # A model that has learned its rows, and a learning rate that makes it forget them.
    shutil.copytree(finished / "job" / "sft" / "model", tmp_path / "inputs" / "learned")
    changes = {
        "model__uri": "workspace://inputs/learned",
        "compute__processesPerNode": 1,
        # All of them: on a fifth of them the loss did not stay high.
        "sft__datasets": [{"uri": "workspace://inputs/tiny/sft.jsonl"}],
        "sft__optimization": {
            "learningRate": 1.0,
            "schedule": "Constant",
            "warmup": {"steps": 60},
            "maxSteps": 400,
            "globalBatchSize": 8,
        },
        "sft__holdout": None,
        "sft__checkpoint": {"everySteps": 5, "keep": 2},
    }
    result = trainer.train(trainer.config(tmp_path, **changes), tmp_path)
    assert (result.code, result.termination.reason) == (70, "Diverged"), result.output
    assert f"for {PATIENCE} steps" in result.termination.message
    stage = tmp_path / "job" / "sft"
    ended = max(trainer.values(stage, metrics.LOSS))
    kept = sorted(int(folder.name.removeprefix("step-")) for folder in (stage / "checkpoints").glob("step-*"))
    assert len(kept) == 3
    assert kept[0] <= ended - PATIENCE < kept[0] + 5
