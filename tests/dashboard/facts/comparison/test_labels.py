"""Each run of a comparison has a name of its own."""

import pytest
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard.facts.comparison.labels import labels
from compared_jobs import job


@pytest.mark.parametrize(
    ("jobs", "names"),
    [
        ([job("a"), job("b")], ["a", "b"]),
        ([job("a", namespace="x", uid="1"), job("a", namespace="y", uid="2"), job("b")], ["x/a", "y/a", "b"]),
        ([job("a", uid="11112222-3"), job("a", uid="44445555-6")], ["default/a (11112222)", "default/a (44445555)"]),
    ],
)
def test_names_are_as_long_as_they_must_be(jobs: list[AlignmentJob], names: list[str]) -> None:
    assert list(labels(jobs).values()) == names
