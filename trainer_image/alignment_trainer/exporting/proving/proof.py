"""Has a written folder proven in a fresh process, which sees only files: memory may be better than what was written."""

from pathlib import Path
from typing import Any

import torch
from alignment_api.files import write_whole
from alignment_api.run_config import RunConfig

from alignment_trainer.data.chat import end_ids
from alignment_trainer.data.tokens import prompt_ids
from alignment_trainer.exporting.fresh_process import Ended, run_alone
from alignment_trainer.exporting.original import Original
from alignment_trainer.exporting.proving import process
from alignment_trainer.exporting.proving.request import Compared, Proven, Rendered, Request
from alignment_trainer.exporting.texts import Text, first_tokens, longest_text, texts_of
from alignment_trainer.exporting.writing.model import Written
from alignment_trainer.failures import BadConfiguration, BrokenExport, StageFailure, UnfaithfulExport
from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.settings.export import ExportSettings
from alignment_trainer.workspace.activity import measured

_FOLDER = "proof"
_REQUEST_FILE, _RESULT_FILE = "request.json", "proven.json"
_PROMPTS = 2
_QUESTION = "Hello! What can you do for me?"


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
    field = f"{proof.path}.dataset"
    texts = texts_of(config, proof.dataset, field, settings.seed, tokenizer, longest_text(original.folder))
    found = first_tokens(texts, proof.maximum_tokens)
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
        ended = run_alone(process.__name__, str(asked), str(result))
    if ended.code == 0 and result.exists():
        return Proven.model_validate_json(result.read_text(encoding="utf-8"))
    raise failure(request.folder, ended)


def failure(folder: Path, ended: Ended) -> StageFailure:
    """Return why the process has found nothing; only a folder that cannot be loaded is written again."""
    lack = ended.lack_of_memory(
        f"loads {folder} again", f"for the original in 32 bit beside the written model of {folder}, which are compared"
    )
    return lack or BrokenExport(f"{folder} cannot be loaded in a fresh process ({ended.last_line})")


def _done(progress: Path) -> int:
    return int(progress.read_text()) if progress.exists() else 0
