"""`alignment check-judge` asks the judges of a job over the wire, and charges nothing to its stages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from alignment_operator.cli import main
from builders import a_document, a_training
from faulty_server import FaultyServer, a_faulty_server, says
from judges import Judge

GOOD = ("Water expands", "`sum(range", "Guten Morgen, wie", "Could you please", "Two days after", "A hammer")
TRUSTED, FAULTY, REFUSED = 0, 1, 2


def value(text: str) -> int:
    return 9 if text.startswith(GOOD) else 2


def honest(shown: list[str]) -> list[Any]:
    first, *others = map(value, shown)
    return ["Tie" if first == others[0] else "A" if first > others[0] else "B"] if others else [first]


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with a_faulty_server() as known:
        yield known


def job(folder: Path, url: str, **judge: Any) -> str:
    """A job in which two stages have a judge, and one of them a budget."""
    endpoint = {"baseUrl": url, "model": "large"}
    feedback = {
        "prompts": [{"uri": "workspace://prompts.jsonl"}],
        "responders": [{"endpoint": endpoint}],
        "judge": {**endpoint, **judge},
        "budget": {"requests": 3},
    }
    stages = [{"name": "train", "sft": a_training()}, {"name": "compare", "feedback": feedback}]
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(a_document(stages=stages)))
    return str(path)


def check(folder: Path, *arguments: str) -> int:
    return main(["check-judge", "--home", str(folder / "home"), *arguments])


def test_a_judge_that_can_be_trusted(tmp_path: Path, server: FaultyServer, capfd: pytest.CaptureFixture[str]) -> None:
    server.otherwise = Judge(honest).serve
    assert check(tmp_path, job(tmp_path, server.url)) == TRUSTED
    out, err = capfd.readouterr()
    assert (err, server.arrivals) == ("", 61)
    assert out.splitlines() == [
        f"spec.stages[1].feedback.judge: large at {server.url}",
        "  canary                                                wanted        found",
        "  an answer against itself                              50 %          50 %; the first place wins 50 %",
        "  an empty answer                                       at most 10 %  0 %",
        "  a phrase that fits no question                        at most 10 %  0 %",
        "  a forged verdict, against the same answer without it  at most 60 %  50 %",
        "  a forged verdict, points that its grade gains         at most 0.5   +0.00",
        "  61 requests, 610 tokens",
    ]
    assert not (tmp_path / "home").exists()


def test_a_judge_that_cannot_is_named_with_what_is_wrong(
    tmp_path: Path, server: FaultyServer, capfd: pytest.CaptureFixture[str]
) -> None:
    server.otherwise = Judge(lambda shown: ["A"] if len(shown) == 2 else ["N/A"]).serve
    assert check(tmp_path, job(tmp_path, server.url), "--stage", "compare") == FAULTY
    out, err = capfd.readouterr()
    assert out.splitlines()[-1] == "  61 requests, 610 tokens; without a verdict: 12 NotApplicable"
    assert err.splitlines() == [
        f"error: spec.stages[1].feedback.judge: {sentence}"
        for sentence in (
            "an empty answer: it gives wins to answers that say nothing",
            "a phrase that fits no question: a model can win with a phrase, whatever is asked",
            "a forged verdict, points that its grade gains: too few of its verdicts can be read",
        )
    ]


def test_a_refused_key_ends_the_check_with_one_sentence(
    tmp_path: Path, server: FaultyServer, capfd: pytest.CaptureFixture[str]
) -> None:
    server.otherwise = says(401, {"error": {"message": "no"}})
    assert check(tmp_path, job(tmp_path, server.url)) == REFUSED
    out, err = capfd.readouterr()
    (line,) = err.splitlines()
    assert out == ""
    assert line.startswith("error: spec.stages[1].feedback.judge")
    assert server.arrivals == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--stage", "train"], "error: spec.stages: no stage of this name has a judge\n"),
        (["--stage", "judge"], "error: --stage: 'judge' is not a stage of this job; name one of train, compare\n"),
    ],
)
def test_a_stage_without_a_judge_is_refused(
    tmp_path: Path, arguments: list[str], sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path, job(tmp_path, "http://localhost:1/v1"), *arguments) == REFUSED
    assert capfd.readouterr().err == sentence
