"""`python -m benchmark demote`: serve the version again that was the champion before.

The two change places: a second `demote` takes the first one back. Exit codes as of `promote`.
"""

from __future__ import annotations

import argparse

from benchmark.cluster import stack as stacks
from benchmark.commands.promote import add_stack_arguments, change
from benchmark.tracking import registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="a registered model; `models` lists them")
    add_stack_arguments(parser)


def main(options: argparse.Namespace) -> int:
    stack = stacks.read(options.stack, options.inventory, options.access)
    return change(stack, options.model, registry.PREVIOUS, "demote")
