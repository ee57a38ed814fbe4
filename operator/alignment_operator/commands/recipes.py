"""Lists the recipes, and prints one."""

import argparse

from alignment_api.resolving.recipes import recipe_names, recipe_text

from alignment_operator.commands.ending import SUCCEEDED


def recipes(options: argparse.Namespace) -> int:
    """List the recipes, or print one with the origin of every value."""
    if options.name:
        print(recipe_text(options.name), end="")
        return SUCCEEDED
    for name in recipe_names():
        print(f"{name:18}{recipe_text(name).splitlines()[0].removeprefix('# ').split('. ')[0].removesuffix('.')}")
    return SUCCEEDED
