"""Tells a model that transformers cannot load from a fault of the machine, and from one of ours."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from alignment_api.problems import first_line
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from alignment_trainer.failures import BadConfiguration

_LIBRARIES = ("transformers", "tokenizers", "safetensors")
_OF_THE_MACHINE = (
    "accelerate",
    "bitsandbytes",
    "deepspeed",
    "torch.distributed",
    "transformers.integrations",
    "transformers.quantizers",
)
"""What depends on the GPU, on processes and on settings: its errors are not about the model."""

_VALUES = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError, StrictDataclassError)
"""What code raises for a value that it cannot use; in transformers, the value comes from the model's files."""

_WEIGHTS = ("Error(s) in loading state_dict", "automatic conversion of the weights", "ignore_mismatched_sizes")
"""What transformers says in a RuntimeError about weights that do not fit; other such errors come from torch and the GPU."""


@contextmanager
def loading(what: str, of: str) -> Iterator[None]:
    """Turn an error that means a bad model into a sentence: the same files would fail again. All others pass."""
    try:
        yield
    except Exception as error:
        if not _means_a_bad_model(error):
            raise
        raise BadConfiguration(
            f"{of}: transformers cannot load {what} ({_shown(error)}); copy the model's files again, or name another model"
        ) from error


def _means_a_bad_model(error: Exception) -> bool:
    if isinstance(error, SafetensorError):
        # With the number of an error of the system, reading failed, not what was read.
        return "os error" not in str(error)
    modules = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    # The last one raised it.
    if not any(_is_in(module, _LIBRARIES) for module in modules) or _is_in(modules[-1], _OF_THE_MACHINE):
        return False
    if type(error) is OSError:
        # transformers raises it without a number where a folder lacks a file.
        return error.errno is None
    if isinstance(error, RuntimeError):
        return any(words in str(error) for words in _WEIGHTS)
    # The tokenizers library raises nothing more exact than an Exception.
    return isinstance(error, _VALUES) or type(error) is Exception


def _is_in(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _shown(error: Exception) -> str:
    kind, line = type(error).__name__, first_line(error)
    if isinstance(error, KeyError):
        # A name in config.json, such as an activation that a later version of transformers added.
        return f"it does not know {line}"
    return kind if line == kind else f"{kind}: {line}"
