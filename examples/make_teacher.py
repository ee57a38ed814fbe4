"""Writes the inputs of the examples with a teacher, beside those of make_tiny.py: the questions and the student."""

import argparse
import json
import shutil
from pathlib import Path

from tiny_task import Asked, all_asked

STUDENT = Path(__file__).parent / "models" / "student"


def write_questions(file: Path, asked: list[Asked]) -> None:
    """Write questions without their answers."""
    rows = [{"messages": [{"role": "user", "content": one.question}]} for one in asked]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True, help="root of the workspace volume")
    workspace = parser.parse_args().workspace
    folder = workspace / "inputs" / "teacher"
    folder.mkdir(parents=True, exist_ok=True)
    asked = all_asked()
    write_questions(folder / "questions.jsonl", [one for one in asked if not one.is_held_out])
    write_questions(folder / "held-out.jsonl", [one for one in asked if one.is_held_out])
    shutil.copytree(STUDENT, folder / "student", dirs_exist_ok=True)
    print(f"wrote {folder}")


if __name__ == "__main__":
    main()
