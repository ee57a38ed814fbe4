"""How each measured model was made."""

from alignment_dashboard.facts.evaluated.ablation import Made, made
from compared_jobs import dpo, evaluate, job, sft


def test_models_that_branch_show_their_stages_and_what_differs() -> None:
    short = dpo(5e-7) | {"name": "short"}
    long = {**dpo(1e-6), "name": "long", "model": {"stage": "sft"}}
    alone = {**dpo(5e-7), "name": "alone", "model": {"base": True}}
    study = job("study", sft(), short, long, alone, evaluate("base"))
    found = made(study, ["base", "sft", "short", "long", "alone", "gone"])
    assert [one.chain for one in found] == ["base", "base → sft", "base → sft → short", "base → sft → long", "base → alone", ""]
    assert [one.settings.get("learningRate") for one in found[2:5]] == [5e-7, 1e-6, 5e-7]
    assert found[0] == Made("base", {}) and found[5] == Made("", {})


def test_what_is_the_same_for_all_is_left_out() -> None:
    twins = [dpo(), {**dpo(), "name": "twin", "model": {"base": True}}]
    assert [one.settings for one in made(job("twins", *twins), ["dpo", "twin"])] == [{}, {}]
