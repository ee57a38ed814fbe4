"""Python refuses what the API server refuses; stored jobs stay readable when rules are added."""

from typing import Any

import pytest
from alignment_api.generated.admission import ADMISSION_RULES
from alignment_api.problems import InvalidJob
from alignment_api.resolving.recipes import recipe_names
from alignment_api.resolving.validation import read_job, read_stored_job, resolve_job, runnable_job
from alignment_api.spec.job import AlignmentJob
from alignment_operator.backends import pytorchjob
from alignment_operator.deciding.stage_run import fresh_run
from alignment_operator.settings import Settings
from builders import a_document
from refused_specs import REFUSED, TAKEN, Refusal, documented, memory, rdma
from refused_specs import stages as a_stage


def rendered(document: dict[str, Any]) -> None:
    """Take a document as far as the operator does before it creates anything."""
    document["metadata"] |= {"namespace": "team", "uid": "0123456789"}
    job = read_job(document)
    spec = runnable_job(job).spec
    for stage in spec.stages or []:
        pytorchjob.render(fresh_run(job, spec, stage), Settings())


@pytest.mark.usefixtures("every_kind_runs")
@pytest.mark.parametrize("refusal", REFUSED, ids=lambda refusal: refusal.situation)
def test_what_the_api_server_refuses_python_refuses(refusal: Refusal) -> None:
    with pytest.raises(InvalidJob):
        rendered(documented(refusal.spec))


@pytest.mark.usefixtures("every_kind_runs")
@pytest.mark.parametrize("spec", [spec for _, spec in TAKEN], ids=[situation for situation, _ in TAKEN])
def test_what_the_api_server_accepts_python_accepts(spec: dict[str, Any]) -> None:
    rendered(documented(spec))


def test_a_job_without_a_workspace_is_refused_only_on_a_cluster() -> None:
    document = documented({"storage": None})
    assert runnable_job(read_job(document)).spec.storage is None
    with pytest.raises(InvalidJob, match=r"spec\.storage: is not set; on a cluster set claimName"):
        rendered(document)


def test_the_definition_knows_the_recipes_of_its_release() -> None:
    # At the field itself: asked again only when the recipe changes, so that a job whose recipe is gone can still be suspended.
    [rule] = [rule for rule in ADMISSION_RULES if rule.path == ("spec", "recipe")]
    assert rule.cel == f"self in {recipe_names()}"


def test_the_root_has_no_new_rule_since_each_change_of_the_status_would_check_it_again() -> None:
    assert [rule.message.split(" ", 3)[:3] for rule in ADMISSION_RULES if not rule.path] == [
        ["the", "name", "must"],
        ["a", "stage", "that"],
        ["model", "and", "recipe"],
    ]


STORED: list[tuple[str, dict[str, Any], str]] = [
    (
        "a GPU as a network",
        rdma("nvidia.com/gpu"),
        "spec.compute.rdma.resourceName: 'nvidia.com/gpu' is not possible: it must not be a GPU",
    ),
    ("an amount that is none", memory("3GB"), "spec.compute.memory: '3GB' is not possible: it must be a quantity"),
    (
        "a model without a scheme",
        {"model": {"uri": "team/model"}},
        "spec.model.uri: 'team/model' is not possible: it must be hf://",
    ),
    (
        "two kinds of warm-up",
        a_stage(optimization={"warmup": {"steps": 1, "fraction": 0.1}}),
        "set exactly one of fraction and steps",
    ),
    ("a recipe of another release", {"recipe": "gone"}, "spec.recipe: 'gone' is not a recipe; choose one of"),
]


@pytest.mark.parametrize(("spec", "sentence"), [row[1:] for row in STORED], ids=[row[0] for row in STORED])
def test_a_stored_job_that_breaks_a_rule_is_read_and_refused_when_it_is_resolved(spec: dict[str, Any], sentence: str) -> None:
    status = {"phase": "Running", "stages": [{"name": "sft", "state": "Running", "child": "job-sft-1"}]}
    job = read_stored_job({**documented(spec), "status": status})
    assert job.status and job.status.stages and job.status.stages[0].child == "job-sft-1"
    with pytest.raises(InvalidJob) as refused:
        resolve_job(job)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"zzz": 1}, "spec.zzz: is not a field"),
        ({"compute": {"nodes": "two"}}, "spec.compute.nodes: 'two' is not possible"),
        ({"stages": []}, "spec.stages: [] is not possible"),
        ({"stages": [{"name": "a"}]}, "spec.stages[0]: set exactly one of distill, feedback, sft"),
        (
            {"stages": [{"name": "a", "model": {"stage": "b"}, "export": {}}]},
            "spec.stages[0].model.stage: 'b' is not an earlier stage",
        ),
        ({"stages": [{"name": "a", "export": {}}] * 2}, "spec.stages[1].name: 'a' is the name of an earlier stage already"),
    ],
)
def test_a_stored_job_must_have_the_structure_and_pass_the_rules_that_code_relies_on(spec: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidJob) as refused:
        read_stored_job(documented(spec))
    assert sentence in str(refused.value)


def test_a_valid_stored_job_is_read_unchanged() -> None:
    assert AlignmentJob.parse_stored(a_document()) == AlignmentJob.parse(a_document())
