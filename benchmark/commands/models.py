"""`python -m benchmark models`: list the registered models: versions, aliases, quality, what is served."""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from collections.abc import Mapping

from benchmark.analysis.runs import aligned
from benchmark.cluster import replicas
from benchmark.cluster import stack as stacks
from benchmark.cluster.connection import Connection
from benchmark.cluster.stack import Stack
from benchmark.commands.promote import add_stack_arguments, registry_of
from benchmark.console import say
from benchmark.core.errors import StackError
from benchmark.serving.settings import CANARY
from benchmark.tracking import registry

COLUMNS = ("model", "version", "aliases", "served", "quality", "verdicts", "tier", "run", "sha256")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    add_stack_arguments(parser)


def main(options: argparse.Namespace) -> int:
    stack = stacks.read(options.stack, options.inventory, options.access)
    known = registry.catalogue(registry_of(stack))
    found = rows(known, served(stack))
    if options.as_json:
        print(json.dumps(found, indent=1))
    elif found:
        print("\n".join(aligned(COLUMNS, found)))
    else:
        print("no model is registered yet; `make bench` trains and registers some", file=sys.stderr)
    for difference in registry.differences(known):
        say(difference)
    return 0


def served(stack: Stack) -> dict[str, str] | None:
    """Model to the hash of the weights that answer now, and `<model>@canary`; None where nothing answers."""
    try:
        with Connection(stack.inference(), timeout_s=10) as connection:
            status, body = connection.call("GET", "/v1/models")
        return {n: m["sha256"] for n, m in replicas.answering(body).items()} if status == 200 else None
    except (http.client.HTTPException, OSError, StackError, *replicas.NO_ANSWER):
        return None


def rows(known: registry.Catalogue, answering: Mapping[str, str] | None) -> list[dict[str, str]]:
    """What the list shows of each version. `served` is a question mark where nothing answers."""
    found = []
    for name, versions in known.items():
        for version in versions:
            tags = version.tags
            here = tags.get(registry.SHA256)
            is_served = "?" if answering is None else _served(name, version, answering)
            quality = f"{tags['quality']} {tags.get('metric', '')}".strip() if tags.get("quality") else "-"
            found.append(
                {
                    "model": name,
                    "version": str(version.number),
                    "aliases": ",".join(version.aliases) or "-",
                    "served": is_served,
                    "quality": quality,
                    "verdicts": tags.get("verdicts", "-"),
                    "tier": tags.get("tier", "-"),
                    "run": tags.get("run", "-"),
                    "sha256": (here or "-")[:16],
                }
            )
    return found


def _served(name: str, version: registry.Version, answering: Mapping[str, str]) -> str:
    here = version.tags.get(registry.SHA256)
    if not here:
        return "no"
    if registry.CANARY in version.aliases and answering.get(name + CANARY) == here:
        return f"{version.tags.get(registry.SHARE, '?')} %"
    return "yes" if answering.get(name) == here else "no"
