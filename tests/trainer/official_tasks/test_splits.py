"""Which rows of a task are measured, which are shown as examples, and how files take their place."""

import pytest
from alignment_trainer.official_tasks.members import Task, benchmark_of
from alignment_trainer.official_tasks.splits import data_settings, file_faults, files_of, splits_of


def task(name, few_shot=None):
    found = benchmark_of(name, few_shot)
    assert isinstance(found, Task)
    return found


def folder(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}\n")
    return root


@pytest.mark.parametrize(
    ("name", "few_shot", "measured", "examples"),
    [
        ("arc_challenge", 25, "test", "train"),
        ("arc_challenge", 0, "test", None),
        ("hellaswag", 10, "validation", "train"),
        ("mmlu_anatomy", 5, "test", "dev"),
        ("truthfulqa_mc2", None, "validation", None),
        ("gsm8k", None, "test", "train"),
        ("wikitext", None, "test", None),
    ],
)
def test_splits_are_chosen_as_lm_eval_chooses_them(name, few_shot, measured, examples):
    found = splits_of(task(name, few_shot))
    assert (found.measured, found.examples) == (measured, examples)


def test_files_take_the_place_of_the_rows_and_absent_splits_become_null(tmp_path):
    folder(tmp_path, "test.jsonl", "train.parquet", "notes.txt")
    changed = data_settings(task("arc_challenge", 25), tmp_path)
    files = {"train": str(tmp_path / "train.parquet"), "test": str(tmp_path / "test.jsonl")}
    assert changed == {"validation_split": None, "fewshot_split": None, "dataset_kwargs": {"files": files}}


def test_without_a_test_file_the_validation_rows_are_measured(tmp_path):
    arc = task("arc_challenge")
    folder(tmp_path, "validation.jsonl")
    assert splits_of(arc, files_of(arc, tmp_path)).measured == "validation"
    assert data_settings(arc, tmp_path)["test_split"] is None


def test_rows_of_the_hub_keep_their_settings():
    assert data_settings(task("arc_challenge", 25), None) == {}


def test_where_examples_come_from_the_measured_rows_lm_eval_is_told_so():
    # It has neither training nor validation rows, so lm-eval would show a row its own answer.
    only_test = Task(
        "arc_challenge", task("arc_challenge").file, {"training_split": None, "validation_split": None, "num_fewshot": 3}
    )
    assert data_settings(only_test, None) == {"fewshot_split": "test", "test_split": "test"}


FAULTS = {
    "no folder": ("arc_challenge", 0, (), "workspace://b/absent is not a folder on the workspace volume"),
    "nothing to measure": ("arc_challenge", 0, ("train.jsonl",), "has no rows to measure; add test.jsonl or validation.jsonl"),
    "no examples": (
        "arc_challenge",
        25,
        ("test.jsonl",),
        "has no train.jsonl, from which arc_challenge takes its 25 worked examples",
    ),
    "no examples of a subject": ("mmlu_anatomy", 5, ("test.jsonl",), "has no dev.jsonl, from which mmlu_anatomy takes its 5"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_the_files_lack_is_said(case, tmp_path):
    name, few_shot, files, sentence = FAULTS[case]
    where = "absent" if case == "no folder" else "arc"
    folder(tmp_path, *(f"{where}/{file}" for file in files))
    (fault,) = file_faults(task(name, few_shot), tmp_path / where, f"workspace://b/{where}")
    assert sentence in fault


def test_a_group_needs_a_folder_for_each_task(tmp_path):
    folder(tmp_path, "arc_challenge/test.jsonl", "arc_challenge/train.jsonl")
    (fault,) = file_faults(benchmark_of("openllm"), tmp_path, "workspace://b")
    assert fault.startswith("workspace://b needs a folder for each task of openllm, and has none for hellaswag, truthfulqa_mc2, ")
    assert fault.endswith("and 56 more; add them")


def test_whole_files_have_no_fault(tmp_path):
    folder(tmp_path, "train.jsonl", "test.json")
    assert not list(file_faults(task("gsm8k"), tmp_path, "workspace://b"))
