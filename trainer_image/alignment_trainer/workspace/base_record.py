"""Which model a job begins with, as it was resolved once: a file beside the folders of the job's stages; without torch."""

import sys
from pathlib import Path

from alignment_api.files import write_whole
from alignment_api.names import BASE_MODEL_FILE
from alignment_api.run_config import RunConfig
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel


class BaseRecord(BaseModel):
    """What `spec.model` came to."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    uri: str
    named_revision: str | None = None
    """What the job says, such as a branch; nothing means the newest commit."""
    revision: str | None = None
    """The commit; nothing where the model is no model of the Hub."""
    digest: str | None = None
    """A hash of the weights, once they were read."""

    def answers(self, config: RunConfig) -> bool:
        """Say whether this is what the job names today: after an edit it is resolved anew."""
        model = config.spec.model
        return model is not None and (self.uri, self.named_revision) == (model.uri, model.revision)


def read_base(config: RunConfig) -> BaseRecord | None:
    """Read what the model was resolved to; None where that is not known, or where the job names another one now."""
    path = _path(config)
    try:
        record = BaseRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValidationError:
        print(f"{path} cannot be read; the model is resolved again", file=sys.stderr, flush=True)
        return None
    return record if record.answers(config) else None


def model_revision(config: RunConfig) -> str | None:
    """Give the commit of the Hub model that the job begins with, where it is known."""
    record = read_base(config)
    return record.revision if record else None


def write_base(config: RunConfig, record: BaseRecord) -> None:
    """Write it down for all later attempts and stages of the job."""
    path = _path(config)
    write_whole(path, record.model_dump_json(by_alias=True, exclude_none=True))


def _path(config: RunConfig) -> Path:
    return Path(config.paths.stage).parent / BASE_MODEL_FILE
