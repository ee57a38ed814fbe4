"""The table of panels by kind of stage."""

import pytest
from alignment_api import metrics
from alignment_api.spec.kinds import KINDS
from alignment_dashboard.pictures.panels import PANELS, metrics_of, panels_of

NAMES = {value for value in vars(metrics).values() if isinstance(value, str)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_that_trains_has_six_panels(kind: str) -> None:
    assert len(panels_of(kind)) == (6 if KINDS[kind].trains and KINDS[kind].runs else len(PANELS.get(kind, ())))


def test_a_kind_without_a_row_has_none() -> None:
    assert panels_of("made_up") == ()


@pytest.mark.parametrize("kind", PANELS)
def test_the_titles_of_a_kind_differ_and_its_metrics_exist(kind: str) -> None:
    titles = [panel.title for panel in panels_of(kind)]
    assert len(set(titles)) == len(titles)
    assert set(metrics_of(panels_of(kind))) <= NAMES


def test_the_panels_of_pairs_in_their_order() -> None:
    assert [panel.title for panel in panels_of("dpo")] == [
        "Loss",
        "Reward margin",
        "Reward accuracy",
        "Rewards of chosen and rejected",
        "Log-ratio of policy and reference",
        "Gradient norm",
    ]
    assert "KL" not in "".join(panel.title for panel in panels_of("dpo"))
