"""Every setting with where it comes from, and a run as YAML."""

import json
from typing import Any

import pytest
import yaml
from alignment_api.resolving.recipes import recipe_names
from alignment_api.resolving.validation import read_job
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import AlignmentJobStatus, Record
from alignment_dashboard.facts.one_run.origins import clone_name, settings, write_clone, write_resolved
from builders import a_document, a_job

RECIPE = recipe_names()[0]


def recorded(job: AlignmentJob, **changed: Any) -> AlignmentJob:
    """Return a job whose operator resolved it, with some values of the first stage that this version would not choose."""
    document = yaml.safe_load(write_resolved(job))["spec"]
    document["stages"][0]["sft"] |= changed
    record = Record(written=json.dumps(job.spec.dump()), resolved=json.dumps(document))
    return job.model_copy(update={"status": AlignmentJobStatus(record=record)})


def source(job: AlignmentJob, field: str) -> tuple[str, str]:
    """Return value and source of a setting."""
    (found,) = [setting for setting in settings(job) if setting.field == field]
    return found.value, found.source


@pytest.mark.parametrize(
    ("situation", "job", "field", "expected"),
    [
        ("the author's", a_job(), "stages[0].sft.maxLength", ("64", "you")),
        ("a default", a_job(), "stages[1].dpo.beta", ("0.1", "default")),
        ("recorded, and still the same", recorded(a_job()), "stages[1].dpo.beta", ("0.1", "default")),
        (
            "recorded by an earlier version",
            recorded(a_job(), packing=False),
            "stages[0].sft.packing",
            ("false", "an earlier version"),
        ),
    ],
)
def test_origins(situation: str, job: AlignmentJob, field: str, expected: tuple[str, str]) -> None:
    assert source(job, field) == expected, situation


def test_a_recipe_gives_its_name_and_its_reasons() -> None:
    document = a_document()
    document["spec"] = {"recipe": RECIPE, "storage": {"claimName": "workspace"}}
    known = settings(read_job(document))
    of_recipe = [setting for setting in known if setting.source == f"recipe {RECIPE}"]
    assert len(of_recipe) > 5
    assert any(setting.reason for setting in of_recipe)


def test_a_job_that_cannot_be_resolved_shows_what_its_author_wrote() -> None:
    job = a_job()
    job = job.model_copy(update={"spec": job.spec.model_copy(update={"recipe": "of-another-version"})})
    assert {setting.source for setting in settings(job)} == {"you"}


def test_a_clone_is_what_the_author_wrote_under_a_new_name() -> None:
    clone = yaml.safe_load(write_clone(recorded(a_job()), "copy"))
    assert clone["metadata"] == {"name": "copy", "namespace": "team"}
    assert clone["spec"] == a_job().spec.dump()
    assert "status" not in clone
    assert read_job(clone).metadata.name == "copy"


def test_the_resolved_yaml_has_every_value() -> None:
    document = yaml.safe_load(write_resolved(a_job()))
    assert document["spec"]["stages"][1]["dpo"]["beta"] == 0.1
    assert read_job(document)


@pytest.mark.parametrize(
    ("name", "copy"), [("zephyr", "zephyr-2"), ("sweep-09", "sweep-10"), ("v2-1", "v2-2"), ("a-b", "a-b-2"), ("7", "7-2")]
)
def test_the_name_of_a_clone(name: str, copy: str) -> None:
    assert clone_name(name) == copy
