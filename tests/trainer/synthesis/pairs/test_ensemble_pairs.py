"""Prompts that an ensemble answers and a judge scores: what becomes a pair, what is counted, and what a biased judge shows."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from alignment_api.spec.settings.synthesis import Principles
from alignment_api.spec.stage_model import StageModel
from alignment_trainer.endpoints.question import Unanswered
from alignment_trainer.failures import KeyRefused
from alignment_trainer.settings.feedback import EnsembleSettings, Member, PairSettings
from alignment_trainer.synthesis.made import LeftOut
from alignment_trainer.synthesis.pairs.ensemble import Ensemble
from alignment_trainer.synthesis.pairs.ensemble_pairs import EnsemblePairs
from alignment_trainer.synthesis.pairs.judged import JudgedFile
from alignment_trainer.synthesis.pairs.report import Tally
from alignment_trainer.synthesis.prompts import Prompt, key_of
from ensembles import NAMES, SAMPLING, Models, prefers, says, server
from judges import answer

ASPECTS = ("Truthfulness", "Helpfulness")
PAIRS = PairSettings("MeanOfAspects", ASPECTS, "Random", 0, "Drop", "DropAnswer", seed=3)


def settings(**changes: Any) -> EnsembleSettings:
    members = tuple(Member(name, server(name), None) for name in NAMES)
    given = {"members": members, "answers_per_prompt": 4, "principles": None, "keeps_cut": False, **changes}
    return EnsembleSettings(
        path="spec.stages[0].feedback", judge=server("judge"), prompts=[], sampling=SAMPLING, judge_sampling=SAMPLING, **given
    )


def prompt(text: str = "Why?") -> Prompt:
    messages = ({"role": "user", "content": text},)
    return Prompt(key_of(messages), messages, {}, f"questions.jsonl: {text}")


@pytest.fixture
def make(tmp_path):
    """Return the outcomes of prompts, and the tally of all."""

    def made(models: Models, prompts: Sequence[Prompt] = (prompt(),), pairs: PairSettings = PAIRS, own: Mapping = {}, **changes):
        chosen, file = settings(**changes), JudgedFile(tmp_path)
        ensemble = Ensemble(len(chosen.members), chosen.answers_per_prompt, chosen.principles, pairs.seed)
        making, tally = EnsemblePairs(chosen, pairs, ensemble, models, own, file), Tally()

        async def all_made():
            return [await making(prompt) for prompt in prompts]

        outcomes = asyncio.run(all_made())
        for outcome in outcomes:
            tally.add_outcome(outcome)
        for judged in file.read():
            tally.add_judged(judged)
        return outcomes, tally.report()

    return made


def test_a_pair_says_where_it_comes_from(make):
    models = Models(prefers(*NAMES))
    [[row]], _ = make(models, pairs=PairSettings(**{**vars(PAIRS), "rejected": "Worst"}), principles=Principles(honesty=1))
    about = row["provenance"]
    assert row["prompt"] == [{"role": "user", "content": "Why?"}], "the pair does not have the principle"
    assert row["chosen"][0]["content"].startswith("best") and row["rejected"][0]["content"].startswith("poor")
    assert about["judge"] == {"model": "judge", "baseUrl": server("judge").endpoint.base_url, "field": server("judge").field}
    assert (about["seed"], about["margin"]) == (3, 3)
    asked = {name: question for name, question in models.asked if name != "judge"}
    for which, name, score in (("chosen", "best", 5), ("rejected", "poor", 2)):
        answered = about[which]
        assert (answered["model"], answered["score"], answered["principle"]) == (name, score, "honesty")
        assert answered["baseUrl"] == server(name).endpoint.base_url
        assert answered["aspects"] == dict.fromkeys(ASPECTS, score)
        assert (answered["seed"], answered["sample"]) == (asked[name].seed, asked[name].sample)
        assert asked[name].messages[0]["role"] == "system"
    shown = [question.messages[0]["content"] for question in models.judge.asked]
    for aspect, text in zip(ASPECTS, shown, strict=True):
        order = sorted(NAMES, key=lambda name: text.index(f"\n{name} "))
        for which in ("chosen", "rejected"):
            assert about[which]["positions"][aspect] == order.index(about[which]["model"])


def cut(name, question):
    return answer(f"{name} says", "length" if name == "best" else "stop")


def silent(*names):
    return lambda name, question: Unanswered("Timeout", "late") if name in names else says(name, question)


def fails(aspect_word):
    """Return a judge that gives no verdict where it is asked about one aspect."""

    class Failing(Models):
        async def __call__(self, server, question):
            if server.endpoint.model == "judge" and aspect_word in question.messages[0]["content"].lower():
                return Unanswered("Timeout", "late")
            return await super().__call__(server, question)

    return Failing(prefers(*NAMES))


LEFT_OUT = {
    "nobody answers": (Models(prefers(*NAMES), silent(*NAMES)), {}, LeftOut("few_answers", has_failed=True)),
    "one answers": (Models(prefers(*NAMES), silent("best", "good", "fair")), {}, LeftOut("few_answers", has_failed=True)),
    "all say the same": (Models(prefers(*NAMES), lambda *_: answer("So.")), {}, LeftOut("identical_answers")),
    "a judge that rates all alike": (Models(lambda shown: [3] * len(shown)), {}, LeftOut("tie")),
    "a judge that rates nothing": (Models(lambda shown: ["N/A"] * len(shown)), {}, LeftOut("unscored")),
    "all answers are cut": (
        Models(prefers(*NAMES), lambda name, _: answer(name, "length")),
        {},
        LeftOut("few_answers", has_failed=True, asks_again=False),
    ),
    "a judge that gives no verdict": (
        Models(lambda shown: ["4.5/5"] * len(shown)),
        {},
        LeftOut("unscored", has_failed=True),
    ),
    "a judge that fails for one aspect": (fails("help"), {}, LeftOut("unscored", has_failed=True)),
}


@pytest.mark.parametrize(("models", "changes", "wanted"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_prompts_without_a_pair(make, models, changes, wanted):
    [outcome], _ = make(models, **changes)
    assert (outcome.reason, outcome.has_failed) == (wanted.reason, wanted.has_failed)
    assert not wanted.has_failed or outcome.asks_again == wanted.asks_again
    if wanted.reason in ("few_answers", "identical_answers"):
        assert not models.judge.asked, "a judgement would be paid for nothing"


def test_a_failure_waits_for_the_answers_that_are_under_way(make):
    ended = []

    class Refused(Models):
        async def __call__(self, server, question):
            if server.endpoint.model == "good":
                raise KeyRefused("the key is refused")
            await asyncio.sleep(0)
            ended.append(server.endpoint.model)
            return await super().__call__(server, question)

    with pytest.raises(KeyRefused):
        make(Refused())
    assert sorted(ended) == ["best", "fair", "poor"]


def test_what_is_missing_never_becomes_a_number(make):
    """A judge that fails for one aspect leaves means of the other aspect, and a mean over nothing is no mean."""
    pairs = PairSettings(**{**vars(PAIRS), "missing_aspects": "MeanOfRest", "rejected": "Worst"})
    [[row]], report = make(fails("help"), pairs=pairs)
    assert row["provenance"]["margin"] == 3 and "comparesDifferentAspects" not in row["provenance"]
    assert report.manifest["models"]["best"]["means"] == {"Truthfulness": 5}
    assert report.manifest["judge"]["failures"] == {"Timeout": 1}


def test_means_over_different_aspects_are_marked(make):
    decide = iter([[5, 4, "N/A", 2], [5, 4, 3, 2]] * 2)
    pairs = PairSettings(**{**vars(PAIRS), "missing_aspects": "MeanOfRest", "rejected": "Worst", "minimum_margin": 0})
    rows = make(Models(lambda shown: next(decide)), [prompt(str(number)) for number in range(2)], pairs)[0]
    assert all(isinstance(outcome, list) for outcome in rows)
    for [row] in rows:
        about = row["provenance"]
        differs = about["chosen"]["aspects"].keys() != about["rejected"]["aspects"].keys()
        assert about.get("comparesDifferentAspects", False) == differs


@pytest.mark.parametrize(("keeps_cut", "chosen"), [(False, "good"), (True, "best")])
def test_cut_answers(make, keeps_cut, chosen):
    [[row]], _ = make(Models(prefers(*NAMES), cut), keeps_cut=keeps_cut)
    assert row["provenance"]["chosen"]["model"] == chosen


def test_overall_is_one_judgement(make):
    models = Models(lambda shown: [10 if text.startswith("fair") else 1 for text in shown])
    [[row]], report = make(models, pairs=PairSettings(**{**vars(PAIRS), "score": "Overall"}))
    assert len(models.judge.asked) == 1
    assert (row["provenance"]["chosen"]["model"], row["provenance"]["margin"]) == ("fair", 9)
    assert report.manifest["models"]["fair"]["means"] == {"Overall": 10}


def test_the_jobs_own_models_are_not_asked_again(make):
    question, own = prompt(), {}
    members = (Member("base", None, StageModel(base=True)), *settings().members[:1])
    for turn in Ensemble(2, 4, None, PAIRS.seed).turns(question.key):
        own[f"{question.key}/{turn.sample}"] = answer(f"base {turn.sample}")
    models = Models(prefers("best", "base"))
    [[row]], _ = make(models, [question], own=own, members=members)
    assert Counter(name for name, _ in models.asked) == {"best": 2, "judge": 2}
    assert (row["provenance"]["chosen"]["model"], row["provenance"]["rejected"]["model"]) == ("best", "base")
    assert "baseUrl" in row["provenance"]["chosen"] and "baseUrl" not in row["provenance"]["rejected"]


def test_permuting_the_responders_answers_gives_the_same_pairs(make):
    """The judge sees texts and not who wrote them, and chance follows the texts."""
    prompts = [prompt(f"Why {number}?") for number in range(30)]

    def decide(shown):
        return [random.Random(text).randint(1, 3) for text in shown]

    found = []
    for shift in range(4):

        def says_shifted(name, question, shift=shift):
            return answer(f"text {(question.sample + shift) % 4} {question.messages[-1]['content']}")

        outcomes, _ = make(Models(decide, says_shifted), prompts)
        found.append(
            [one if isinstance(one, LeftOut) else (one[0]["chosen"], one[0]["rejected"]) for one in outcomes],
        )
    assert found[0] == found[1] == found[2] == found[3]
    assert sum(not isinstance(one, LeftOut) for one in found[0]) > 15


def test_a_judge_that_looks_at_the_place_favours_nobody_and_is_named(make):
    """The first answer that it sees is always the best: each model is chosen equally often, and the stage warns."""
    prompts = [prompt(f"Why {number}?") for number in range(200)]
    outcomes, report = make(Models(lambda shown: [5, 3, 3, 3]), prompts, PairSettings(**{**vars(PAIRS), "aspects": ASPECTS[:1]}))
    chosen = Counter(one[0]["provenance"]["chosen"]["model"] for one in outcomes)
    assert all(30 < chosen[name] < 70 for name in NAMES)
    assert [sentence for sentence in report.warnings if "the one at place 1 of 4" in sentence]
    assert report.metrics["judged/places/1"] == 1.5
    assert all(one[0]["provenance"]["chosen"]["positions"] == {"Truthfulness": 0} for one in outcomes)


def test_a_judge_that_counts_words_is_named(make):
    def wordy(name, question):
        return answer(f"{name} " + "word " * random.Random(f"{name}{question.seed}").randint(1, 50))

    longest = Models(lambda shown: [1 + min(4, len(text) // 50) for text in shown], wordy)
    _, report = make(longest, [prompt(f"Why {number}?") for number in range(100)])
    assert report.metrics["judged/length_correlation"] > 0.9
    assert [sentence for sentence in report.warnings if sentence.startswith("longer answers get higher scores")]


def test_a_fair_judge_is_not_blamed(make):
    def says_by_chance(name, question):
        return answer(f"{name} {question.seed} " + "word " * (question.seed % 7))

    fair = Models(lambda shown: [random.Random(text).randint(1, 5) for text in shown], says_by_chance)
    _, report = make(fair, [prompt(f"Why {number}?") for number in range(200)])
    assert report.warnings == []
    means = {name: model["means"]["Helpfulness"] for name, model in report.manifest["models"].items()}
    assert means.keys() == set(NAMES) and all(2.6 < mean < 3.4 for mean in means.values())
    assert {model["judgedAnswers"] for model in report.manifest["models"].values()} == {200}
