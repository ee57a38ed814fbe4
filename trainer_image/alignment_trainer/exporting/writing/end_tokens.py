"""The generation settings of a written model: without the right end tokens, a served model never stops."""

import json
from pathlib import Path
from typing import Any

from alignment_api.files import write_whole

from alignment_trainer.data.chat import end_ids

GENERATION_FILE = "generation_config.json"


def write_generation(original: Path, target: Path, tokenizer: Any) -> None:
    """Write the original's generation settings with the tokens that end an answer of its chat template."""
    source = original / GENERATION_FILE
    known: dict[str, Any] = json.loads(source.read_text()) if source.exists() else {}
    ends = end_ids(tokenizer)
    settings = {
        **known,
        "bos_token_id": tokenizer.bos_token_id if tokenizer.bos_token_id is not None else known.get("bos_token_id"),
        "eos_token_id": ends[0] if len(ends) == 1 else ends,
        "pad_token_id": tokenizer.pad_token_id,
    }
    found = {name: value for name, value in settings.items() if value is not None}
    write_whole(target / GENERATION_FILE, json.dumps(found, indent=2) + "\n")


def written_ends(folder: Path) -> list[int]:
    """Read at which tokens a served model stops."""
    ends = json.loads((folder / GENERATION_FILE).read_text()).get("eos_token_id")
    return ends if isinstance(ends, list) else [] if ends is None else [ends]
