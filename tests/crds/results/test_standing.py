"""Whether the figures of a stage are its last word."""

import pytest
from alignment_api.results.collected import ReportFile, Reporting, collected, reporting
from alignment_api.results.standing import Standing, standing
from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.status import AlignmentJobStatus, StageState
from reported import exported, report


@pytest.mark.parametrize(
    ("situation", "reported", "current", "state", "expected"),
    [
        ("it has succeeded", "a", "a", "Succeeded", "Final"),
        ("nothing is known of the stage", None, None, None, "Final"),
        ("an attempt runs", "a", "a", "Running", "NotEnded"),
        ("a trainer did not write the hash", None, "a", "Restarting", "NotEnded"),
        ("it waits for an earlier stage that runs again", "a", "a", "Waiting", "NotEnded"),
        ("too many rows failed", "a", "a", "Failed", "Failed"),
        ("it was edited, and waits", "a", "b", "Waiting", "EarlierSettings"),
        ("it was edited, and runs", "a", "b", "Running", "EarlierSettings"),
        ("it was edited, and failed before it wrote a report", "a", "b", "Failed", "EarlierSettings"),
    ],
)
def test_what_a_report_is(
    situation: str, reported: str | None, current: str | None, state: StageState | None, expected: Standing
) -> None:
    assert standing(reported, current, state) == expected, situation


def test_only_figures_that_are_not_final_have_a_sign() -> None:
    evaluated = report({("arc", "accuracy", "base"): (0.3, 0.02)}).model_dump_json(by_alias=True).encode()
    written = exported().model_dump_json(by_alias=True).encode()
    found = collected(
        "tutor",
        [
            ReportFile("first", "evaluate", evaluated, "r"),
            ReportFile("second", "evaluate", evaluated, "r", "EarlierSettings"),
            ReportFile("int8", "export", written, "r", "NotEnded"),
        ],
    )
    assert [sign.partition(":")[0] for sign in found.signs()] == [
        "The settings of stage second, or of a stage that it builds on, were changed",
        "Stage int8 runs again or has not ended",
    ]


def test_stages_that_report_are_read_with_their_state() -> None:
    tasks = [{"name": "arc", "benchmark": "arc"}]
    spec = AlignmentJobSpec.parse(
        {
            "model": {"uri": "workspace://model"},
            "stages": [
                {"name": "dpo", "dpo": {"datasets": [{"uri": "workspace://pairs.jsonl"}]}},
                {"name": "exam", "evaluate": {"tasks": tasks}},
                {"name": "late", "evaluate": {"tasks": tasks}},
            ],
        }
    )
    status = AlignmentJobStatus.parse({"stages": [{"name": "exam", "state": "Running", "inputHash": "a"}]})
    assert reporting(spec.stages or [], status) == {"exam": Reporting("evaluate", "a", "Running"), "late": Reporting("evaluate")}
    assert reporting(spec.stages or [], None)["exam"] == Reporting("evaluate")
