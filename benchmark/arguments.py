"""The commands of `python -m benchmark`: which module has the arguments of each and does what it says.

A module is imported only when its command is wanted: PyTorch and boto3 take seconds.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import NamedTuple


class Command(NamedTuple):
    """`module`: below `benchmark`, with `add_arguments(parser)` and `main(options)`.

    `former`: an earlier name, which keeps working: scripts, and commits that `abba` compares, use it.
    """

    module: str
    summary: str
    former: str = ""

    def load(self) -> ModuleType:
        return importlib.import_module(f"benchmark.{self.module}")


COMMANDS: Mapping[str, Command] = {
    # Train, serve, measure.
    "run": Command("commands.run", "benchmark the stack and report"),
    "host-baseline": Command(
        "experiments.host_baseline", "train on this host, without the stack, to compare with", former="bare"
    ),
    "schedule": Command("commands.schedule", "print when a run would start, and do not run"),
    # One question each, beside the benchmark; the answer may go into its result.
    "resilience": Command(
        "experiments.resilience",
        "kill one replica and roll out another model under load; exit 1 if a request failed",
    ),
    "autoscale": Command(
        "experiments.autoscale",
        "load the service until the maximum number of replicas runs; exit 1 if it is not reached",
    ),
    "balancer-overhead": Command(
        "experiments.balancer_overhead",
        "compare the load balancer with the compute nodes behind it; exit 1 if it adds too much",
        former="direct",
    ),
    "overhead": Command(
        "experiments.overhead",
        "train in the stack and on this host, in turns; exit 1 if it costs too much",
    ),
    "abba": Command("experiments.abba", "train two commits in turns, and judge the second; exit 1 if worse"),
    "faults": Command(
        "experiments.faults", "kill parts of the stack during training; exit 1 if training did not survive"
    ),
    "efficiency": Command(
        "experiments.efficiency",
        "measure our loop against a plain one, and two ranks against one; exit 1 if a verdict fails",
    ),
    # What is served, by the registry of models.
    "models": Command("commands.models", "list the registered models, their versions, and which is served"),
    "promote": Command("commands.promote", "serve another version of a model, without a failed request"),
    "demote": Command("commands.demote", "serve the version again that was served before"),
    "retire": Command("commands.retire", "take a model of your own out of service"),
    "serve": Command("commands.serve", "serve the champions of all registered models"),
    # Work on results and data alone.
    "compare": Command("commands.compare", "judge a result against an earlier one; exit 1 if it is worse"),
    "report": Command("commands.report", "make report.html from result.json, or compare two results"),
    "runs": Command("commands.runs", "list the runs of a stack, newest first"),
    "record": Command("commands.record", "write runs into MLflow that it does not have yet"),
    "prepare": Command("commands.prepare", "only prepare the data, in a directory"),
    "freeze": Command("commands.freeze", "print the frozen list of files for bytelm"),
}


def named(name: str) -> Command | None:
    """The command of this name, present or former."""
    return next((c for n, c in COMMANDS.items() if name in (n, c.former) and name), None)


def parser(about: str, only: str | None = None) -> argparse.ArgumentParser:
    """`about`: the first line is the description, the others are examples.

    `only`: the one command whose arguments are wanted (none for ""); by default those of all.
    """
    title, _, examples = about.partition("\n")
    top = argparse.ArgumentParser(
        prog="python -m benchmark",
        description=title or None,
        epilog="examples:\n" + examples.strip("\n") if examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        former = [command.former] if command.former else []
        own = commands.add_parser(name, aliases=former, help=command.summary, description=command.summary)
        if only is None or named(only) is command:
            command.load().add_arguments(own)
    return top
