"""The cache holds the newest version of each job, in whatever order lists, watch events and answers arrive."""

from typing import Any

from alignment_operator.cluster.job_cache import JobCache
from alignment_operator.deciding.observation import Key

KEY = Key("team", "job")


def a_job(version: int, uid: str = "u1", name: str = "job") -> dict[str, Any]:
    metadata = {"namespace": "team", "name": name, "uid": uid, "resourceVersion": str(version), "managedFields": ["large"]}
    return {"kind": "AlignmentJob", "metadata": metadata, "spec": {"version": version}}


def test_the_newest_version_is_kept_in_any_order() -> None:
    jobs = JobCache()
    assert jobs.get(KEY) is None
    assert jobs.observe("ADDED", a_job(3))
    assert not jobs.observe("ADDED", a_job(3))
    assert jobs.observe("MODIFIED", a_job(5))
    assert not jobs.observe("MODIFIED", a_job(4))
    found = jobs.get(KEY)
    assert found is not None and found["spec"]["version"] == 5
    assert "managedFields" not in found["metadata"]


def test_a_job_is_found_by_its_uid_until_it_is_deleted() -> None:
    jobs = JobCache()
    jobs.observe("ADDED", a_job(1))
    assert jobs.keys_of(["u1", "another"]) == {KEY}
    assert jobs.observe("DELETED", a_job(2))
    assert (jobs.get(KEY), jobs.keys_of(["u1"])) == (None, set())
    # The answer to our own write may arrive after the event of the deletion.
    assert not jobs.observe("MODIFIED", a_job(1))
    assert jobs.get(KEY) is None
    assert jobs.observe("ADDED", a_job(4, uid="u2"))
    assert jobs.keys_of(["u1", "u2"]) == {KEY}


def test_a_list_contains_what_the_watch_missed() -> None:
    jobs = JobCache()
    jobs.observe("ADDED", a_job(1, uid="u1", name="old"))
    jobs.observe("ADDED", a_job(9, uid="u2", name="new"))
    assert jobs.replace([a_job(4, uid="u3"), a_job(5, uid="u4", name="other")], 6) == {KEY, Key("team", "other")}
    # A job that is newer than the list is not deleted.
    assert jobs.keys_of(["u1", "u2"]) == {Key("team", "new")}
    assert jobs.replace([a_job(4, uid="u3"), a_job(5, uid="u4", name="other"), a_job(9, uid="u2", name="new")], 10) == set()
