"""Has a written folder proven in a fresh process, which sees only files: memory may be better than what was written."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from alignment_api.files import write_whole
from alignment_api.run_config import RunConfig

from alignment_trainer.data.chat import end_ids
from alignment_trainer.data.tokens import prompt_ids
from alignment_trainer.exporting.original import Original
from alignment_trainer.exporting.proving.request import Compared, Proven, Rendered, Request
from alignment_trainer.exporting.texts import Text, first_tokens, longest_text, texts_of
from alignment_trainer.exporting.writing.model import Written
from alignment_trainer.failures import BadConfiguration, BrokenExport, ProofLacksMemory, StageFailure, UnfaithfulExport
from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.process.lifeline import LAUNCHER_VARIABLE
from alignment_trainer.settings.export import ExportSettings
from alignment_trainer.workspace.activity import measured

_FOLDER = "proof"
_REQUEST_FILE, _RESULT_FILE = "request.json", "proven.json"
_PROMPTS = 2
_QUESTION = "Hello! What can you do for me?"
_OF_RANKS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")
"""Without these the process is alone, and joins no group of processes."""


def prove(
    config: RunConfig, settings: ExportSettings, original: Original, written: Written, tokenizer: Any, device: torch.device
) -> Proven:
    """Return what a fresh process finds in the written folder; what an earlier attempt has found is read again."""
    texts = _texts(config, settings, original, tokenizer)
    folder = Path(config.paths.stage) / _FOLDER
    folder.mkdir(exist_ok=True)
    request = Request(
        folder=written.folder,
        weights=written.weights,
        device=str(device),
        rendered=_rendered(texts, tokenizer),
        ends=end_ids(tokenizer),
        progress=folder / "progress",
        original=original.folder if settings.proof else None,
        compared=[Compared.of(text) for text in texts],
    )
    known = _known(folder, request)
    proven = known or _run(folder, request)
    if proven.faults:
        raise BrokenExport(f"{written.folder} {'; it '.join(proven.faults)}; the stage writes it again")
    if not proven.predicts_numbers:
        raise UnfaithfulExport(
            f"{written.folder} or the model that it was written of predicts NaN or infinity; train the model again, or choose "
            f"another quantization"
        )
    return proven


def _texts(config: RunConfig, settings: ExportSettings, original: Original, tokenizer: Any) -> list[Text]:
    proof = settings.proof
    if proof is None:
        return []
    field, longest = f"{proof.path}.dataset", longest_text(original.folder)
    found = first_tokens(texts_of(config, proof.dataset, field, settings.seed, tokenizer, longest), proof.maximum_tokens)
    if not found:
        raise BadConfiguration(f"{field}: {proof.dataset.source} has no token to compare; name a dataset with answers or texts")
    return found


def _rendered(texts: list[Text], tokenizer: Any) -> list[Rendered]:
    """Return prompts as the original's tokenizer writes them: of the texts, or else a question that any model may be asked."""
    openings = [text.opening for text in texts if text.opening][:_PROMPTS] or [[{"role": "user", "content": _QUESTION}]]
    if tokenizer.chat_template is None:
        return [Rendered(messages=None, text=_QUESTION, ids=list(tokenizer(_QUESTION)["input_ids"]))]
    return [
        Rendered(messages=opening, text=str(opening[-1].get("content")), ids=prompt_ids(Dialogue(opening, []), tokenizer))
        for opening in openings
    ]


def _known(folder: Path, request: Request) -> Proven | None:
    """Return the finding of an earlier attempt if it was asked the same."""
    asked, result = folder / _REQUEST_FILE, folder / _RESULT_FILE
    if not (asked.exists() and result.exists()) or asked.read_text(encoding="utf-8") != request.model_dump_json():
        return None
    found = Proven.model_validate_json(result.read_text(encoding="utf-8"))
    return None if found.faults else found


def _run(folder: Path, request: Request) -> Proven:
    asked, result = folder / _REQUEST_FILE, folder / _RESULT_FILE
    result.unlink(missing_ok=True)
    request.progress.unlink(missing_ok=True)
    write_whole(asked, request.model_dump_json())
    total = 2 * sum(map(sum, (text.measured for text in request.compared)))
    with measured("proving the written model", total or None, "tokens", lambda: _done(request.progress)):
        process = subprocess.run(
            [sys.executable, "-m", "alignment_trainer.exporting.proving.process", str(asked), str(result)],
            env=_environment(os.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    if process.returncode == 0 and result.exists():
        return Proven.model_validate_json(result.read_text(encoding="utf-8"))
    print(process.stdout, file=sys.stderr, flush=True)
    raise failure(request.folder, process.returncode, process.stdout)


def failure(folder: Path, code: int, output: str) -> StageFailure:
    """Return why the process has found nothing; only a folder that cannot be loaded is written again."""
    if code < 0:
        return ProofLacksMemory(
            f"the process that loads {folder} again was killed (signal {-code}), perhaps for memory; raise compute.memory"
        )
    last = next((line for line in reversed(output.splitlines()) if line.strip()), "it says nothing")
    if "OutOfMemoryError" in last:
        return ProofLacksMemory(
            f"the GPU has no room for the original in 32 bit beside the written model of {folder}, which are compared; take a "
            f"GPU with more memory, or set compute.gpusPerNode of this stage to 0"
        )
    return BrokenExport(f"{folder} cannot be loaded in a fresh process ({last.strip()[:300]})")


def _done(progress: Path) -> int:
    return int(progress.read_text()) if progress.exists() else 0


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    return {
        **{name: value for name, value in own.items() if name not in _OF_RANKS and not name.startswith("TORCHELASTIC")},
        LAUNCHER_VARIABLE: str(os.getpid()),
    }
