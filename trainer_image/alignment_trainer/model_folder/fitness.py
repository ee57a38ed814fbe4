"""Says why a model cannot be trained, from its folder alone: no weights are read and nothing is loaded."""

from pathlib import Path

from alignment_trainer.model_folder.configuration import check_configuration
from alignment_trainer.model_folder.documents import COPY, Unfit, check_file, read_object
from alignment_trainer.model_folder.headers import read_headers
from alignment_trainer.model_folder.matching import check_match, origins_by_name
from alignment_trainer.model_folder.tensors import wanted_tensors
from alignment_trainer.model_folder.tokenizer_files import check_tokenizer
from alignment_trainer.workspace.links import system_file

CONFIGURATION = "config.json"
_ADAPTER = "adapter_config.json"
_GENERATION = "generation_config.json"


def fault_of(folder: Path, is_resumed: bool = False) -> str | None:
    """Return what is wrong with a model, as the end of a sentence that begins with its name; None if it is whole.

    A stage that resumes has trained the model already, so only its files are checked, not whether it should be trained.
    """
    try:
        _check(folder, is_resumed)
    except Unfit as unfit:
        return str(unfit)
    except PermissionError as error:
        return f"cannot be read: {error.filename} ({error.strerror}); change its permissions"
    return None


def _check(folder: Path, is_resumed: bool) -> None:
    if not folder.is_dir():
        raise Unfit("is not a folder on the workspace volume; copy the model there or correct the path")
    linked = system_file(folder)
    if linked:
        raise Unfit(f"is a link to {linked}, a system file; copy the model itself to the volume")
    if not is_resumed:
        _check_adapter(folder)
    if not (folder / CONFIGURATION).exists():
        check_file(folder / CONFIGURATION)
        raise Unfit(f"has no {CONFIGURATION}; copy the whole model folder")
    config = read_object(folder / CONFIGURATION, COPY)
    if not is_resumed:
        check_configuration(config)
    if (folder / _GENERATION).exists():
        read_object(folder / _GENERATION, COPY)
    check_tokenizer(folder, config)
    headers = read_headers(folder)
    wanted = None if is_resumed else wanted_tensors(config)
    if wanted:
        check_match(wanted, headers, origins_by_name(wanted, headers))


def _check_adapter(folder: Path) -> None:
    """Refuse an adapter: transformers would load another model, its base, in its place."""
    if not (folder / _ADAPTER).exists():
        return
    base = read_object(folder / _ADAPTER, COPY).get("base_model_name_or_path")
    named = f" for {base}" if isinstance(base, str) and base else ""
    raise Unfit(f"is an adapter{named} ({_ADAPTER}), not a whole model; merge it into its base, and name the merged model")
