"""The table of panels by kind of stage."""

import pytest
from alignment_api import metrics
from alignment_api.spec.kinds import KINDS
from alignment_dashboard.pictures.panels import PANELS, metrics_of, panels_of, with_points
from alignment_dashboard.pictures.pen import pen_of
from alignment_dashboard.pictures.trace import Trace
from alignment_dashboard.store.history import NO_POINTS, History, history_of

NAMES = {value for value in vars(metrics).values() if isinstance(value, str)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_that_runs_has_six_panels(kind: str) -> None:
    always = [panel for panel in panels_of(kind) if not panel.optional]
    assert len(always) == (6 if KINDS[kind].runs else 0)


def test_each_line_of_a_panel_has_its_own_colour_and_each_role_one() -> None:
    for kind in PANELS:
        for panel in panels_of(kind):
            trace = Trace("uid", "stage", "", "solid", {})
            colours = [pen_of(line, trace, True, False).colour for line in panel.lines if not line.evaluation]
            assert len(set(colours)) == len(colours), panel.title


@pytest.mark.parametrize(
    ("kind", "histories", "panels"),
    [
        ("dpo_distillation", [{}], 6),
        ("dpo_distillation", [{metrics.ROUND_WIN_RATE: NO_POINTS}], 6),
        ("dpo_distillation", [{}, {metrics.ROUND_WIN_RATE: history_of([(50, 0.6, 1)])}], 7),
        ("distill", [{}], 6),
    ],
)
def test_the_panel_of_judged_rounds_is_there_where_a_judge_was_asked(
    kind: str, histories: list[dict[str, History]], panels: int
) -> None:
    assert len(with_points(panels_of(kind), histories)) == panels


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
