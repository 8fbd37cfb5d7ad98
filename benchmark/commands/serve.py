"""`python -m benchmark serve`: serve the champion of every registered model.

For a stack whose serving application is gone, as after a restore. What is served already stays. What each
answers to a fixed request is recorded, for restore drills. Exit codes: 0 all are served; 1 a champion cannot
be served, or there is none.
"""

from __future__ import annotations

import argparse

from benchmark.cluster import stack as stacks
from benchmark.commands.promote import add_stack_arguments, registry_of
from benchmark.console import say
from benchmark.core.errors import StackError
from benchmark.serving.settings import CANARY
from benchmark.tracking import answers, lock, registry, rollout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_stack_arguments(parser)


def main(options: argparse.Namespace) -> int:
    stack = stacks.read(options.stack, options.inventory, options.access)
    with lock.hold(stack.store(), "`make serve`"):
        client = registry_of(stack)
        known = registry.catalogue(client)
        for difference in registry.differences(known):
            say(difference)
        wanted = rollout.champions(known)
        if not wanted:
            raise StackError("no registered model has a champion; `make bench` trains and serves some")
        able = rollout.usable(stack.store(), wanted, say)
        if able:
            rollout.put_in_service(stack, able, {}, say)
            say(f"served: {', '.join(sorted(able))}")
            names = sorted(name for name in able if not name.endswith(CANARY))
            answers.keep(stack, client, names, f"`make serve STACK={stack.name}`", say)
    return 0 if able == wanted else 1
