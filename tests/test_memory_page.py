"""The numbers in docs/memory.md equal those of the estimate."""

import re
from pathlib import Path

import pytest
from alignment_api.memory.activations import layer_bytes_per_token
from alignment_api.memory.estimate import Estimate, estimate
from alignment_api.memory.fitting import GIBIBYTE
from alignment_api.memory.known_sizes import known_base_shape
from alignment_api.memory.workload import workload_of
from alignment_api.problems import InvalidJob
from alignment_api.resolving.recipes import resolve
from alignment_api.resolving.validation import runnable_job
from alignment_api.spec.job import AlignmentJobSpec
from builders import a_job

PAGE = (Path(__file__).parents[1] / "docs" / "memory.md").read_text()
EXAMPLE = PAGE.split("## Worked example")[1]
SPEC = resolve(AlignmentJobSpec(recipe="zephyr-paper")).spec
STAGES = SPEC.stages or []
SHAPE = known_base_shape(SPEC)
assert SHAPE is not None


@pytest.mark.parametrize("part", [*Estimate._fields, "total"])
def test_the_table_of_the_example(part: str) -> None:
    (row,) = re.findall(rf"^\| {part} \| (.*) \|$", EXAMPLE, re.MULTILINE)
    needed = [estimate(SHAPE, workload_of(stage, SPEC.compute_of(stage))) for stage in STAGES]
    assert row.split(" | ") == [f"{getattr(one, part) / GIBIBYTE:.2f}" for one in needed]


def test_the_text_of_the_example() -> None:
    works = [workload_of(stage, SPEC.compute_of(stage)) for stage in STAGES]
    phrases = {
        "P = {:,} weights": SHAPE.parameters,
        "{:,} in linear layers": SHAPE.linear_parameters,
        "{:,} in embedding and head": SHAPE.embedding_parameters,
        "{:,} in normalizations": SHAPE.vector_parameters,
        "= {:,} tokens in SFT": works[0].tokens,
        "= {:,} in DPO": works[1].tokens,
        "keeps {:,} bytes of each": layer_bytes_per_token(SHAPE, works[0]),
    }
    text = " ".join(EXAMPLE.split())
    assert [words.format(value) for words, value in phrases.items() if words.format(value) not in text] == []
    alone = estimate(SHAPE, works[0]._replace(processes=1)).held / GIBIBYTE
    assert f"{alone:.1f} GiB, and is refused" in text


def test_the_error_message_of_the_page() -> None:
    job = a_job(recipe="zephyr-paper", model=None, stages=None, compute={"nodes": 1, "gpusPerNode": 8, "sharding": "None"})
    with pytest.raises(InvalidJob) as refused:
        runnable_job(job)
    (shown,) = re.findall(r"^```\nerror: job.yaml: (.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert " ".join(shown.split()) == str(refused.value.problems[0])
