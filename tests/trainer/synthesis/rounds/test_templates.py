"""What teacher and student are asked about a row."""

import pytest
from alignment_trainer.synthesis.rounds.templates import asked_about

ROW = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "f = lambda x: {row} + x"})


def test_without_a_template_the_row_is_asked_as_it_is():
    assert asked_about(ROW, None) == ROW


@pytest.mark.parametrize("template", ["CodeSummary", "CodeGeneration"])
def test_a_template_stands_around_the_last_message(template):
    system, asked = asked_about(ROW, template)
    assert system == ROW[0]
    assert asked["role"] == "user" and asked["content"].endswith("\n\nf = lambda x: {row} + x")


def test_the_templates_differ():
    assert asked_about(ROW, "CodeSummary") != asked_about(ROW, "CodeGeneration")
