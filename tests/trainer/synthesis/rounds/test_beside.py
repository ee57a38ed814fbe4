"""While servers are asked for a round, the stage's own journal goes on, and its steps do not."""

import asyncio
import json

from alignment_api import metrics
from alignment_trainer.endpoints.counts import Counts
from alignment_trainer.synthesis.prompts import Prompt
from alignment_trainer.synthesis.rounds import beside
from alignment_trainer.synthesis.rounds.beside import Beside, write_beside
from alignment_trainer.workspace.journal import Journal


class Asked:
    """What was asked so far."""

    def counts(self):
        return Counts(7, 70, 30, 0.5)


def test_a_server_that_lets_us_wait_is_no_stall_and_its_rows_are_no_steps(distilling, tmp_path, monkeypatch):
    monkeypatch.setattr(beside, "_SECONDS", 0.01)
    config = distilling(tmp_path)
    stage = tmp_path / "stage"
    stage.mkdir()
    config = config.model_copy(update={"paths": config.paths.model_copy(update={"stage": str(stage)})})
    Journal(stage).append(3, {metrics.LOSS: 1.0}, {metrics.TOTAL_STEPS: 6.0})

    def points():
        return [json.loads(line) for line in (stage / "metrics.jsonl").read_text().splitlines()]

    async def make(prompt):
        async with asyncio.timeout(60):
            while len(points()) < 4:
                await asyncio.sleep(0.01)
        return [{"messages": list(prompt.messages)}]

    prompt = Prompt("1", ({"role": "user", "content": "?"},), {}, "rows:1")
    work = write_beside(config, Beside(stage / "verdicts", "asking the judge", 0.5), [prompt], 1, make, Asked())
    assert asyncio.run(work).made.written == 1
    shown = points()[1:]
    assert {point["step"] for point in shown} == {3}
    assert not any(point["metrics"] for point in shown)
    assert {point["progress"][metrics.REQUESTS] for point in shown} == {7}
    assert (stage / "verdicts/metrics.jsonl").exists()
