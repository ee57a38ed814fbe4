"""The `alignment` command: reads its arguments, and calls the command that they name."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from alignment_api.document import UnreadableDocument
from alignment_api.home import Home
from alignment_api.problems import InvalidJob
from alignment_api.resolving.recipes import UnknownRecipe

from alignment_operator.commands.check_judge import check_judge
from alignment_operator.commands.ending import refuse
from alignment_operator.commands.explain import explain
from alignment_operator.commands.recipes import recipes
from alignment_operator.commands.render import render
from alignment_operator.commands.results import FORMATS, results
from alignment_operator.commands.run import run
from alignment_operator.commands.show_data import show_data
from alignment_operator.commands.sync import sync
from alignment_operator.commands.validate import validate
from alignment_operator.machine import trainer_data
from alignment_operator.settings import WrongSettings

_MOST_ROWS = 1000


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        code = command(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader, such as `head`, has ended. What is left in the buffers goes nowhere, or Python would complain at its end.
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return trainer_data.UNREAD
    except (UnreadableDocument, InvalidJob, UnknownRecipe, WrongSettings) as error:
        return refuse(str(error))


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_ROWS:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1 to {_MOST_ROWS}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="alignment", description="Align a language model: one resource, from base weights to a measured result."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command, several in (
        (run, False),
        (explain, False),
        (validate, True),
        (show_data, False),
        (check_judge, False),
        (render, False),
    ):
        known = commands.add_parser(command.__name__.replace("_", "-"), help=command.__doc__, description=command.__doc__)
        known.add_argument("file", type=Path, nargs="+" if several else None, metavar="FILE", help="an AlignmentJob in YAML")
        known.set_defaults(command=command)
        if command in (run, validate, show_data, check_judge):
            _add_home(known)
        if command is validate:
            known.add_argument("--data", action="store_true", help="check all files and rows too, as they are on this machine")
        if command in (show_data, check_judge):
            known.add_argument("--stage", help="only this stage")
        if command is show_data:
            known.add_argument("-n", dest="rows", type=_count, default=3, metavar="N", help="rows of each dataset (default: 3)")
    known = commands.add_parser("sync", help=sync.__doc__, description=sync.__doc__)
    known.add_argument("job", nargs="?", help="only the jobs of this name")
    _add_home(known)
    known.set_defaults(command=sync)
    _add_results(commands.add_parser("results", help=results.__doc__, description=results.__doc__))
    known = commands.add_parser("recipes", help=recipes.__doc__, description=recipes.__doc__)
    known.add_argument("name", nargs="?", help="print this one")
    known.set_defaults(command=recipes)
    return parser


def _add_results(known: argparse.ArgumentParser) -> None:
    known.add_argument("job", help="its name, or NAMESPACE/NAME")
    known.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="csv and json have every number, of all metrics")
    known.add_argument("--against", metavar="MODEL", help="the model to which differences are taken (default: the first)")
    known.add_argument(
        "--rows", metavar="TASK", help="the rows of a task in which two models differ, the largest difference first"
    )
    known.add_argument(
        "--between", nargs=2, metavar="MODEL", help="these two models (default: the first and the last of the stage)"
    )
    known.add_argument(
        "--tracking-uri", help="read a job of a cluster from this MLflow server, such as http://localhost:5000, instead of --home"
    )
    _add_home(known)
    known.set_defaults(command=results)


def _add_home(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--home",
        type=lambda text: Home(Path(text)),
        default=Home.from_environment(),
        help="the folder of jobs and their results (default: ALIGNMENT_HOME, or .alignment)",
    )


if __name__ == "__main__":
    sys.exit(main())
