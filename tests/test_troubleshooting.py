"""The reasons that docs/troubleshooting.md explains are those of the programs, and its messages those of the definition."""

import re
from pathlib import Path

import pytest
from alignment_operator.backends.chosen import ON_CLUSTER
from alignment_trainer.failures import StageFailure

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/troubleshooting.md").read_text()
FOLDERS = ("crds/alignment_api", "operator/alignment_operator", "trainer_image/alignment_trainer")
PROGRAMS = "\n".join(path.read_text() for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))
# The sentences of the API server's rules are in the definition, broken into lines.
DEFINITION = " ".join((ROOT / "crds/alignmentjobs.yaml").read_text().split())

FROM_THE_CLUSTER = {
    "FailedMount",
    "FailedAttachVolume",
    "FailedCreatePod",
    "FailedCreatePodSandBox",
    "PreemptionByScheduler",
}
"""Reasons of Kubernetes that a status repeats unchanged."""


def table(title: str) -> list[str]:
    """Return the first cells of the table below a heading, without its head."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| (.*?) \| ", section, re.MULTILINE)[1:]


REASONS = [reason for cell in table("Reasons") for reason in cell.split(", ")]
MESSAGES = [re.sub(r"^spec\.[\w.]+: ", "", cell.strip("`")) for cell in table("The API server refuses the job")]


@pytest.mark.parametrize("reason", REASONS)
def test_a_program_or_the_cluster_has_each_reason_of_the_page(reason: str) -> None:
    assert (f'"{reason}"' in PROGRAMS) != (reason in FROM_THE_CLUSTER)


def test_the_page_has_each_reason_of_a_failed_stage_and_of_a_refused_child() -> None:
    failures = {failure.reason for failure in StageFailure.__subclasses__()}
    refusals = set(re.findall(r'Refused\(\s*"([A-Z]\w+)"', PROGRAMS))
    assert refusals
    assert failures | refusals | {ON_CLUSTER.NOT_INSTALLED[0]} <= set(REASONS)


# The first message is the API server's own.
@pytest.mark.parametrize("message", MESSAGES[1:])
def test_the_definition_has_each_message_of_the_page(message: str) -> None:
    assert message in DEFINITION
