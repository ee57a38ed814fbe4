"""Faults at random moments, again and again: each next attempt resumes, and the result is that of an undisturbed run."""

import json
import os
import random
import shutil
import signal
import time

import pytest
from alignment_api import metrics
from alignment_trainer.model_folder.weights import weights_digest
from alignment_trainer.workspace.checkpoints import newest_step

pytestmark = pytest.mark.long

KILLS, STOPS = {"sft": 20, "dpo": 8}, {"sft": 10, "dpo": 4}
SAVE_STEPS = 4
VICTIMS = ("first process", "second process", "supervisor", "while saving")


@pytest.fixture(scope="module", params=["sft", "dpo"])
def stage(request):
    """The stage that is disturbed."""
    return request.param


@pytest.fixture(scope="module")
def long_config(trainer, stage):
    """Settings of a stage that is long enough for all faults."""

    def config(root, attempt):
        changes = {
            "optimization__maxSteps": 20 * KILLS[stage],
            "checkpoint": {"everySteps": SAVE_STEPS},
            "evaluation": {"everySteps": 40},
        }
        return trainer.config(root, stage, attempt=attempt, **{f"{stage}__{name}": value for name, value in changes.items()})

    return config


@pytest.fixture(scope="module")
def before_it(finished, stage, tmp_path_factory):
    """A workspace with the stage's inputs and no results of its own."""
    root = tmp_path_factory.mktemp("before")
    for folder in ("inputs", "job"):
        shutil.copytree(finished / folder, root / folder)
    for later in ("sft", "dpo") if stage == "sft" else ("dpo",):
        shutil.rmtree(root / "job" / later)
    return root


@pytest.fixture(scope="module")
def undisturbed(before_it, stage, tmp_path_factory, trainer, long_config):
    """The stage, run without a fault."""
    root = tmp_path_factory.mktemp("undisturbed") / "root"
    shutil.copytree(before_it, root)
    result = trainer.attempt(long_config(root, 1), root).wait()
    assert result.code == 0, result.output
    return root / "job" / stage


@pytest.fixture
def fresh(before_it, tmp_path):
    """Another workspace with the stage's inputs."""
    shutil.copytree(before_it, tmp_path, dirs_exist_ok=True)
    return tmp_path


def step_reached(folder):
    """Return the highest step in the journal; an unfinished line does not count."""
    path = folder / "metrics.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return max((json.loads(line)["step"] for line in lines), default=0)


def is_saving(folder):
    """Return whether files of an unfinished checkpoint exist."""
    staging = folder / "checkpoints" / ".staging"
    return staging.exists() and any(staging.rglob("*.safetensors"))


def strike(attempt, victim):
    """Kill one process without warning."""
    if victim == "supervisor":
        attempt.process.kill()
    else:
        ranks = sorted(attempt.processes()["rank"])
        os.kill(ranks[1 if victim == "second process" else 0], signal.SIGKILL)


def gone(attempt):
    """Wait until no process of an attempt is left."""
    attempt.process.wait(120)
    deadline = time.monotonic() + 60
    while any(attempt.processes().values()):
        assert time.monotonic() < deadline, attempt.processes()
        time.sleep(0.05)


def expect_as_if_nothing_had_been(folder, undisturbed, trainer):
    assert trainer.values(folder, metrics.LOSS) == trainer.values(undisturbed, metrics.LOSS)
    assert weights_digest(folder / "model") == weights_digest(undisturbed / "model")


def test_killed_at_random_moments(fresh, undisturbed, long_config, stage, trainer):
    draw = random.Random(11)
    for number in range(1, KILLS[stage] + 1):
        victim = VICTIMS[number % len(VICTIMS)]
        attempt = trainer.attempt(long_config(fresh, number), fresh)
        before = newest_step(attempt.stage) or 0
        # At least one more checkpoint each time, or the job would never end.
        attempt.wait_until(lambda folder=attempt.stage, least=before: (newest_step(folder) or 0) > least)
        time.sleep(draw.uniform(0, 0.4))
        if victim == "while saving":
            attempt.wait_until(lambda folder=attempt.stage: is_saving(folder))
        strike(attempt, victim)
        gone(attempt)
        lost = step_reached(attempt.stage) - (newest_step(attempt.stage) or 0)
        assert 0 <= lost <= SAVE_STEPS, (victim, lost)
    result = trainer.attempt(long_config(fresh, KILLS[stage] + 1), fresh).wait()
    assert result.code == 0, result.output
    expect_as_if_nothing_had_been(fresh / "job" / stage, undisturbed, trainer)


def test_stopped_again_and_again(fresh, undisturbed, long_config, stage, trainer):
    draw = random.Random(12)
    for number in range(1, STOPS[stage] + 1):
        attempt = trainer.attempt(long_config(fresh, number), fresh)
        before = newest_step(attempt.stage) or 0
        attempt.wait_until(lambda folder=attempt.stage, least=before: step_reached(folder) > least + 2)
        time.sleep(draw.uniform(0, 0.5))
        attempt.stop()
        result = attempt.wait()
        assert (result.code, result.termination.reason) == (75, "Stopped"), result.output
        saved = newest_step(attempt.stage)
        assert result.termination.last_checkpoint == saved == step_reached(attempt.stage), "not a step is lost"
        assert number == 1 or f"step {before + 1}/" in result.output, "it resumes at that step"
    result = trainer.attempt(long_config(fresh, STOPS[stage] + 1), fresh).wait()
    assert result.code == 0, result.output
    expect_as_if_nothing_had_been(fresh / "job" / stage, undisturbed, trainer)
