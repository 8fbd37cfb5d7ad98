"""`python -m benchmark promote`: serve another version of a registered model, without a failed request.

With --share, it answers that percentage of the requests beside the champion, until it is promoted or demoted.

All replicas change one after the other, then the version becomes the champion. What it answers to a fixed
request is recorded, for restore drills; where that fails, a warning says so. Exit codes: 0 it is served;
1 it is not, and the old one still is; 2 no such model or version.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmark.cluster import stack as stacks
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.cluster.stack import Stack
from benchmark.console import say
from benchmark.core.config import known_names
from benchmark.core.errors import StackError
from benchmark.tracking import admission, answers, lock, promotion, registry


def add_stack_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", default="dev", help="Pulumi stack (default: dev)")
    parser.add_argument("--inventory", type=Path, help="JSON file instead of the stack's output `inventory`")
    parser.add_argument("--access", type=Path, help="JSON file instead of the stack's secret output `access`")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="a registered model; `models` lists them")
    parser.add_argument(
        "--version",
        dest="wanted",
        help="its number or an alias (default: the canary; else the candidate, the newest that passed its "
        "verdicts; of a model of your own the newest)",
    )
    parser.add_argument(
        "--share", type=share, default=100, help="percentage of the requests that it answers (default: 100)"
    )
    add_stack_arguments(parser)


def share(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r:.40}: give a whole number from 1 to 100, in percent")
    return int(text)


def main(options: argparse.Namespace) -> int:
    stack = stacks.read(options.stack, options.inventory, options.access)
    return change(stack, options.model, options.wanted, "promote", options.share)


def change(stack: Stack, model: str, wanted: str | None, command: str, share: int = 100) -> int:
    """Serve the version that has this number or alias."""
    client = registry_of(stack)
    with lock.hold(stack.store(), f"`make {command} MODEL={model}`"):
        say(f"{model}: reading the registry, and the record of what is served")
        known = registry.catalogue(client)
        for difference in registry.differences(known, [model]):
            say(difference)
        version = registry.choose(known, model, wanted or registry.default(known, model))
        if share < 100:
            promotion.may_share(known, version)
        if not version.admitted and model in known_names():
            raise StackError(
                f"{model}: version {version.number} is not in the serving record: no run of the benchmark "
                "registered it; fix: a model of your own needs a name that is not a workload's"
            )
        if not version.admitted:
            version = admission.admit(stack.ray(), client, version, say)
        say(f"{model}: version {version.number}, sha256 {version.served['sha256'][:16]}…, is rolled out")
        if share < 100:
            promotion.try_beside(stack, client, version, share, say)
            say(f"{model}: version {version.number} answers {share} % of the requests, as canary")
            return 0
        if promotion.promote(stack, client, version, say):
            say(f"{model}: version {version.number} is served, and is the champion")
        else:
            say(f"{model}: version {version.number} was served already; nothing was changed")
        say(f"{model}: asking for the answer that restore drills compare with")
        answers.keep(stack, client, [model], answers.again(stack), say)
    return 0


def registry_of(stack: Stack) -> MlflowClient:
    client = stack.tracking()
    if client is None:
        raise StackError(
            f"stack {stack.name}: it has no tracking server, and so no registry of models; "
            f"fix: `make up STACK={stack.name}` with this version"
        )
    return client
