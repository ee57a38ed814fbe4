"""Checks all settings and files of this stage and the later ones, before any process uses a GPU."""

import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from alignment_api.names import BUCKET_PREFIX, WORKSPACE_PREFIX
from alignment_api.run_config import RunConfig
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.lineage import parent_of
from alignment_api.spec.parts import models_asked, starts_from_model

from alignment_trainer.checks.datasets import Findings, dataset_faults, holdout_faults
from alignment_trainer.checks.kinds import kind_of
from alignment_trainer.checks.templates import template_faults
from alignment_trainer.endpoints.key import key_faults
from alignment_trainer.failures import BadConfiguration, BadData, StageFailure
from alignment_trainer.model_folder.fitness import fault_of
from alignment_trainer.model_folder.start import PARENT, base_name
from alignment_trainer.settings.later import stages_to_come
from alignment_trainer.settings.training import training_settings
from alignment_trainer.workspace.checkpoints import newest_step
from alignment_trainer.workspace.paths import workspace_path
from alignment_trainer.workspace.stage_folder import is_ours, is_prepared

_SHOWN = 5


def check(config: RunConfig) -> Findings:
    """Refuse to start a stage if it or a later stage of its job cannot run; return what is known of the rows."""
    _refuse(chain(*(key_faults(remaining) for remaining in stages_to_come(config))), BadConfiguration)
    for remaining in stages_to_come(config):
        _check_settings(remaining)
    findings = Findings(unfinished=frozenset(remaining.stage_name for remaining in stages_to_come(config)))
    _refuse(_start_faults(config), BadConfiguration)
    _refuse(template_faults(_stages_to_read(config)), BadConfiguration)
    _refuse(chain(*(_dataset_faults(remaining, findings) for remaining in _stages_to_read(config))))
    _refuse(chain(*(holdout_faults(remaining, findings) for remaining in _stages_to_read(config))))
    for sentence in findings.remarks:
        print(sentence, file=sys.stderr, flush=True)
    return findings


def _stages_to_read(config: RunConfig) -> Iterator[RunConfig]:
    """Return the stages whose rows are still to be read; a prepared stage has them as tokens, which need no template."""
    return islice(stages_to_come(config), 1 if is_prepared(config) else 0, None)


def _refuse(faults: Iterator[str], failure: type[StageFailure] = BadData) -> None:
    """Raise the first faults and count the others; a broken file may have one fault per line."""
    shown = list(islice(faults, _SHOWN))
    more = sum(1 for _ in faults)
    if shown:
        raise failure("\n".join(shown) + (f"\nand {more} more" if more else ""))


def _check_settings(config: RunConfig) -> None:
    kind = kind_of(config)
    if KINDS[config.stage.kind].trains:
        training_settings(config)
    kind.settings(config)


def _dataset_faults(config: RunConfig, findings: Findings) -> Iterator[str]:
    for reads in kind_of(config).reads(config):
        yield from dataset_faults(config, reads, findings)


def _start_faults(config: RunConfig) -> Iterator[str]:
    is_resumed = is_ours(config) and newest_step(Path(config.paths.stage)) is not None
    if config.paths.parent_model:
        fault = fault_of(Path(config.paths.parent_model), is_resumed)
        if fault:
            yield f"{PARENT} {fault}, or run that stage again"
    for name, folder in (config.paths.stage_models or {}).items():
        fault = fault_of(Path(folder))
        if fault:
            yield f"the model of stage {name!r} {fault}, or run that stage again"
    uri = config.spec.model.uri if config.spec.model else None
    from_base = [remaining for remaining in stages_to_come(config) if _starts_from_base(remaining)]
    if uri and uri.startswith(WORKSPACE_PREFIX) and from_base:
        # Only this stage has begun with it.
        fault = fault_of(workspace_path(uri, config.paths.workspace), is_resumed and from_base == [config])
        if fault:
            yield f"{base_name(uri)} {fault}"
    elif uri and uri.startswith(BUCKET_PREFIX):
        yield f"spec.model.uri: this version cannot read {uri}; copy the model to the workspace volume and use workspace://"


def _starts_from_base(config: RunConfig) -> bool:
    starts = starts_from_model(config.stage) and parent_of(config.spec, config.stage) is None
    return starts or any(model.base for _, model in models_asked(config.stage))
