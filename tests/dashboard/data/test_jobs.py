"""Jobs are read from the local folder, whatever its files contain."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alignment_api.home import Home
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard.data.jobs import read_jobs
from alignment_dashboard.data.listing import UnreadableJob, identify, parse_job
from alignment_dashboard.data.source import namespaces

JobWriter = Callable[..., AlignmentJob]


def put(home: Home, name: str, content: bytes) -> Path:
    """Write a job.json of any content."""
    path = home.job_folder("default", name) / "job.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_no_folder(home: Home) -> None:
    found = read_jobs()
    assert (found.jobs, found.problems, found.failures, found.complete) == ((), (), (), True)
    assert found.guidance.empty == "Nothing has run here yet"


def test_an_empty_folder(home: Home) -> None:
    home.objects.mkdir(parents=True)
    assert read_jobs().guidance.empty == "No jobs yet"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not complete JSON"),
        (b'{"apiVersion": "align', "is not complete JSON"),
        (b"\xff\xfe", "is not complete JSON"),
        (b"[]", "is not an AlignmentJob"),
        (b'{"kind": "Pod"}', "is not an AlignmentJob"),
    ],
)
def test_a_file_that_is_no_job_is_one_sentence(home: Home, write_job: JobWriter, content: bytes, sentence: str) -> None:
    write_job("good")
    put(home, "odd", content)
    found = read_jobs()
    assert [job.metadata.name for job in found.jobs] == ["good"]
    assert len(found.problems) == 1
    assert found.problems[0].startswith("objects/default/odd/job.json ")
    assert sentence in found.problems[0]
    assert "\n" not in found.problems[0]


def test_a_folder_in_place_of_the_file(home: Home, write_job: JobWriter) -> None:
    write_job("good")
    (home.job_folder("default", "odd") / "job.json").mkdir(parents=True)
    found = read_jobs()
    assert (len(found.jobs), len(found.problems)) == (1, 1)


def test_a_changed_file_is_read_again(home: Home, write_job: JobWriter) -> None:
    write_job("one")
    assert read_jobs().jobs[0].status is None
    write_job("one", {"phase": "Running"})
    status = read_jobs().jobs[0].status
    assert status is not None
    assert status.phase == "Running"


def test_a_completed_file_is_a_job_at_last(home: Home, write_job: JobWriter) -> None:
    text = json.dumps(write_job("one").dump())
    path = home.job_folder("default", "one") / "job.json"
    path.write_text(text[:50])
    assert read_jobs().problems
    path.write_text(text)
    assert not read_jobs().problems


def test_a_job_is_found_by_its_uid_whatever_its_place(home: Home, write_job: JobWriter) -> None:
    for name in ("b", "a", "c"):
        write_job(name)
    found = read_jobs()
    assert found.find("uid-c") == found.jobs[2]
    assert found.find("uid-none") is None


def test_a_job_without_uid_goes_by_namespace_and_name(write_job: JobWriter) -> None:
    job: AlignmentJob = write_job("one")
    job.metadata.uid = None
    assert identify(job) == "default/one"


def test_a_job_from_a_recipe_has_the_stages_of_the_recipe(home: Home, write_job: JobWriter) -> None:
    write_job("one", stages=None, recipe="zephyr-paper")
    stages = read_jobs().jobs[0].spec.stages
    assert stages
    assert {"sft", "dpo"} <= {stage.kind for stage in stages}


def test_a_job_from_an_unknown_recipe_is_still_a_job(home: Home, write_job: JobWriter) -> None:
    write_job("one", stages=None, recipe="of-tomorrow")
    assert len(read_jobs().jobs) == 1


@pytest.mark.parametrize("others", [{}, {"stages": None, "recipe": "zephyr-paper"}])
def test_a_job_that_breaks_a_rule_of_this_version_is_still_a_job(
    write_job: JobWriter, home: Home, others: dict[str, Any]
) -> None:
    document = write_job("one", {"phase": "Running"}, **others).dump()
    document["spec"]["compute"] = {"nodes": 2, "gpusPerNode": 0, "rdma": {"resourceName": "nvidia.com/gpu", "count": 1}}
    (home.job_folder("default", "one") / "job.json").write_text(json.dumps(document))
    found = read_jobs()
    assert found.problems == ()
    assert [job.metadata.name for job in found.jobs] == ["one"]


def test_fields_of_a_newer_version_are_left_out(write_job: JobWriter) -> None:
    document = write_job("one", {"phase": "Running", "stages": [{"name": "sft", "state": "Running"}]}).dump()
    document["spec"]["colour"] = {"deep": [1]}
    document["spec"]["stages"][1]["dpo"]["margin"] = 2
    document["status"]["stages"][0]["mood"] = "good"
    before = json.dumps(document)
    job = parse_job(document)
    assert job.status is not None
    assert (job.status.phase, [stage.kind for stage in job.spec.stages or []]) == ("Running", ["sft", "dpo"])
    assert json.dumps(document) == before


def test_a_stage_of_a_newer_kind_makes_the_job_unreadable(write_job: JobWriter) -> None:
    document = write_job("one").dump()
    document["spec"]["stages"].append({"name": "later", "ppo": {}})
    with pytest.raises(UnreadableJob, match=r"not an AlignmentJob that this version can read \(spec.stages.2"):
        parse_job(document)


@pytest.mark.parametrize(
    ("text", "names"),
    [(None, ()), ("", ()), ("[]", ()), ('["a"]', ("a",)), ('["b", "a", "b"]', ("b", "a"))],
)
def test_namespaces(monkeypatch: pytest.MonkeyPatch, home: Home, text: str | None, names: tuple[str, ...]) -> None:
    if text is not None:
        monkeypatch.setenv("ALIGNMENT_NAMESPACES", text)
    assert namespaces() == names


@pytest.mark.parametrize("text", ["team", '"team"', "[1]", '[""]', "{}"])
def test_a_wrong_list_of_namespaces(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ALIGNMENT_NAMESPACES", text)
    with pytest.raises(ValueError, match="give a JSON list of names"):
        namespaces()


def test_an_unknown_source(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    monkeypatch.setenv("ALIGNMENT_SOURCE", "etcd")
    with pytest.raises(ValueError, match="set it to kubernetes"):
        read_jobs()
