"""Jobs are read from whatever lies in the folder."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from alignment_api.home import Home
from alignment_api.job import AlignmentJob
from alignment_dashboard.data.jobs import identify, read_jobs

JobWriter = Callable[..., AlignmentJob]


def put(home: Home, name: str, content: bytes) -> Path:
    """Write a job.json of any content."""
    path = home.job_folder("default", name) / "job.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_no_folder(home: Home) -> None:
    found = read_jobs(home)
    assert (found.jobs, found.problems, found.folder_exists) == ((), (), False)


def test_an_empty_folder(home: Home) -> None:
    home.objects.mkdir(parents=True)
    assert read_jobs(home).folder_exists


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not complete JSON"),
        (b'{"apiVersion": "align', "is not complete JSON"),
        (b"\xff\xfe", "is not complete JSON"),
        (b"[]", "is not an AlignmentJob"),
        (b'{"kind": "Pod"}', "is not an AlignmentJob"),
    ],
)
def test_a_file_that_is_no_job_is_one_sentence(home: Home, write_job: JobWriter, content: bytes, said: str) -> None:
    write_job("good")
    put(home, "odd", content)
    found = read_jobs(home)
    assert [job.metadata.name for job in found.jobs] == ["good"]
    assert len(found.problems) == 1
    assert found.problems[0].startswith("objects/default/odd/job.json ")
    assert said in found.problems[0]
    assert "\n" not in found.problems[0]


def test_a_folder_in_place_of_the_file(home: Home, write_job: JobWriter) -> None:
    write_job("good")
    (home.job_folder("default", "odd") / "job.json").mkdir(parents=True)
    found = read_jobs(home)
    assert (len(found.jobs), len(found.problems)) == (1, 1)


def test_a_changed_file_is_read_again(home: Home, write_job: JobWriter) -> None:
    write_job("one")
    assert read_jobs(home).jobs[0].status is None
    write_job("one", {"phase": "Running"})
    status = read_jobs(home).jobs[0].status
    assert status is not None
    assert status.phase == "Running"


def test_a_completed_file_is_a_job_at_last(home: Home, write_job: JobWriter) -> None:
    text = json.dumps(write_job("one").dump())
    path = home.job_folder("default", "one") / "job.json"
    path.write_text(text[:50])
    assert read_jobs(home).problems
    path.write_text(text)
    assert not read_jobs(home).problems


def test_a_job_is_found_by_its_uid_whatever_its_place(home: Home, write_job: JobWriter) -> None:
    for name in ("b", "a", "c"):
        write_job(name)
    found = read_jobs(home)
    assert found.find("uid-c") == found.jobs[2]
    assert found.find("uid-none") is None


def test_a_job_without_uid_goes_by_namespace_and_name(write_job: JobWriter) -> None:
    job: AlignmentJob = write_job("one")
    job.metadata.uid = None
    assert identify(job) == "default/one"


def test_a_job_from_a_recipe_has_the_stages_of_the_recipe(home: Home, write_job: JobWriter) -> None:
    write_job("one", stages=None, recipe="zephyr-paper")
    stages = read_jobs(home).jobs[0].spec.stages
    assert stages
    assert {"sft", "dpo"} <= {stage.kind for stage in stages}


def test_a_job_from_an_unknown_recipe_is_still_a_job(home: Home, write_job: JobWriter) -> None:
    write_job("one", stages=None, recipe="of-tomorrow")
    assert len(read_jobs(home).jobs) == 1
