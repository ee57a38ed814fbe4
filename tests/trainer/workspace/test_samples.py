"""The samples of a stage after attempts that ended anywhere, also attempts of an earlier version."""

import json

import pytest
from alignment_trainer.workspace.samples import Sample, Samples, read_samples

KEYS = ["k1", "k2"]


def step_of(number, *texts, keys=KEYS):
    return [Sample(step=number, key=key, prompt="Is it?", policy=text) for key, text in zip(keys, texts, strict=False)]


def written(stage):
    return [(found.step, found.policy) for found in read_samples(stage / "samples.jsonl")]


def test_a_step_that_is_evaluated_twice_is_written_once(tmp_path):
    Samples(tmp_path).append(step_of(5, "a", "b"))
    again = Samples(tmp_path)
    assert again.steps == {5}
    again.append(step_of(5, "c", "d"))
    again.append(step_of(10, "e", "f"))
    assert written(tmp_path) == [(5, "a"), (5, "b"), (10, "e"), (10, "f")]


def test_after_a_kill_at_any_byte_the_file_becomes_that_of_an_uninterrupted_run(tmp_path):
    def attempt():
        samples = Samples(tmp_path)
        for number in (0, 5):
            samples.append(step_of(number, "ä", "b"))

    attempt()
    path = tmp_path / "samples.jsonl"
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        attempt()
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        # By number, rows and how many rows the step says that it has; an earlier version did not say it.
        ([(0, 4, None), (5, 4, None)], {0, 5}),
        ([(0, 4, None), (5, 3, None)], {0}),
        ([(0, 3, None), (5, 3, None)], {0, 5}),
        ([(0, 4, None)], {0}),
        ([(0, 4, None), (5, 2, 2)], {0, 5}),
        ([(0, 4, None), (5, 1, 2)], {0}),
        # The prompts of the stage have changed since.
        ([(0, 2, 2), (5, 1, 1)], {0, 5}),
        ([(0, 3, 3), (5, 2, 2), (10, 1, 2)], {0, 5}),
        # The base model's answers, which no later attempt makes again.
        ([(0, 2, 2)], {0}),
        ([(0, 1, 2)], set()),
        ([], set()),
    ],
)
def test_only_a_step_without_all_its_rows_is_dropped(tmp_path, left, kept):
    rows = [Sample(step=number, prompt="p", policy="a", step_rows=of) for number, count, of in left for _ in range(count)]
    (tmp_path / "samples.jsonl").write_text("".join(f"{row.model_dump_json(exclude_none=True)}\n" for row in rows))
    assert Samples(tmp_path).steps == kept


@pytest.mark.parametrize("damage", [b"\0\0\0\n", b"\xff\n", b"[1]\n", b'{"step": 5}\n'])
def test_a_damaged_file_is_set_aside_and_ends_nothing(tmp_path, capfd, damage):
    path = tmp_path / "samples.jsonl"
    Samples(tmp_path).append(step_of(0, "a", "b"))
    left = path.read_bytes() + damage
    path.write_bytes(left)
    # Shipping passes over it until an attempt comes.
    assert written(tmp_path) == [(0, "a"), (0, "b")]
    again = Samples(tmp_path)
    assert again.steps == set()
    assert (tmp_path / "samples.jsonl.damaged").read_bytes() == left
    assert capfd.readouterr().err == f"{path}.damaged was damaged; the answers before this attempt are missing\n"
    again.append(step_of(5, "c", "d"))
    assert written(tmp_path) == [(5, "c"), (5, "d")]


def test_rows_of_an_earlier_version_are_read(tmp_path):
    row = {"step": 0, "prompt": "Is it?", "chosen": None, "rejected": None, "reference": "Yes.", "policy": "No."}
    (tmp_path / "samples.jsonl").write_text(json.dumps(row) + "\n")
    assert [found.key for found in read_samples(tmp_path / "samples.jsonl")] == [None]
