"""The table of panels by kind of stage."""

import pytest
from alignment_api import metrics
from alignment_api.spec.kinds import KINDS
from alignment_dashboard.facts.colours import DASHES
from alignment_dashboard.pictures.panels import PANELS, REJECTED, TRAINING, Line, metrics_of, panels_of, with_points
from alignment_dashboard.pictures.pen import pen_of
from alignment_dashboard.pictures.trace import Trace
from alignment_dashboard.store.history import NO_POINTS, History, history_of

POINTS = history_of([(50, 3.0, 1)])
NAMES = {value for value in vars(metrics).values() if isinstance(value, str)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_that_runs_has_panels_and_one_that_trains_always_six(kind: str) -> None:
    always = [panel for panel in panels_of(kind) if not panel.optional]
    assert len(always) == (6 if KINDS[kind].trains else 1 if KINDS[kind].leaves == "Rows" else 0)


def test_each_line_of_a_panel_has_its_own_colour_and_each_role_one() -> None:
    for kind in PANELS:
        for panel in panels_of(kind):
            trace = Trace("uid", "stage", "", "solid", {})
            colours = [pen_of(line, trace, True, False).colour for line in panel.lines if not line.evaluation]
            assert len(set(colours)) == len(colours), panel.title


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", PANELS)
def test_no_two_names_of_the_legend_have_one_colour(kind: str, dark: bool) -> None:
    trace = Trace("uid", "stage", "", "solid", {})
    lines = [line for panel in panels_of(kind) if len(panel.lines) > 1 for line in panel.lines if not line.evaluation]
    pens = {pen_of(line, trace, True, dark) for line in lines}
    assert len({pen.colour for pen in pens}) == len(pens)


def test_a_second_line_is_drawn_like_the_first_of_no_run() -> None:
    rejected = next(line for panel in panels_of("dpo") for line in panel.lines if line.role == REJECTED)
    firsts = [pen_of(Line("metric", TRAINING), Trace("uid", "stage", "", dash, {}), False, False).style for dash in DASHES]
    seconds = {pen_of(rejected, Trace("uid", "stage", "", dash, {}), False, False).style for dash in DASHES}
    assert len({*firsts, *seconds}) == len(DASHES) + 1 and "dotted" not in firsts


@pytest.mark.parametrize(
    ("kind", "histories", "panels"),
    [
        ("dpo_distillation", [{}], 6),
        ("dpo_distillation", [{metrics.ROUND_WIN_RATE: NO_POINTS}], 6),
        ("dpo_distillation", [{}, {metrics.ROUND_WIN_RATE: history_of([(50, 0.6, 1)])}], 7),
        ("dpo_distillation", [{metrics.ROUND_WIN_RATE: history_of([(50, 0.0, 1)])}], 7),
        ("distill", [{}], 1),
        ("distill", [{metrics.REQUESTS: POINTS, metrics.COST: history_of([(50, 0.0, 1)])}], 2),
        ("feedback", [{metrics.ROWS_WRITTEN: POINTS}], 1),
        ("feedback", [{metrics.ROWS_WRITTEN: POINTS}, {metrics.REQUESTS: POINTS, metrics.COST: POINTS}], 3),
    ],
)
def test_a_panel_that_not_every_stage_needs_is_there_where_it_has_points(
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
