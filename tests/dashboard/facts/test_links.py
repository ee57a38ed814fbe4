"""Addresses and what is read from them."""

import pytest
from alignment_dashboard.facts.links import compare_link, jobs_asked, jobs_in, one_of, run_link, some_of


def test_addresses() -> None:
    assert run_link("a b") == "run?job=a+b"
    assert compare_link(["u1", "team/x"]) == "compare?jobs=u1,team/x"


@pytest.mark.parametrize(("text", "found"), [(None, []), ("", []), ("u1", ["u1"]), ("u1,,u2,u1", ["u1", "u2"])])
def test_jobs_of_an_address(text: str | None, found: list[str]) -> None:
    assert jobs_in(text) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [({}, []), ({"jobs": "u1,u2"}, ["u1", "u2"]), ({"job": "u1"}, ["u1"]), ({"jobs": "u2", "job": "u1"}, ["u2"])],
)
def test_one_job_may_be_asked_for_as_on_its_own_page(query: dict[str, str], found: list[str]) -> None:
    assert jobs_asked(query) == found


@pytest.mark.parametrize(
    ("query", "one", "some"),
    [
        ({}, "b", ["b"]),
        ({"of": ""}, "b", []),
        ({"of": "a"}, "a", ["a"]),
        ({"of": "c,nothing,a"}, "b", ["c", "a"]),
        ({"of": "nothing"}, "b", []),
    ],
)
def test_an_address_chooses_among_options(query: dict[str, str], one: str, some: list[str]) -> None:
    assert one_of(query, "of", ["a", "b", "c"], "b") == one
    assert some_of(query, "of", ["a", "b", "c"], ["b"]) == some
