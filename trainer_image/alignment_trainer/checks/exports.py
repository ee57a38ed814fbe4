"""What an export stage needs beside its model, checked before any stage of the job starts."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from alignment_api.memory.shape import has_experts
from alignment_api.names import BUCKET_PREFIX, HUB_PREFIX, WORKSPACE_PREFIX
from alignment_api.run_config import RunConfig
from alignment_api.spec.settings.export import COMPRESSED, GROUPED, UNROUNDED

from alignment_trainer.checks.datasets import ExampleCheck, Rows
from alignment_trainer.checks.destinations import check_destination
from alignment_trainer.checks.start_template import lacks_template
from alignment_trainer.data.tasks.compared import read_compared
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.fetching.buckets import has_credentials
from alignment_trainer.model_folder.copies import is_export
from alignment_trainer.model_folder.documents import Unfit
from alignment_trainer.model_folder.start import base_description
from alignment_trainer.model_folder.tensors import wanted_tensors
from alignment_trainer.settings.export import ExportSettings, export_settings
from alignment_trainer.workspace.paths import workspace_path

GROUP = 128
"""So many weights of a row share a scale."""
CPU_BLOCK = 64
"""So many weights of Int4 share a scale; the kernels of the CPU read whole blocks alone."""
_EXTRA = "llmcompressor"
_TRANSPOSED = ("gpt2", "openai-gpt")
"""Families whose layers are not the linear ones that llm-compressor rounds; bitsandbytes rounds them."""


def check_export(config: RunConfig) -> None:
    """Refuse an export that lacks a setting, a package, a fitting model, or whose destinations cannot be written."""
    settings = export_settings(config)
    described = base_description(config)
    # Of a model on the Hub, nothing is known yet.
    of_model = _format_faults(config, settings, described) if described else ()
    faults = [*_package_faults(settings), *of_model, *_destination_faults(config, settings)]
    if faults:
        raise BadConfiguration("\n".join(faults))


def check_format(config: RunConfig, settings: ExportSettings, described: dict[str, Any]) -> None:
    """Refuse a number format that the model of a config.json cannot have."""
    faults = list(_format_faults(config, settings, described))
    if faults:
        raise BadConfiguration("\n".join(faults))


def export_rows(config: RunConfig) -> Iterator[Rows]:
    """Return the texts by which an export is rounded and proven."""
    settings = export_settings(config)
    check = ExampleCheck(read_compared, has_template=not lacks_template(config))
    if settings.calibration:
        yield Rows(f"{settings.path}.calibration", [settings.calibration], check, is_one=True)
    if settings.proof:
        yield Rows(f"{settings.proof.path}.dataset", [settings.proof.dataset], check, is_one=True)


def _package_faults(settings: ExportSettings) -> Iterator[str]:
    if settings.quantization in COMPRESSED and find_spec(_EXTRA) is None:
        yield (
            f"{settings.path}.quantization: {settings.quantization} needs the package {_EXTRA}, which this image lacks; build "
            f"the trainer's image with --build-arg EXTRAS=compression, or choose Int8 or Int4"
        )


def _format_faults(config: RunConfig, settings: ExportSettings, described: dict[str, Any]) -> Iterator[str]:
    field, quantization, family = f"{settings.path}.quantization", settings.quantization, described.get("model_type")
    if quantization != UNROUNDED and has_experts(described):
        yield (
            f"{field}: the model is a mixture of experts, of which {quantization} would round little, or in a form that "
            f"transformers cannot load; choose None"
        )
    if quantization in COMPRESSED and family in _TRANSPOSED:
        yield (
            f"{field}: {quantization} rounds linear layers, and models of the family {family} have others in their place; "
            f"choose Int8 or Int4"
        )
    uneven = _uneven_layer(described, CPU_BLOCK) if quantization == "Int4" and not config.compute.gpus_per_node else None
    if uneven:
        yield (
            f"{field}: on a CPU bitsandbytes computes in 4 bit only with inputs that can be divided by {CPU_BLOCK}, and "
            f"{uneven[0]} has {uneven[1]}; set compute.gpusPerNode of this stage, or choose Int8"
        )
    uneven = _uneven_layer(described, GROUP) if quantization in GROUPED else None
    if uneven:
        yield (
            f"{field}: {quantization} rounds weights in groups of {GROUP}, and {uneven[0]} has {uneven[1]} inputs, which cannot "
            f"be divided by it; choose FP8 or Int8"
        )


def _uneven_layer(described: dict[str, Any], size: int) -> tuple[str, int] | None:
    """Return the first linear layer whose inputs a size does not divide; None also for a family of unknown tensors."""
    try:
        wanted = wanted_tensors(described)
    except Unfit:
        # The check of the model says so.
        return None
    shapes = wanted.shapes.items() if wanted else ()
    layers = ((name, shape[1]) for name, shape in shapes if len(shape) == 2 and any(map(str.isdigit, name.split("."))))
    return next(((name.removesuffix(".weight"), inputs) for name, inputs in layers if inputs % size), None)


def _destination_faults(config: RunConfig, settings: ExportSettings) -> Iterator[str]:
    for index, uri in enumerate(settings.destinations):
        field = f"{settings.path}.destinations[{index}]: {uri}"
        if uri.startswith(HUB_PREFIX) and not config.paths.hub_token:
            yield f"{field} needs a token that may write there; name its Secret in spec.hubTokenSecret"
        elif uri.startswith(BUCKET_PREFIX) and not has_credentials(config.paths):
            yield f"{field} needs credentials that may write there; name their Secret in spec.s3CredentialsSecret"
        elif uri.startswith(WORKSPACE_PREFIX):
            folder = workspace_path(uri, config.paths.workspace)
            if folder.exists() and not is_export(folder):
                yield f"{field} exists and was not exported, so it would be lost; name another folder"
        else:
            try:
                check_destination(uri, config.paths)
            except BadConfiguration as fault:
                yield f"{settings.path}.destinations[{index}]: {fault}"
