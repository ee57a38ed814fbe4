import pytest
from alignment_api.spec.data import Dataset
from alignment_trainer.data.dataset_names import dataset_names


def at(uri, **fields):
    return Dataset(uri=uri, **fields)


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        ([[at("workspace://chat/a.jsonl"), at("s3://bucket/b.parquet")], [at("hf://owner/c")]], [["a", "b"], ["c"]]),
        ([[at("workspace://one/rows.jsonl"), at("workspace://two/rows.jsonl")]], [["one/rows.jsonl", "two/rows.jsonl"]]),
        ([[at("workspace://rows.jsonl"), at("workspace://rows.parquet"), at("hf://a/b")]], [["rows.jsonl", "rows.parquet", "b"]]),
        ([[at("workspace://a/x/rows.csv"), at("s3://b/x/rows.csv")]], [["a/x/rows.csv", "b/x/rows.csv"]]),
        ([[at("hf://a/b", split="train_sft")], [at("hf://a/b", split="test_sft")]], [["b:train_sft"], ["b:test_sft"]]),
        ([[at("hf://a/b", configuration="x"), at("hf://a/b", configuration="y", split="s")]], [["b:x", "b:y:s"]]),
        ([[at("workspace://a/b/"), at("s3://c/b")]], [["a/b", "c/b"]]),
        ([[at("workspace://a/b", name="b"), at("workspace://c/b")]], [["b", "c/b"]]),
        ([[at("workspace://a", name="x"), at("workspace://b", name="x")], []], [["x", "x 2"], []]),
        ([[at("workspace://a.csv")] * 2, [at("workspace://a.csv")]], [["a.csv", "a.csv 2"], ["a.csv 3"]]),
        ([[Dataset(stage="distill")], [Dataset(stage="feedback", name="judged")]], [["distill"], ["judged"]]),
        ([[Dataset(stage="distill"), at("workspace://a/distill.jsonl")]], [["stage:distill", "distill.jsonl"]]),
        ([[Dataset(stage="distill")] * 2], [["stage:distill", "stage:distill 2"]]),
        ([[]], [[]]),
    ],
)
def test_names_are_short_and_unique(groups, names):
    assert dataset_names(*groups) == names
