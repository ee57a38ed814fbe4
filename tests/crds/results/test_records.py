"""The scores of reports as records."""

from alignment_api.results.proofs import Exported
from alignment_api.results.records import FIELDS, export_records, flat, score_records
from alignment_api.results.table import Measured
from reported import exported, report

BASE, DPO = ("arc", "accuracy", "base"), ("arc", "accuracy", "dpo")


def test_a_record_names_the_model_that_its_score_is_relative_to() -> None:
    (record,) = score_records([Measured("job", "eval", report({DPO: (0.1, 0.01)}, relative_to=("sft", "hash-of-sft")))])
    assert (record["against"], record["against_weights"]) == ("sft", "hash-of-sft")


def test_a_record_says_what_its_report_is() -> None:
    evaluated = Measured("job", "eval", report({BASE: (0.3, 0.02)}), "EarlierSettings")
    assert [one["report"] for one in score_records([evaluated, evaluated._replace(job="other", standing="Final")])] == [
        *("EarlierSettings", "Final")
    ]
    assert {one["report"] for one in export_records([Exported("job", "int8", exported(), "Failed")])} == {"Failed"}


def test_each_score_is_a_record_with_its_difference() -> None:
    scores = {BASE: (0.3, 0.02), DPO: (0.4, 0.02), ("arc", "margin", "dpo"): (1.5, None)}
    records = score_records([Measured("job", "eval", report(scores, {DPO: (0.1, 0.01)}, side=["margin"]))])
    assert all(tuple(record) == FIELDS for record in records)
    base, dpo, margin = records
    assert (base["model"], base["value"], base["error"], base["difference"]) == ("base", 0.3, 0.02, None)
    assert (base["prompts"], base["failed_prompts"], base["texts"]) == (100, 0, None)
    assert (dpo["difference_to"], dpo["difference"], dpo["paired"], dpo["best"]) == ("base", 0.1, True, True)
    assert (margin["metric"], margin["error"]) == ("margin", None)
    assert dpo["settings"] == {"seed": 0}
    assert flat(dpo) == {**dpo, "settings": '{"seed": 0}'}


def test_every_score_is_a_record_also_where_two_stages_measured_one_model_alike() -> None:
    early, late = report({BASE: (0.3, 0.02), DPO: (0.4, 0.02)}), report({DPO: (0.41, 0.001)})
    records = score_records([Measured("job", "eval", early), Measured("job", "late", late)])
    assert [(one["model"], one["stage"], one["value"], one["best"]) for one in records] == [
        *(("base", "eval", 0.3, False), ("dpo", "eval", 0.4, False), ("dpo", "late", 0.41, True))
    ]


def test_each_number_of_an_export_has_the_hash_of_its_weights() -> None:
    records = export_records([Exported("job", "int8", exported(weights="of-dpo", written_weights="of-int8"))])
    assert {one["model"]: one["weights"] for one in records} == {"dpo": "of-dpo", "int8": "of-int8", "dpo in bf16": None}
    assert {one["metric"] for one in records if one["model"] == "dpo"} == {"bytes_before", "linear_bytes_before", "perplexity"}


def test_a_number_that_has_a_limit_says_it_and_whether_it_is_broken() -> None:
    limits = [
        {"name": "maximumDivergence", "limit": 0.05, "figure": 0.0123, "is_broken": False},
        {"name": "maximumPerplexityIncrease", "limit": 0.0001, "figure": 0.0008, "is_broken": True},
    ]
    records = export_records([Exported("job", "int8", exported(limits=limits))])
    assert {
        (one["model"], one["metric"]): (one["value"], one["limit"], one["limit_failed"]) for one in records if one["limit"]
    } == {("int8", "divergence"): (0.0123, 0.05, False), ("int8", "perplexity_increase"): (0.0008, 0.0001, True)}


def test_each_number_of_an_export_is_a_record() -> None:
    found = {(one["model"], one["metric"]): one["value"] for one in export_records([Exported("job", "int8", exported())])}
    assert found["int8", "size_ratio"] == 836 / 2778
    assert {one["texts"] for one in export_records([Exported("job", "int8", exported())])} == {None, 100}
    assert (found["dpo", "perplexity"], found["int8", "perplexity"]) == (2.3321, 2.334)
    assert (found["dpo in bf16", "divergence"], found["int8", "agreement"]) == (1e-5, 0.993)
