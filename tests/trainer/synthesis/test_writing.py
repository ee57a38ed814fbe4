"""All prompts are made once, many at once, whatever fails, stops or kills the stage in between."""

import asyncio
from collections import Counter

import pytest
from alignment_trainer.endpoints.counts import Counts
from alignment_trainer.failures import Stopped, TooFewRows, Unreachable, UnusableAnswers
from alignment_trainer.synthesis.made import LeftOut
from alignment_trainer.synthesis.prompts import Prompt, key_of
from alignment_trainer.synthesis.writing import write_rows


class Asked:
    """What the tests' `make` functions count in place of requests."""

    def counts(self):
        return Counts(requests=7, prompt_tokens=70, answer_tokens=30, cost=0.5, kept_answers=2, unanswered={"Timeout": 1})


def prompts(count):
    for number in range(count):
        messages = ({"role": "user", "content": str(number)},)
        yield Prompt(key_of(messages), messages, {}, f"rows:{number}")


def row(prompt, answer="yes"):
    return [{"messages": [*prompt.messages, {"role": "assistant", "content": answer}]}]


def number_of(prompt):
    return int(prompt.messages[0]["content"])


def write(config, make, count=20, share=0.5, total=None):
    return asyncio.run(write_rows(config, prompts(count), total or count, make, Asked(), share))


def numbers(report):
    return [number_of_row(row) for outcome in report.made.in_order() if not isinstance(outcome, LeftOut) for row in outcome]


def number_of_row(row):
    return int(row["messages"][0]["content"])


async def backwards(prompt):
    for _ in range(30 - number_of(prompt)):
        await asyncio.sleep(0)
    return row(prompt)


def test_rows_are_in_the_order_of_the_prompts_in_whatever_order_they_are_done(distilling, tmp_path):
    assert numbers(write(distilling(tmp_path), backwards)) == list(range(20))


def test_as_many_are_under_way_as_all_endpoints_take(distilling, tmp_path):
    now, most = 0, 0

    async def make(prompt):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1
        return row(prompt)

    write(distilling(tmp_path), make)
    assert most == 4


@pytest.mark.parametrize("failure", [Unreachable("away"), Stopped("stopped"), OSError("broken"), KeyError("defect")])
def test_a_failure_ends_the_stage_when_what_is_under_way_is_done(failure, distilling, tmp_path):
    config, made = distilling(tmp_path), Counter()

    async def fails_once(prompt):
        await asyncio.sleep(0.001)
        if number_of(prompt) == 9 and not made[9]:
            made[9] += 1
            raise failure
        made[number_of(prompt)] += 1
        return row(prompt)

    with pytest.raises(type(failure)):
        write(config, fails_once)
    assert 9 <= made.total() <= 13, "of the prompts under way, none was cut off, and no other was begun"
    assert numbers(write(config, fails_once)) == list(range(20))
    assert made == Counter(range(20)) + Counter([9]), "each prompt is made once"


LEFT = [
    (LeftOut("cut"), 0.0, None),
    (LeftOut("Timeout", "no answer", has_failed=True), 0.25, None),
    (LeftOut("Timeout", "no answer", has_failed=True), 0.2, "5 of 20 prompts have no usable answer (5 Timeout)"),
    (LeftOut("Timeout", "no answer", has_failed=True), 0.0, "1 of 20 prompts have no usable answer (1 Timeout)"),
]


@pytest.mark.parametrize(("left_out", "share", "sentence"), LEFT)
def test_too_many_prompts_without_an_answer_end_the_stage(left_out, share, sentence, distilling, tmp_path):
    async def make(prompt):
        return left_out if number_of(prompt) % 4 == 0 else row(prompt)

    if sentence is None:
        report = write(distilling(tmp_path), make, share=share)
        assert (report.made.written, dict(report.made.left_out)) == (15, {left_out.reason: 5})
    else:
        with pytest.raises(TooFewRows) as failed:
            write(distilling(tmp_path), make, share=share)
        assert sentence in str(failed.value)


TIMEOUT = LeftOut("Timeout", has_failed=True)
NO_QUESTION = LeftOut("no_question", has_failed=True, asks_again=False)
NO_ROW = [
    (LeftOut("cut"), LeftOut("cut"), 1, UnusableAnswers, "none of 20 prompts gives a row (20 cut)"),
    (LeftOut("cut"), TIMEOUT, 1, TooFewRows, "none of 20 prompts gives a row (19 cut, 1 Timeout)"),
    (NO_QUESTION, NO_QUESTION, 1, UnusableAnswers, "none of 20 prompts gives a row (20 no_question)"),
    (NO_QUESTION, NO_QUESTION, 0, UnusableAnswers, "1 of 20 prompts have no usable answer (1 no_question), more than"),
    (TIMEOUT, TIMEOUT, 0, TooFewRows, "1 of 20 prompts have no usable answer (1 Timeout), more than"),
]


@pytest.mark.parametrize(("most", "last", "share", "failure", "sentence"), NO_ROW)
def test_a_stage_without_rows_is_retried_only_where_requests_failed(most, last, share, failure, sentence, distilling, tmp_path):
    async def make(prompt):
        return last if number_of(prompt) == 19 else most

    with pytest.raises(failure) as failed:
        write(distilling(tmp_path), make, share=share)
    assert str(failed.value).startswith(f"spec.stages[0].distill: {sentence}")


def test_the_journal_and_the_samples_show_it(distilling, tmp_path, lines):
    config = distilling(tmp_path)

    async def make(prompt):
        return LeftOut("cut") if number_of(prompt) == 3 else row(prompt)

    write(config, make)
    last = lines(tmp_path / "tiny/lessons/metrics.jsonl")[-1]
    assert last["step"] == 20
    assert last["metrics"].items() >= {
        "progress/total_steps": 20, "rows/written": 19, "rows/left_out": 1, "rows/left_out/cut": 1,
        "asked/requests": 7, "asked/prompt_tokens": 70, "asked/answer_tokens": 30, "asked/cost": 0.5, "asked/kept_answers": 2,
        "asked/possibly_paid": 0,
        "asked/unanswered": 1, "asked/unanswered/Timeout": 1,
    }.items()  # fmt: skip
    samples = lines(tmp_path / "tiny/lessons/samples.jsonl")
    assert [(sample["step"], sample["prompt"], sample["policy"]) for sample in samples] == [
        (20, str(number), "yes") for number in range(16, 20)
    ]
