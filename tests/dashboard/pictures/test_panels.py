"""The table of charts by kind of stage."""

import pytest
from alignment_api.metrics import REWARD_CHOSEN, REWARD_REJECTED
from alignment_api.spec.kinds import KINDS
from alignment_dashboard.pictures.panels import CHARTS, charts_of


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_that_trains_has_charts(kind: str) -> None:
    assert charts_of(kind) or kind not in KINDS or not KINDS[kind].trains


def test_a_kind_without_a_row_has_none() -> None:
    assert charts_of("made_up") == ()


@pytest.mark.parametrize("kind", CHARTS)
def test_the_titles_of_a_kind_differ(kind: str) -> None:
    titles = [chart.title for chart in charts_of(kind)]
    assert len(set(titles)) == len(titles)


def test_chosen_and_rejected_share_a_chart() -> None:
    assert (REWARD_CHOSEN, REWARD_REJECTED) in [chart.metrics for chart in charts_of("dpo")]
