"""`python -m benchmark retire`: take a model of your own out of service, canary and all.

Its versions stay registered: `promote` serves one of them again, and `demote` the one that was served last.
The models of the workloads stay, since each run of the benchmark serves them. Exit codes: 0 it is not served;
1 it still is; 2 no such model, or that of a workload.
"""

from __future__ import annotations

import argparse

from benchmark.cluster import stack as stacks
from benchmark.commands.promote import add_stack_arguments, registry_of
from benchmark.console import say
from benchmark.core.config import known_names
from benchmark.core.errors import ConfigError
from benchmark.tracking import lock, promotion, registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="a registered model; `models` lists them")
    add_stack_arguments(parser)


def main(options: argparse.Namespace) -> int:
    model = options.model
    stack = stacks.read(options.stack, options.inventory, options.access)
    client = registry_of(stack)
    with lock.hold(stack.store(), f"`make retire MODEL={model}`"):
        known = registry.catalogue(client)
        if not known.get(model):
            registry.choose(known, model, "")  # says which there are
        if model in known_names():
            raise ConfigError([f"MODEL: {model!r}: belongs to a workload, whose model each benchmark serves"])
        if promotion.retire(stack, client, model, say):
            say(f"{model}: is served no more; `make demote MODEL={model}` serves it again")
        else:
            say(f"{model}: was not served; nothing was changed")
    return 0
