"""Reads the small files in which shipping keeps what it has done."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from alignment_api.problems import from_validation
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


def read_record(path: Path, parse: Callable[[str], Model]) -> Model:
    """Read a file; raise one sentence where it is damaged."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise ValueError(f"{path} is damaged, or of another version: {from_validation(error, BaseModel)[0]}") from error
