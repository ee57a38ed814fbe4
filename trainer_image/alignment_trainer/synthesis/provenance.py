"""Says where a written row comes from."""

from collections.abc import Sequence
from typing import Any

from alignment_trainer.endpoints.question import Answer
from alignment_trainer.settings.servers import Server
from alignment_trainer.synthesis.prompts import Prompt


def who(server: Server) -> dict[str, str]:
    """Return which model answered, in words that need no look at the job; its field alone would say nothing elsewhere."""
    return {"model": server.endpoint.model, "baseUrl": server.endpoint.base_url, "field": server.field}


def provenance(teacher: Server, prompt: Prompt, seed: int, answers: Sequence[Answer], template: str = "") -> dict[str, Any]:
    """Return who answered what with which seed, why each answer ended, and the hash of the prompt template if there is one."""
    return {
        "teacher": who(teacher),
        "prompt": {"key": prompt.key, "place": prompt.place},
        "seed": seed,
        "template": template or None,
        "finish": [answer.finish for answer in answers],
    }
