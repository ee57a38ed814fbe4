"""Each run of a comparison has a name of its own."""

import pytest
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard.facts.comparison.labels import labels, without_shared_start
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


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["zephyr-7b-lr1", "zephyr-7b-lr20"], ["…lr1", "…lr20"]),
        (["sweep-01", "sweep-02"], ["sweep-01", "sweep-02"]),
        (["zephyr-7b-lr1"], ["zephyr-7b-lr1"]),
        (["zephyr-seven", "other"], ["zephyr-seven", "other"]),
    ],
)
def test_a_long_start_that_all_names_share_is_cut(names: list[str], short: list[str]) -> None:
    assert without_shared_start(names) == short
