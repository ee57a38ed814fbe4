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
    Samples(tmp_path, KEYS).append(step_of(5, "a", "b"))
    again = Samples(tmp_path, KEYS)
    assert again.steps == {5}
    again.append(step_of(5, "c", "d"))
    again.append(step_of(10, "e", "f"))
    assert written(tmp_path) == [(5, "a"), (5, "b"), (10, "e"), (10, "f")]


def test_after_a_kill_at_any_byte_the_file_becomes_that_of_an_uninterrupted_run(tmp_path):
    def attempt():
        samples = Samples(tmp_path, KEYS)
        for number in (0, 5):
            samples.append(step_of(number, "ä", "b"))

    attempt()
    path = tmp_path / "samples.jsonl"
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        attempt()
        assert path.read_bytes() == whole


OLD = [None] * 4


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        # By number and keys of each step; an earlier version asked four prompts, or as many as were held out, without keys.
        ([(0, OLD), (5, OLD)], {0, 5}),
        ([(0, OLD), (5, OLD[:3])], {0}),
        ([(0, OLD[:3]), (5, OLD[:3])], {0, 5}),
        ([(0, OLD)], {0}),
        ([(0, OLD), (5, KEYS)], {0, 5}),
        ([(0, OLD), (5, KEYS[:1])], {0}),
        # The prompts of a stage have changed since.
        ([(0, ["k0", "k1"]), (5, ["k0", "k1"])], {0, 5}),
        ([(0, ["k0", "k1"]), (5, KEYS), (10, KEYS[:1])], {0, 5}),
        ([(0, KEYS), (5, KEYS)], {0, 5}),
        ([], set()),
    ],
)
def test_only_a_step_without_all_its_rows_is_dropped(tmp_path, left, kept):
    rows = [Sample(step=number, key=key, prompt="p", policy="a") for number, keys in left for key in keys]
    (tmp_path / "samples.jsonl").write_text("".join(f"{row.model_dump_json(exclude_none=True)}\n" for row in rows))
    assert Samples(tmp_path, KEYS).steps == kept


def test_rows_of_an_earlier_version_are_read(tmp_path):
    row = {"step": 0, "prompt": "Is it?", "chosen": None, "rejected": None, "reference": "Yes.", "policy": "No."}
    (tmp_path / "samples.jsonl").write_text(json.dumps(row) + "\n")
    assert [found.key for found in read_samples(tmp_path / "samples.jsonl")] == [None]
