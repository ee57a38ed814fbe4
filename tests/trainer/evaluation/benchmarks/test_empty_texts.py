"""An empty text has no likelihood: its row says so, and the others are measured."""

import json

from alignment_trainer.evaluation.benchmarks.answered import EMPTY, answered
from alignment_trainer.evaluation.benchmarks.harness import Harness
from alignment_trainer.evaluation.benchmarks.loading import load_tasks
from alignment_trainer.evaluation.benchmarks.questions import questions_of
from alignment_trainer.official_tasks.members import benchmark_of


def test_an_empty_text_is_not_measured(subject, tmp_path):
    (tmp_path / "test.jsonl").write_text("".join(json.dumps({"page": page}) + "\n" for page in ("", "A dog says woof .")))
    benchmark = benchmark_of("wikitext")
    (task,) = load_tasks(benchmark, tmp_path, "spec").values()
    empty, full = questions_of(task, None, "spec")
    harness = Harness(subject)
    (alone,) = answered(harness, benchmark, [empty])
    assert (set(alone.scores.values()), alone.reason) == ({None}, EMPTY)
    beside, measured = answered(harness, benchmark, [empty, full])
    assert beside == alone
    assert measured.reason is None and measured.scores["byte_perplexity"] > 1
