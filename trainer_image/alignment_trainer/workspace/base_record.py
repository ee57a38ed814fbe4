"""The record of the model that a job starts from, resolved once per job: a file beside the stage folders; without torch."""

import sys
from pathlib import Path

from alignment_api.files import write_whole
from alignment_api.names import BASE_MODEL_FILE
from alignment_api.run_config import RunConfig
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel


class BaseRecord(BaseModel):
    """The model that `spec.model` was resolved to."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    uri: str
    named_revision: str | None = None
    """The revision in the spec, such as a branch; None means the newest commit."""
    revision: str | None = None
    """The commit; None if the model is not from the Hub."""
    digest: str | None = None
    """A hash of the weights; None until a stage has read them."""

    def matches(self, config: RunConfig) -> bool:
        """Return whether the job still names this model; after an edit of the spec it is resolved again."""
        model = config.spec.model
        return model is not None and (self.uri, self.named_revision) == (model.uri, model.revision)


def read_base(config: RunConfig) -> BaseRecord | None:
    """Read the record; None if there is none, or if the job names another model now."""
    path = _path(config)
    try:
        record = BaseRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValidationError:
        print(f"{path} cannot be read; the model is resolved again", file=sys.stderr, flush=True)
        return None
    return record if record.matches(config) else None


def model_revision(config: RunConfig) -> str | None:
    """Return the commit of the Hub model that the job starts from, if it is known."""
    record = read_base(config)
    return record.revision if record else None


def write_base(config: RunConfig, record: BaseRecord) -> None:
    """Write the record for all later attempts and stages of the job."""
    path = _path(config)
    write_whole(path, record.model_dump_json(by_alias=True, exclude_none=True))


def _path(config: RunConfig) -> Path:
    return Path(config.paths.stage).parent / BASE_MODEL_FILE
