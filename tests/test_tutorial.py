"""The commands of docs/tutorial.md do what the page says."""

import re
import subprocess
from pathlib import Path

from alignment_api.document import parse_document
from alignment_api.names import stage_folder
from alignment_api.resolving.validation import read_job

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")


def test_the_second_job_differs_from_the_first_only_in_beta() -> None:
    command = re.search(r"^ *(sed .*) \| kubectl apply", TUTORIAL, re.MULTILINE)
    assert command
    done = subprocess.run(["bash", "-c", command[1]], cwd=ROOT, capture_output=True, text=True, check=True)
    first = read_job(parse_document((ROOT / "examples/tiny.yaml").read_text(encoding="utf-8"), "tiny.yaml"))
    second = read_job(parse_document(done.stdout, "tiny-beta.yaml"))
    assert first.spec.stages and first.spec.stages[1].dpo and second.spec.stages and second.spec.stages[1].dpo
    assert (second.metadata.name, second.spec.stages[1].dpo.beta) == ("tiny-beta", 0.5)
    second.metadata.name, second.spec.stages[1].dpo.beta = "tiny", first.spec.stages[1].dpo.beta
    assert second == first


def test_the_listed_folders_are_those_of_the_models(tmp_path: Path) -> None:
    models = [
        f"{stage_folder('team', name, uid, stage)}/model"
        for name, uid in (("tiny", "3f2a91c0-1"), ("tiny-beta", "b81d07e4-2"))
        for stage in ("dpo", "sft")
    ]
    for model in models:
        (tmp_path / model).mkdir(parents=True)
    command = re.search(r"sh -c '(ls [^']*)'", TUTORIAL)
    assert command
    done = subprocess.run(
        ["sh", "-c", command[1].replace("/workspace", str(tmp_path))],
        capture_output=True,
        text=True,
        check=True,
        env={"LC_ALL": "C"},
    )
    assert done.stdout.splitlines() == [f"{tmp_path}/{model}" for model in models]
    assert [line.strip() for line in TUTORIAL.splitlines() if line.strip() in {f"/workspace/{model}" for model in models}] == [
        f"/workspace/{model}" for model in models
    ]
