"""Keeps the settings that a stage started with, even if a newer operator has other recipes and defaults."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alignment_api.names import RUN_CONFIG_FILE
from alignment_api.problems import from_validation
from alignment_api.run_config import RunConfig
from alignment_api.schema import Schema
from alignment_api.spec.job import Model
from alignment_api.spec.lineage import with_limits_of
from pydantic import ValidationError

from alignment_trainer.failures import BadConfiguration
from alignment_trainer.settings.given import stage_path
from alignment_trainer.workspace.stage_folder import is_ours


def with_recorded_settings(config: RunConfig) -> RunConfig:
    """Return this attempt's config, with the settings and the model that the stage's folder was claimed with."""
    path = Path(config.paths.stage) / RUN_CONFIG_FILE
    if not is_ours(config) or not path.exists():
        return config
    recorded = _read(path)
    if recorded.stage.kind != config.stage.kind:
        return config
    # A higher budget, another key or another limit of a server is for the work that is left.
    kept = with_limits_of(recorded.stage.settings, config.stage.settings)
    changed = list(_differences(stage_path(config), kept.dump(), config.stage.settings.dump()))
    changed += _differences("spec.model", _model(recorded), _model(config))
    if not changed:
        return config
    print(
        f"the stage continues with the settings that it started with, so these changes are ignored: {'; '.join(changed)}",
        file=sys.stderr,
        flush=True,
    )
    return _merged(config, kept, recorded.spec.model)


def _read(path: Path) -> RunConfig:
    try:
        return RunConfig.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        problem = from_validation(error, RunConfig)[0]
        raise BadConfiguration(
            f"{path}: {problem}; another version of the operator started this stage; continue with that version, or remove "
            f"{path.parent} to start the stage again"
        ) from error


def _merged(config: RunConfig, settings: Schema, model: Model | None) -> RunConfig:
    stage = config.stage.model_copy(update={config.stage.kind: settings})
    stages = [stage if known.name == stage.name else known for known in config.spec.stages or []]
    return config.model_copy(update={"spec": config.spec.model_copy(update={"stages": stages, "model": model})})


def _model(config: RunConfig) -> dict[str, Any]:
    return config.spec.model.dump() if config.spec.model else {}


def _differences(path: str, recorded: Any, new: Any) -> Iterator[str]:
    if isinstance(recorded, dict) and isinstance(new, dict):
        for name in sorted(recorded.keys() | new.keys()):
            yield from _differences(f"{path}.{name}", recorded.get(name), new.get(name))
    elif recorded != new:
        yield f"{path} stays {_shown(recorded)}, not {_shown(new)}"


def _shown(value: Any) -> str:
    return "unset" if value is None else str(value)
