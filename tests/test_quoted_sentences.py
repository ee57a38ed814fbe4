"""The sentences that the pages of docs/ quote from logs, errors and statuses are those of the programs."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("crds/alignment_api", "operator/alignment_operator", "trainer_image/alignment_trainer")
PROGRAMS = "\n".join(path.read_text() for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("data", " rows of "),
        ("data", "are left out because"),
        ("data", "an answer is empty, or both answers are the same"),
        ("data", "the first is "),
        ("install", " is reconciled by "),
        ("install", "this operator leaves it alone"),
        ("jobs", "so the learning rate never reaches"),
        ("jobs", "has no effect: policy and reference are compared without dropout"),
        ("jobs", "that is usual for"),
        ("jobs", "so chance decides the held-out metrics"),
        ("jobs", "nothing limits what it costs"),
        ("jobs", "judges its own answers"),
        ("jobs", "is also the teacher, and a model prefers"),
        ("jobs", "so its gain there shows little"),
        ("jobs", "a model gives the same answer again"),
        ("jobs", "as mode Offline does"),
        ("jobs", "so the model does not learn to end it"),
        ("jobs", "the training loss ended at"),
        ("jobs", "fails if it stays so"),
        ("jobs", "the held-out loss ended at"),
        ("preference", "pairs are padded, since "),
        ("preference", "packing has not been shown to give the same numbers"),
        ("troubleshooting", "the API server refused the full status"),
        ("troubleshooting", " is reconciled by "),
        ("troubleshooting", "another `alignment run` is running"),
        ("troubleshooting", "the workspace volume ("),
        ("troubleshooting", "this stage still writes"),
        ("troubleshooting", "free some room or enlarge the volume; the stage tries again by itself"),
        ("troubleshooting", "could not be written"),
    ],
)
def test_a_quote_is_in_its_page_and_in_a_program(page: str, words: str) -> None:
    # Pages break lines within a quote.
    assert words in " ".join((ROOT / f"docs/{page}.md").read_text().split())
    assert words in PROGRAMS
