"""What needs attention, as one line each."""

import pytest
from alignment_dashboard.facts.next_step import next_step
from alignment_dashboard.facts.run_list.attention_lines import LINE_LENGTH, lines
from alignment_dashboard.facts.status import Attention
from list_rows import a_row

STEPS = {reason: next_step(reason, "Running") for reason in ("BadData", "OutOfMemory", "Silent", "InvalidSpec", "Unseen")} | {
    "Restarting": next_step("Restarting", "Restarting")
}


@pytest.mark.parametrize(
    ("phase", "reason", "message", "cause", "step"),
    [
        ("Failed", "BadData", "line 17 has no answer; add one.", "bad data: line 17 has no answer", STEPS["BadData"]),
        ("Failed", "Failed", "", "failed", "read the log"),
        ("Failed", "OutOfMemory", "out of memory at step 3", "out of memory at step 3", STEPS["OutOfMemory"]),
        ("Restarting", "BadNode", "gpu-7 is not ready", "bad node: gpu-7 is not ready", STEPS["Restarting"]),
        ("Running", "Silent", "Stage dpo is silent for 1h. Read its log.", "Stage dpo is silent for 1h", "Read its log."),
        ("Running", "Silent", "Silent for 1h. " + "Ask " * 99, "Silent for 1h", STEPS["Silent"]),
        ("Running", "InvalidSpec", "a\n\nb", "invalid spec: a b", STEPS["InvalidSpec"]),
        ("Pending", "Unseen", "No operator. Start one.", "unseen: No operator", STEPS["Unseen"]),
        ("Running", "OfAnotherVersion", "It waits. Look there.", "of another version: It waits", "Look there."),
        ("Failed", "Failed", "file \u202egnp.exe", "failed: file \\u202egnp.exe", "read the log"),
    ],
)
def test_a_line_has_cause_and_next_step(phase: str, reason: str, message: str, cause: str, step: str) -> None:
    (line,) = lines([a_row("one", phase=phase)], {"uid-one": Attention("red", reason, message)})
    assert (line.cause, line.step) == (cause, step)


@pytest.mark.parametrize("message", ["word " * 800, "word. " * 800, "x" * 4096])
def test_a_long_message_stays_on_one_line(message: str) -> None:
    (line,) = lines([a_row("one", phase="Failed")], {"uid-one": Attention("red", "BadData", message)})
    assert len(line.name + line.cause + line.step) <= LINE_LENGTH


def test_only_the_first_five_are_shown() -> None:
    rows = [a_row(str(number)) for number in range(9)]
    found = {row.identity: Attention("red", "Failed", "") for row in rows[2:]}
    assert [line.name for line in lines(rows, found)] == ["2", "3", "4", "5", "6"]
