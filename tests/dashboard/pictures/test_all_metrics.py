"""A panel for every metric that the reader looks for."""

import pytest
from alignment_dashboard.pictures.all_metrics import panels_for

METRICS = ["train/loss", "eval/loss", "eval/rewards/chosen", "train/rewards/chosen", "data/train", "made_up"]


@pytest.mark.parametrize(
    ("search", "titles"),
    [
        ("", ["data/train", "loss", "made_up", "rewards/chosen"]),
        ("loss", ["loss"]),
        ("EVAL chosen", ["rewards/chosen"]),
        ("nothing", []),
    ],
)
def test_a_search_finds_metrics_that_hold_every_word(search: str, titles: list[str]) -> None:
    assert [panel.title for panel in panels_for(METRICS, search)] == titles


def test_what_is_planned_or_counted_is_not_smoothed() -> None:
    panels = panels_for(["train/learning_rate", "train/loss"])
    assert {line.metric: line.exact for panel in panels for line in panel.lines} == {
        "train/learning_rate": True,
        "train/loss": False,
    }


def test_training_and_evaluation_share_a_panel() -> None:
    (panel,) = panels_for(METRICS, "rewards")
    assert [(line.metric, line.role, line.evaluation) for line in panel.lines] == [
        ("train/rewards/chosen", "training", False),
        ("eval/rewards/chosen", "holdout", True),
    ]
