"""Seed tasks grow into new instructions, and into the same ones whatever stops the stage in between."""

import asyncio
import random
from collections import Counter

import pytest
from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.failures import KeyRefused, Stopped, TooFewRows, UnusableAnswers
from alignment_trainer.settings.synthesis import distill_settings
from alignment_trainer.synthesis.distilling.growth import grow

SEEDS = [f"Seed task number {number}: explain subject {number}" for number in range(10)]
WORDS = [f"word{number}" for number in range(200)]
TEACHERS = [{"baseUrl": f"http://{name}.example/v1", "model": name} for name in ("a", "b")]


def settings(distilling, folder, instructions=100, **others):
    return distill_settings(distilling(folder, method="SelfInstruct", instructions=instructions, teachers=TEACHERS, **others))


class Writer:
    """Writes lists that depend only on what it is asked; keeps its answers as the stage's own client does."""

    def __init__(self, stop_after=None, fails=lambda number: False):
        self.kept, self.asked, self.stop_after, self.fails = {}, Counter(), stop_after, fails

    async def __call__(self, server, question):
        key = str(question)
        if key not in self.kept:
            if self.asked.total() == self.stop_after:
                raise Stopped("stopped")
            self.asked[key] += 1
            number = self.asked.total()
            await asyncio.sleep(0)
            if self.fails(number):
                return Unanswered("Timeout", "no answer")
            draw = random.Random(question.seed)
            first, second = (" ".join(draw.choices(WORDS, k=9)) for _ in range(2))
            text = f"1. {first}\n2. {SEEDS[3]}\n3. Draw a cat.\n4. {second}\n5. Go"
            self.kept[key] = Answer(text, "length" if question.seed % 5 == 0 else "stop", 1, 1)
        return self.kept[key]


def grown(distilling, folder, ask, **others):
    made = settings(distilling, folder, **others)
    return asyncio.run(grow(made, SEEDS, folder / "tiny/lessons", ask))


def test_new_instructions_are_kept_and_the_others_counted(distilling, tmp_path):
    result = grown(distilling, tmp_path, Writer())
    assert len(result.instructions) == 100 == len(set(result.instructions))
    assert not any("Seed" in text or "Draw" in text for text in result.instructions)
    assert {"similar", "unanswerable", "length"} <= set(result.dropped)


def test_teachers_share_the_requests_and_examples_are_drawn_with_the_seed(distilling, tmp_path):
    def requests(seed, folder):
        asked = []
        writer = Writer()

        async def ask(server, question):
            asked.append((server.endpoint.model, question.messages[0]["content"]))
            return await writer(server, question)

        grown(distilling, tmp_path / folder, ask, seed=seed)
        return asked

    first = requests(1, "a")
    assert first == requests(1, "b") != requests(2, "c")
    assert {model for model, _ in first} == {"a", "b"}
    assert len({text for _, text in first}) == len(first)
    assert all(text.count("<task>") == 8 for _, text in first)
    assert [text.count("word") > 0 for _, text in first] == [False] * 32 + [True] * (len(first) - 32), "new ones are shown too"


@pytest.mark.parametrize("stop_after", [0, 5, 32, 40, 63])
def test_a_stopped_stage_ends_with_the_same_instructions_and_asks_nothing_twice(stop_after, distilling, tmp_path):
    whole = grown(distilling, tmp_path / "whole", Writer()).instructions
    writer = Writer(stop_after)
    with pytest.raises(Stopped):
        grown(distilling, tmp_path / "stopped", writer)
    writer.stop_after = None
    assert grown(distilling, tmp_path / "stopped", writer).instructions == whole
    assert set(writer.asked.values()) == {1}


def test_a_failure_waits_for_the_answers_that_are_under_way(distilling, tmp_path):
    begun, ended = [], []

    async def ask(server, question):
        if server.endpoint.model == "b":
            raise KeyRefused("the key is refused")
        begun.append(question)
        for _ in range(5):
            await asyncio.sleep(0)
        ended.append(question)
        return Answer("1. Name a city.", "stop", 1, 1)

    with pytest.raises(KeyRefused):
        grown(distilling, tmp_path, ask)
    assert begun and ended == begun


def test_what_failed_before_a_stop_is_not_tried_again(distilling, tmp_path):
    writer = Writer(stop_after=60, fails=lambda number: number == 3)
    with pytest.raises(Stopped):
        grown(distilling, tmp_path, writer)
    writer.stop_after = None
    result = grown(distilling, tmp_path, writer)
    assert result.unanswered == {"Timeout": 1}
    assert set(writer.asked.values()) == {1}


FEW = "requests for new instructions have no usable answer"
NONE = "none of 32 requests for new instructions has a usable answer (32 Timeout)"
FAILING = [
    (0.05, range(1, 3), 1, f"2 of 32 {FEW} (2 Timeout), more than maximumFailedShare 0.05"),
    (0.05, range(33, 37), 1, f"4 of 64 {FEW} (4 Timeout), more than maximumFailedShare 0.05"),
    (1, range(1, 1000), 7, NONE),
    (1, range(33, 1000), 7, NONE),
]


@pytest.mark.parametrize(("share", "failing", "attempts", "why"), FAILING)
def test_a_round_that_failed_is_asked_again_when_the_servers_are_repaired(share, failing, attempts, why, distilling, tmp_path):
    whole = grown(distilling, tmp_path / "whole", Writer()).instructions
    writer = Writer(fails=lambda number: number in failing)
    for _ in range(attempts):
        with pytest.raises(TooFewRows) as failed:
            grown(distilling, tmp_path, writer, maximumFailedShare=share)
        message = f"spec.stages[0].distill: {why}; all answers are kept, and the next attempt asks for the others"
        assert str(failed.value) == message
    writer.fails = lambda number: False
    assert grown(distilling, tmp_path, writer, maximumFailedShare=share).instructions == whole


def test_a_few_early_failures_are_no_large_share_of_many_requests(distilling, tmp_path):
    writer = Writer(stop_after=32, fails=lambda number: number < 8)
    with pytest.raises(Stopped):
        grown(distilling, tmp_path, writer, instructions=1280)


def test_a_torn_line_of_a_round_costs_nothing(distilling, tmp_path):
    writer = Writer()
    whole = grown(distilling, tmp_path, writer).instructions
    path = tmp_path / "tiny/lessons/instructions.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    assert grown(distilling, tmp_path, writer).instructions == whole
    assert set(writer.asked.values()) == {1}


BARREN = [
    (Answer("I cannot do that.", "stop", 1, 1), "160 no_list"),
    (Answer(f"1. {SEEDS[0]}", "stop", 1, 1), "160 similar"),
    (Answer(f"1. {SEEDS[0]}", "length", 1, 1), "each reply was cut in its first one"),
]


@pytest.mark.parametrize(("reply", "why"), BARREN)
def test_teachers_that_write_nothing_new_end_the_stage(reply, why, distilling, tmp_path):
    async def ask(server, question):
        return reply

    with pytest.raises(UnusableAnswers) as failed:
        grown(distilling, tmp_path, ask)
    assert str(failed.value) == f"spec.stages[0].distill: the teachers wrote no usable instruction ({why})"
