"""The fresh process that loads a written folder as a server does, checks its form, and measures it against the original."""

import logging as standard_logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alignment_trainer.process.lifeline import LAUNCHER_VARIABLE, die_with

if __name__ == "__main__":
    die_with(int(os.environ[LAUNCHER_VARIABLE]))

import torch
from alignment_api.files import write_whole
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from alignment_trainer.exporting.proving import form
from alignment_trainer.exporting.proving.fidelity import compare
from alignment_trainer.exporting.proving.request import Likeness, Proven, Request
from alignment_trainer.exporting.writing.end_tokens import written_ends
from alignment_trainer.model_folder.weights import weights_digest


def prove(request: Request) -> Proven:
    """Check the folder alone, then against the original."""
    changed = form.weights_fault(request.folder, request.weights)
    if changed:
        return Proven(weights=weights_digest(request.folder), faults=[changed])
    tokenizer = AutoTokenizer.from_pretrained(request.folder, trust_remote_code=False)
    written, found = _load(request.folder, "auto", request.device)
    faults = [
        *form.loading_faults(found),
        *form.tokenizer_faults(tokenizer, request.rendered),
        *form.vocabulary_faults(written, tokenizer),
        *form.end_faults(request.folder, tokenizer, request.ends),
    ]
    if faults:
        return Proven(weights=request.weights, faults=faults)
    ends = form.ends_an_answer(written, [one.ids for one in request.rendered], written_ends(request.folder))
    likeness = _likeness(request, written)
    predicts = likeness is not None or request.original is None
    return Proven(weights=request.weights, faults=[], predicts_numbers=predicts, ends_its_answers=ends, likeness=likeness)


def _likeness(request: Request, written: Any) -> Likeness | None:
    """Compare the original in 32 bit with itself in bfloat16, which is the floor of any export, and with the written model."""
    if request.original is None:
        return None
    original, _ = _load(request.original, torch.float32, request.device)
    advance = _counter(request.progress)
    in_16_bit, _ = _load(request.original, torch.bfloat16, request.device)
    rounded = compare(original, in_16_bit, request.compared, advance)
    del in_16_bit
    found = compare(original, written, request.compared, advance)
    if not (rounded.are_numbers and found.are_numbers):
        return None
    return Likeness(original=found.first(), rounded=rounded.second(), written=found.second(), tokens=sum(found.tokens))


def _load(folder: Path, dtype: torch.dtype | str, device: str) -> tuple[Any, dict[str, Any]]:
    """Load a model, and what transformers says of the tensors that it has and has not found."""
    model, found = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        device_map={"": device},
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
    )
    return model.eval(), found


def _counter(progress: Path) -> Callable[[int], None]:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        write_whole(progress, str(done), survives_power_cut=False)

    return advance


def main(request: Path, result: Path) -> None:
    """Prove what one file asks, and write the findings to another."""
    logging.disable_progress_bar()
    # At each step it says that it casts.
    standard_logging.getLogger("bitsandbytes").setLevel(standard_logging.ERROR)
    found = prove(Request.model_validate_json(request.read_text(encoding="utf-8")))
    write_whole(result, found.model_dump_json(exclude_none=True), survives_power_cut=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
