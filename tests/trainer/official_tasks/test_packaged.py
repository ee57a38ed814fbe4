"""Tasks of lm-eval are found in its installed package, and read without importing it."""

import subprocess
import sys

import pytest
from alignment_trainer.official_tasks.packaged import Function, Unknown, file_of, read, tagged

FILES = {
    "arc_challenge": "arc/arc_challenge.yaml",
    "hellaswag": "hellaswag/hellaswag.yaml",
    "mmlu": "mmlu/default/_mmlu.yaml",
    "mmlu_anatomy": "mmlu/default/mmlu_anatomy.yaml",
    "truthfulqa_mc2": "truthfulqa/truthfulqa_mc2.yaml",
    "winogrande": "winogrande/default.yaml",
    "gsm8k": "gsm8k/gsm8k.yaml",
    "wikitext": "wikitext/wikitext.yaml",
    "openllm": "benchmarks/openllm.yaml",
}


@pytest.mark.parametrize("name", FILES)
def test_a_name_leads_to_its_file(name):
    assert file_of(name).as_posix().endswith(f"/lm_eval/tasks/{FILES[name]}")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("arc_chalenge", "has no task arc_chalenge; did you mean arc_challenge or"),
        ("nothing_like_it", "has no task nothing_like_it; correct the name"),
    ],
)
def test_an_unknown_name_is_refused(name, sentence):
    with pytest.raises(Unknown, match=sentence):
        file_of(name)


def test_what_a_file_includes_is_read_with_it():
    settings = read(file_of("arc_challenge"))
    assert settings["dataset_name"] == "ARC-Challenge"
    assert settings["doc_to_text"] == "Question: {{question}}\nAnswer:"
    assert "include" not in settings


def test_functions_stay_names():
    assert read(file_of("hellaswag"))["process_docs"] == Function(file_of("hellaswag").parent / "utils.py", "process_docs")


def test_a_tag_is_also_inherited_from_an_included_file():
    assert tagged("truthfulqa") == ("truthfulqa_gen", "truthfulqa_mc1", "truthfulqa_mc2")
    assert len(tagged("mmlu_stem_tasks")) == 19
    assert tagged("no_such_tag") == ()


def test_finding_and_reading_loads_neither_lm_eval_nor_torch():
    program = (
        "import sys; from alignment_trainer.official_tasks.fitness import benchmark_faults;"
        "from alignment_trainer.official_tasks.members import benchmark_of;"
        "assert not list(benchmark_faults(benchmark_of('openllm'), None));"
        "sys.exit(', '.join({'lm_eval', 'torch', 'datasets', 'evaluate'} & set(sys.modules)) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
