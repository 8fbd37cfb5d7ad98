"""`python -m benchmark demote`: take the last promotion back.

A canary ends first, if there is one. Else the version is served again that was the champion before: the two
change places, and a second `demote` takes the first one back. Exit codes as of `promote`.
"""

from __future__ import annotations

import argparse

from benchmark.cluster import stack as stacks
from benchmark.commands.promote import add_stack_arguments, change, registry_of
from benchmark.console import say
from benchmark.tracking import lock, promotion, registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="a registered model; `models` lists them")
    add_stack_arguments(parser)


def main(options: argparse.Namespace) -> int:
    stack = stacks.read(options.stack, options.inventory, options.access)
    client = registry_of(stack)
    with lock.hold(stack.store(), f"`make demote MODEL={options.model}`"):
        if promotion.end_canary(stack, client, options.model, say):
            say(f"{options.model}: the canary has ended; the champion answers all requests")
            return 0
    return change(stack, options.model, registry.PREVIOUS, "demote")
