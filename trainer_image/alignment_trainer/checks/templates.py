"""Checks the chat templates of the models that stages start from."""

from collections.abc import Iterable, Iterator

from alignment_api.run_config import RunConfig
from alignment_api.spec.kinds import KINDS

from alignment_trainer.checks.kinds import kind_of
from alignment_trainer.checks.start_template import own_template
from alignment_trainer.templates.fitness import template_fault


def template_faults(stages: Iterable[RunConfig]) -> Iterator[str]:
    """Return the faults of the models' own templates, each once: a later stage often uses the same template."""
    seen: set[str] = set()
    for remaining in stages:
        own = own_template(remaining) if KINDS[remaining.stage.kind].trains else None
        fault = own and template_fault(own, kind_of(remaining).needs_answers(remaining))
        if fault and fault not in seen:
            seen.add(fault)
            yield f"spec.model.chatTemplate: {fault}"
