"""Checks all settings and files of this stage and of those that build on it, before any process uses a GPU."""

import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from alignment_api.names import BUCKET_PREFIX, WORKSPACE_PREFIX
from alignment_api.problems import Problem, first_line
from alignment_api.run_config import RunConfig
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.lineage import foundations, parent_of, references_of
from alignment_api.spec.parts import models_asked, starts_from_model

from alignment_trainer.checks.datasets import Findings, dataset_faults, holdout_faults
from alignment_trainer.checks.kinds import kind_of
from alignment_trainer.checks.templates import template_faults
from alignment_trainer.endpoints.key import key_faults
from alignment_trainer.failures import BadConfiguration, BadData, StageFailure
from alignment_trainer.model_folder.fitness import fault_of
from alignment_trainer.model_folder.start import PARENT, base_name
from alignment_trainer.settings.given import stage_path
from alignment_trainer.settings.later import all_stages, independent_stages, unfinished_stages, with_those_building_on
from alignment_trainer.settings.training import training_settings
from alignment_trainer.workspace.checkpoints import newest_step
from alignment_trainer.workspace.paths import workspace_path
from alignment_trainer.workspace.stage_folder import is_ours, is_prepared

_SHOWN = 5


def check(config: RunConfig) -> Findings:
    """Refuse to start a stage if it or one that builds on it cannot run; return what is known of the rows."""
    findings = Findings(unfinished=unfinished_stages(config))
    _check(with_those_building_on(config), findings, config)
    for sentence in findings.remarks:
        print(sentence, file=sys.stderr, flush=True)
    return findings


def check_job(config: RunConfig) -> Findings:
    """Refuse a job of which any stage cannot run; the config is that of its first stage, and none of them begins."""
    stages = list(all_stages(config))
    findings = Findings(unfinished=unfinished_stages(stages[0]))
    _check(stages, findings)
    return findings


def doubts(config: RunConfig, findings: Findings) -> Iterator[Problem]:
    """Return why stages that do not build on this one cannot run: it says so early, but runs all the same.

    Only a stage that builds on nothing looks: it begins before the others.
    """
    for other in independent_stages(config) if not foundations(config.spec)[config.stage_name] else ():
        try:
            _check([other], findings)
        except StageFailure as failure:
            seen = f"seen when stage {config.stage_name!r} began; {other.stage_name!r} fails if it stays so"
            field, _, fault = first_line(failure).partition(": ")
            named = (field, fault) if field.startswith("spec.") else (stage_path(other), first_line(failure))
            yield Problem(named[0], f"{named[1]} ({seen})")


def _check(stages: list[RunConfig], findings: Findings, beginning: RunConfig | None = None) -> None:
    _refuse(chain(*map(key_faults, stages)), BadConfiguration)
    for stage in stages:
        _check_settings(stage)
    _refuse(_start_faults(stages, beginning), BadConfiguration)
    # A prepared stage has its rows as tokens, which need no template.
    read = [stage for stage in stages if not (stage is beginning and is_prepared(stage))]
    _refuse(template_faults(read), BadConfiguration)
    _refuse(chain(*(_dataset_faults(stage, findings) for stage in read)))
    _refuse(chain(*(holdout_faults(stage, findings) for stage in read)))
    joined = (kind_of(stage).joined_faults(stage, findings) for stage in read)
    # The stage that begins opens its rows itself, before it loads a model.
    opened = (kind_of(stage).opened_faults(stage, findings) for stage in read if stage is not beginning)
    _refuse(chain(*joined, *opened))


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


def _start_faults(stages: list[RunConfig], beginning: RunConfig | None) -> Iterator[str]:
    is_resumed = beginning is not None and is_ours(beginning) and newest_step(Path(beginning.paths.stage)) is not None
    if beginning:
        yield from _earlier_faults(beginning, is_resumed)
    paths, model = stages[0].paths, stages[0].spec.model
    uri = model.uri if model else None
    from_base = [stage for stage in stages if _starts_from_base(stage)]
    if uri and uri.startswith(WORKSPACE_PREFIX) and from_base:
        # Only the stage that begins has begun with it before.
        fault = fault_of(workspace_path(uri, paths.workspace), is_resumed and from_base == [beginning])
        if fault:
            yield f"{base_name(uri)} {fault}"
    elif uri and uri.startswith(BUCKET_PREFIX):
        yield f"spec.model.uri: this version cannot read {uri}; copy the model to the workspace volume and use workspace://"


def _earlier_faults(config: RunConfig, is_resumed: bool) -> Iterator[str]:
    """Yield the faults of the models of earlier stages that a stage uses."""
    if config.paths.parent_model:
        fault = fault_of(Path(config.paths.parent_model), is_resumed)
        if fault:
            yield f"{PARENT} {fault}, or run that stage again"
    exports = {stage.name for stage in config.spec.stages or [] if KINDS[stage.kind].leaves == "Export"}
    for name, folder in (config.paths.stage_models or {}).items():
        # What was exported is measured, and need not be trained.
        fault = fault_of(Path(folder), is_resumed=name in exports)
        if fault:
            yield f"the model of stage {name!r} {fault}, or run that stage again"


def _starts_from_base(config: RunConfig) -> bool:
    starts = starts_from_model(config.stage) and parent_of(config.spec, config.stage) is None
    asked = [*(model for _, model in models_asked(config.stage)), *references_of(config.spec, config.stage)]
    return starts or any(model.base for model in asked)
