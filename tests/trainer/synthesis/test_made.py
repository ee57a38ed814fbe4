"""What was made of the prompts survives the end of an attempt at any byte."""

import pytest
from alignment_trainer.synthesis.made import LeftOut, Made

ROWS = {
    0: [{"a": 1}],
    1: LeftOut("cut", place="rows:2"),
    2: LeftOut("Timeout", "no answer", has_failed=True),
    3: [{"a": 2}, {"a": 3}],
}


@pytest.fixture
def begun(tmp_path):
    """What an attempt has made, which took the prompts in another order."""
    made = Made(tmp_path, 5)
    for position in (3, 0, 2, 1):
        made.add(position, f"{position:x}", ROWS[position])
    return made


def test_it_is_read_in_the_order_of_the_prompts(begun):
    assert list(begun.in_order()) == [ROWS[position] for position in range(4)]
    assert (begun.done, begun.written, dict(begun.left_out), dict(begun.failed)) == (
        4,
        3,
        {"cut": 1, "Timeout": 1},
        {"Timeout": 1},
    )


def test_the_next_attempt_tries_again_only_what_has_failed(begun, tmp_path):
    again = Made(tmp_path, 5)
    assert [again.has(position, f"{position:x}") for position in range(5)] == [True, True, False, True, False]
    assert (again.done, again.written, dict(again.failed)) == (3, 3, {})
    again.add(2, "2", [{"a": 9}])
    assert list(Made(tmp_path, 5).in_order()) == [ROWS[0], ROWS[1], [{"a": 9}], ROWS[3]]


def test_a_torn_line_costs_only_itself(begun, tmp_path):
    path = tmp_path / "made.jsonl"
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        again = Made(tmp_path, 5)
        assert again.done == whole[:end].count(b"\n") - (b"Timeout" in whole[:end].rpartition(b"\n")[0])
        assert path.read_bytes() == whole[: whole[:end].rfind(b"\n") + 1]


def test_another_prompt_at_the_same_place_is_made_anew(begun, tmp_path):
    again = Made(tmp_path, 5)
    assert not again.has(3, "f")
    again.add(3, "f", [{"a": 7}])
    assert (again.done, again.written) == (3, 2)
    assert list(again.in_order()) == [ROWS[0], ROWS[1], [{"a": 7}]]
