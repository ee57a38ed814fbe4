"""Which written models are refused, with which sentence."""

import pytest
from alignment_api.results.evaluation import Estimate
from alignment_api.results.export import Fidelity, Size
from alignment_api.spec.data import Dataset
from alignment_trainer.exporting.limits import excesses, limits_of, size_fault
from alignment_trainer.settings.export import ProofSettings

ORIGINAL = Fidelity(perplexity=Estimate(value=4.0, count=9))
WRITTEN = Fidelity(
    perplexity=Estimate(value=4.4, count=9),
    divergence=Estimate(value=0.02, count=9),
    agreement=Estimate(value=0.97, count=9),
)


def proof(divergence=None, increase=None, agreement=None):
    return ProofSettings("p", Dataset(uri="workspace://a.jsonl"), 100, divergence, increase, agreement)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (proof(), []),
        (proof(0.02, 0.11, 0.97), []),
        (proof(divergence=0.019), ["it diverges by 0.02 nats per token from the original, more than maximumDivergence 0.019"]),
        (
            proof(increase=0.09),
            [
                "its perplexity is 4.4000 where the original's is 4.0000, an increase of 0.1, more than "
                "maximumPerplexityIncrease 0.09"
            ],
        ),
        (proof(agreement=0.98), ["it finds the same token likeliest for 0.9700 of the tokens, less than minimumAgreement 0.98"]),
    ],
    ids=["no limits", "just within", "divergence", "perplexity", "agreement"],
)
def test_only_what_exceeds_a_limit_is_refused(limits, expected):
    found = limits_of(limits, ORIGINAL, WRITTEN)
    assert excesses(found, ORIGINAL, WRITTEN) == expected
    assert sum(one.is_broken for one in found) == len(expected)


def test_each_limit_stands_in_the_report_with_what_was_reached():
    found = [(one.name, one.limit, one.figure, one.is_broken) for one in limits_of(proof(0.019, None, 0.97), ORIGINAL, WRITTEN)]
    assert found == [("maximumDivergence", 0.019, 0.02, True), ("minimumAgreement", 0.97, 0.97, False)]


@pytest.mark.parametrize(
    ("quantization", "size", "expected"),
    [
        ("None", Size(all_bytes=9, linear_bytes=400, dtypes={"F32": 1}), None),
        ("Int8", Size(all_bytes=9, linear_bytes=104, dtypes={"I8": 1}), None),
        ("Int4", Size(all_bytes=9, linear_bytes=56, dtypes={"U8": 1, "F32": 2}), None),
        ("W4A16", Size(all_bytes=9, linear_bytes=200, dtypes={"BF16": 1}), "has no tensor of I32 in its files, but BF16"),
        (
            "GPTQ",
            Size(all_bytes=9, linear_bytes=200, dtypes={"I32": 1}),
            "has linear layers of 200 bytes, 1.00 of their size in 16 bit, too many for GPTQ",
        ),
    ],
    ids=["as trained", "8 bit", "4 bit", "not rounded", "rounded and not packed"],
)
def test_files_that_are_not_in_the_format_are_found(quantization, size, expected):
    assert size_fault(quantization, 100, size) == expected


def test_a_model_without_linear_layers_is_no_rounded_one():
    size = Size(all_bytes=9, linear_bytes=0, dtypes={"I8": 1})
    assert size_fault("Int8", 0, size) == "has no linear layer that could be rounded"


def test_a_perplexity_without_a_value_exceeds_every_limit():
    written = WRITTEN.model_copy(update={"perplexity": Estimate(count=9)})
    (limit,) = limits_of(proof(increase=0.09), ORIGINAL, written)
    assert (limit.figure, limit.is_broken) == (None, True)
    (found,) = excesses([limit], ORIGINAL, written)
    assert found.startswith("its perplexity is inf where the original's is 4.0000")
