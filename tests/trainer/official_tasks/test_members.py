"""Of which tasks a benchmark consists, and how many examples each shows."""

import pytest
from alignment_trainer.official_tasks.members import Group, Task, benchmark_of
from alignment_trainer.official_tasks.packaged import Unknown


def test_the_leaderboard_has_its_six_tasks_with_their_examples():
    leaderboard = benchmark_of("openllm")
    assert isinstance(leaderboard, Group)
    assert {member.name: member.tasks[0].few_shot for member in leaderboard.members} == {
        "arc_challenge": 25,
        "hellaswag": 10,
        "truthfulqa_mc2": 0,
        "mmlu": 5,
        "winogrande": 5,
        "gsm8k": 5,
    }
    assert leaderboard.version == "2"
    assert len(leaderboard.tasks) == 62


def test_the_mean_of_mmlu_weights_each_row_alike():
    mmlu = benchmark_of("mmlu")
    assert isinstance(mmlu, Group)
    assert [member.name for member in mmlu.members] == ["mmlu_stem", "mmlu_other", "mmlu_social_sciences", "mmlu_humanities"]
    assert (len(mmlu.tasks), mmlu.mean_of, mmlu.is_weighted) == (57, "acc", True)


def test_a_mean_may_be_written_without_a_list():
    culture = benchmark_of("arab_culture")
    assert isinstance(culture, Group)
    assert (culture.mean_of, culture.is_weighted) == ("acc", True)


def test_a_tag_is_a_group_without_a_mean():
    truthful = benchmark_of("truthfulqa")
    assert isinstance(truthful, Group)
    assert [task.name for task in truthful.tasks] == ["truthfulqa_gen", "truthfulqa_mc1", "truthfulqa_mc2"]
    assert truthful.mean_of is None


@pytest.mark.parametrize(
    ("name", "given", "few_shot"),
    [("arc_challenge", None, 0), ("arc_challenge", 25, 25), ("gsm8k", None, 5), ("gsm8k", 0, 0), ("mmlu_anatomy", 5, 5)],
)
def test_the_job_may_set_the_number_of_examples(name, given, few_shot):
    task = benchmark_of(name, given)
    assert isinstance(task, Task)
    assert task.few_shot == few_shot
    assert task.tasks == (task,)


def test_of_a_group_it_is_set_for_all_tasks():
    assert {task.few_shot for task in benchmark_of("mmlu", 2).tasks} == {2}


def test_an_unknown_benchmark_is_refused():
    with pytest.raises(Unknown, match="has no task"):
        benchmark_of("no_such_benchmark")
