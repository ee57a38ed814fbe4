"""Before and after of exports, and what judges show of themselves, in words."""

from alignment_api.results.evaluation import JudgePanel
from alignment_api.results.judges import panel_sentence
from alignment_api.results.proofs import HEADS, Exported, broken_limits, proof_lines, proof_sentences
from reported import exported


def test_an_export_before_and_after() -> None:
    (line,) = proof_lines([Exported("job", "int8", exported())])
    assert dict(zip(HEADS, line, strict=True)) == {
        **{"export": "int8", "model": "dpo", "format": "Int8", "tokens": "4,096", "ends its answers": "yes", "limits": "–"},
        **{"size": "2.78 MB → 836 KB (30 %)", "linear layers": "2.4 MB → 600 KB"},
        "perplexity before ↓": "2.332 ± 0.041",
        **{"perplexity after ↓": "2.334 ± 0.041", "perplexity of bf16 ↓": "2.332 ± 0.041"},
        **{"KL ↓": "0.0123 ± 0.0021", "KL of bf16 ↓": "1e-5 ± 2e-6"},
        **{"agreement ↑": "0.9930 ± 0.0012", "agreement of bf16 ↑": "0.9950 ± 0.0010"},
    }
    assert "int8: Loading needs bitsandbytes." in proof_sentences([Exported("job", "int8", exported())])


def test_an_export_without_proof_has_sizes_only() -> None:
    bare = exported(original=None, rounded=None, written=None, tokens=0, ends_its_answers=None)
    (line,) = proof_lines([Exported("job", "int8", bare)])
    assert line[5:] == ("–",) * 10


LIMITS = [
    {"name": "maximumDivergence", "limit": 0.05, "figure": 0.0123, "is_broken": False},
    {"name": "minimumAgreement", "limit": 0.995, "figure": 0.993, "is_broken": True},
]


def test_an_export_whose_limit_is_broken_says_figure_limit_and_that_it_failed() -> None:
    found = [Exported("job", "int8", exported(limits=LIMITS))]
    (line,) = proof_lines(found)
    assert line[HEADS.index("limits")] == "maximumDivergence 0.05 kept: 0.0123; minimumAgreement 0.995 failed: 0.993"
    sentence = "int8 failed: minimumAgreement is 0.995, and the written model reached 0.993. Both models are kept."
    assert broken_limits(found) == [sentence]


def test_a_figure_that_is_no_number_breaks_its_limit_too() -> None:
    limit = {"name": "maximumPerplexityIncrease", "limit": 0.05, "figure": None, "is_broken": True}
    (line,) = proof_lines([Exported("job", "int8", exported(limits=[limit]))])
    assert line[HEADS.index("limits")] == "maximumPerplexityIncrease 0.05 failed: –"


def test_a_panel_in_words() -> None:
    panel = JudgePanel(
        task="alpaca",
        judges=["large", "small"],
        agreement=0.81,
        agreement_count=160,
        same_in_both_orders=0.74,
        first_position=0.54,
        longer_wins=0.61,
        failures={"timeout": 3, "no verdict": 9},
    )
    assert panel_sentence(panel) == (
        "alpaca is judged by large, small; two judges agree in 81 % of 160 verdicts; 74 % of the comparisons have the same "
        "verdict in both orders; the answer that stands first wins 54 % (50 % without bias); "
        "the longer answer wins 61 % of the decided "
        "ones; 12 verdicts are missing (9 no verdict, 3 timeout)."
    )
