"""What a written folder lacks, in words."""

import pytest
from alignment_trainer.exporting.proving.form import loading_faults


@pytest.mark.parametrize(
    ("missing", "mismatched", "expected"),
    [
        (set(), set(), []),
        (
            {"lm_head.weight_packed", "lm_head.weight_scale"},
            set(),
            ["lacks lm_head.weight_packed and 1 more of the tensors that"],
        ),
        (set(), {("norm.weight", (4,), (8,))}, ["lacks norm.weight and 0 more of the tensors that its model needs"]),
    ],
    ids=["all is there", "two are missing", "one has another shape"],
)
def test_weights_that_transformers_makes_up_are_found(missing, mismatched, expected):
    found = list(loading_faults({"missing_keys": missing, "unexpected_keys": {"vision.weight"}, "mismatched_keys": mismatched}))
    assert [fault[: len(start)] for fault, start in zip(found, expected, strict=True)] == expected
