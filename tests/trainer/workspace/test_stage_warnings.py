"""The warnings in a stage's folder: each is kept and printed once, whichever attempt finds it."""

import pytest
from alignment_api.problems import Problem
from alignment_trainer.workspace.stage_warnings import recorded_warnings, warn

CUT, HELD_OUT = Problem("spec.maxLength", "is too low"), Problem("spec.holdout", "is too small")


def test_a_stage_without_warnings_has_no_file(tmp_path):
    warn(tmp_path, [])
    assert (recorded_warnings(tmp_path), list(tmp_path.iterdir())) == ([], [])


@pytest.mark.parametrize("later", [[HELD_OUT], [CUT, HELD_OUT]])
def test_a_later_attempt_prints_only_what_is_new(tmp_path, capsys, later):
    warn(tmp_path, [CUT])
    assert capsys.readouterr().err == "warning: spec.maxLength: is too low\n"
    warn(tmp_path, later)
    assert capsys.readouterr().err == "warning: spec.holdout: is too small\n"
    assert recorded_warnings(tmp_path) == ["spec.maxLength: is too low", "spec.holdout: is too small"]
