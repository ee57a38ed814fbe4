"""What teacher and student are asked about a row, where the job names a template: both get the same words."""

from alignment_trainer.endpoints.question import Message

_TEXTS = {
    "CodeSummary": (
        "Here is some code. Say in a few plain sentences what it does: what it takes, what it gives back, and how it gets there. "
        "Do not repeat the code.\n\n{row}"
    ),
    "CodeGeneration": (
        "Write a program for this task. Give only the code, complete and ready to run, with a short comment where it is not "
        "obvious.\n\n{row}"
    ),
}


def asked_about(messages: tuple[Message, ...], template: str | None) -> tuple[Message, ...]:
    """Return what is asked about a row: its last message within the template; the messages themselves without one."""
    if template is None:
        return messages
    *before, last = messages
    return (*before, {"role": last["role"], "content": _TEXTS[template].replace("{row}", last["content"])})


def row_within(question: str, template: str | None) -> str:
    """Return the row that a question asks about, as `asked_about` has put it there."""
    if template is None:
        return question
    before, _, after = _TEXTS[template].partition("{row}")
    return question.removeprefix(before).removesuffix(after)
