"""Reads rows through a dataset's mapping of columns: as rows of the forms that are recognised by their columns."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from alignment_api.run_config import Paths
from alignment_api.spec.data import Columns, Dataset

from alignment_trainer.forms.form import Row, is_empty, shown_columns
from alignment_trainer.forms.labels import LABEL_COLUMNS, says_good_or_bad
from alignment_trainer.forms.media import refuse_media
from alignment_trainer.forms.messages import Message, as_messages
from alignment_trainer.forms.questions import in_turn, with_given
from alignment_trainer.forms.texts import text_of, whole_text
from alignment_trainer.reading import row_files
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.reading.lines import Wanted
from alignment_trainer.reading.sources import Part, Source, find_source
from alignment_trainer.reading.visible import in_one_line

_MAY_BE_EMPTY = ("context", "system", "tools")


class MappedRow(dict[str, Any]):
    """A row in the columns of a known form; what its own row has beside what the mapping names is `unread`."""

    unread: tuple[str, ...] = ()


Find = Callable[[Dataset, Paths], Source]
"""Finds the rows of a dataset as a kind of stage reads them."""


def find_rows(dataset: Dataset, paths: Paths) -> Source:
    """Return a dataset's rows, each in the columns of a known form; raise BadData if they cannot be found."""
    source, columns = find_source(dataset, paths), dataset.columns
    if columns is None:
        return source
    return replace(source, parts=[replace(part, read=partial(_mapped_rows, part, columns)) for part in source.parts])


def mapped(row: Row, columns: Columns) -> MappedRow:
    """Return a row in the columns of the form that its mapping describes; it wins over what the other columns would tell."""
    refuse_media(row)
    read = {path if path in row else path.partition(".")[0] for path in columns.dump().values()}
    # Whether an answer is bad is not only a matter of columns: such a row is left out of SFT with and without a mapping.
    labels = {column: row[column] for column in LABEL_COLUMNS if says_good_or_bad(row.get(column))}
    result = MappedRow({**labels, **_as_form(row, columns)})
    known = {*read, *labels}
    result.unread = tuple(
        sorted(in_one_line(column) for column, value in row.items() if column not in known and not is_empty(value))
    )
    return result


def unread_beside(row: Row) -> tuple[str, ...] | None:
    """Return what a mapped row has beside the columns that its mapping names; None for a row that was not mapped."""
    return row.unread if isinstance(row, MappedRow) else None


def mapped_like(rows: Iterable[Row], values: dict[str, Any]) -> dict[str, Any]:
    """Return values that were made of rows; where these were mapped, with what the mapping does not read of any of them."""
    beside = [row.unread for row in rows if isinstance(row, MappedRow)]
    if not beside:
        return values
    result = MappedRow(values)
    result.unread = tuple(sorted({column for unread in beside for column in unread}))
    return result


def _as_form(row: Row, columns: Columns) -> dict[str, Any]:
    found = {target: _value_at(row, path, target) for target, path in columns.dump().items()}
    tools = {"tools": found["tools"]} if found.get("tools") else {}
    if "text" in found:
        # Learned from the first token to the last: an answer to nothing.
        return {"prompt": "", "completion": text_of({columns.text or "": found["text"]}, columns.text or "")}
    if "messages" in found:
        return {**_dialogue(found["messages"], _system(found, columns), columns), **tools}
    if "chosen" in found:
        return {**_pair(found, columns), **tools}
    return {**_answered(found, columns), **tools}


def _mapped_rows(part: Part, columns: Columns, is_wanted: Wanted) -> Iterator[row_files.Row]:
    for row in part.read(is_wanted):
        try:
            yield row if row.fault else row._replace(values=mapped(row.values, columns))
        except BadRow as fault:
            yield row._replace(fault=fault)


def _value_at(row: Row, path: str, target: str) -> Any:
    """Return the value in the column of this name, or else at this path."""
    value: Any = row
    for part in [path] if path in row else path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        elif value is None and target in _MAY_BE_EMPTY:
            return None
        else:
            raise BadRow(f"has no {path}, which columns.{target} names, but has {shown_columns(row)}; correct columns or the row")
    if value is None and target not in _MAY_BE_EMPTY:
        raise BadRow(f"has null in {path}, which columns.{target} names; fill it or remove the row")
    return value


def _dialogue(messages: Any, system: list[Message], columns: Columns) -> dict[str, Any]:
    """Return the column of the form that a list of messages has: by its roles, by its speakers, or as bare texts in turn."""
    if not isinstance(messages, list) or not messages:
        raise BadRow(f"{columns.messages} must be a list of messages that is not empty; correct it")
    if all(isinstance(message, str) for message in messages):
        messages = in_turn(messages)
    elif isinstance(messages[0], dict) and "from" in messages[0]:
        return {"conversations": [*({"from": "system", "value": message["content"]} for message in system), *messages]}
    return {"messages": [*system, *messages]}


def _answered(found: dict[str, Any], columns: Columns) -> dict[str, Any]:
    """Return a question with its answer: as one dialogue, or as prompt and completion where it has earlier turns or a label."""
    prompt = _question(found, columns)
    answer = as_messages(found["answer"], "assistant", columns.answer or "")
    if "label" in found:
        label = found["label"]
        return {"prompt": prompt, "completion": answer, "label": bool(label) if label in (0, 1) else label}
    if isinstance(found["prompt"], list) or isinstance(found["answer"], list):
        return {"prompt": prompt, "completion": answer}
    return {"messages": [*prompt, *answer]}


def _pair(found: dict[str, Any], columns: Columns) -> dict[str, Any]:
    """Return a pair; answers that are texts become messages, so that the chat template writes them."""
    chosen, rejected = found["chosen"], found["rejected"]
    if "prompt" not in found:
        return {"chosen": chosen, "rejected": rejected}
    if isinstance(chosen, str) and isinstance(rejected, str):
        chosen = as_messages(chosen, "assistant", columns.chosen or "")
        rejected = as_messages(rejected, "assistant", columns.rejected or "")
    return {"prompt": _question(found, columns), "chosen": chosen, "rejected": rejected}


def _question(found: dict[str, Any], columns: Columns) -> list[Message]:
    """Return the system message and the question, with its context after an empty line."""
    prompt, context = found["prompt"], whole_text(found.get("context") or "", columns.context or "")
    if isinstance(prompt, list):
        if context:
            raise BadRow(
                f"{columns.context} cannot be added to {columns.prompt}, which is a list of messages; remove columns.context"
            )
        return [*_system(found, columns), *prompt]
    question = text_of({columns.prompt or "": prompt}, columns.prompt or "")
    return [*_system(found, columns), {"role": "user", "content": with_given(question, context)}]


def _system(found: dict[str, Any], columns: Columns) -> list[Message]:
    system = whole_text(found.get("system") or "", columns.system or "")
    return [{"role": "system", "content": system}] if system else []
