"""`python -m benchmark runs`: list the runs of a stack, newest first."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmark.analysis import runs
from benchmark.cluster import stack as stacks
from benchmark.core.errors import StackError
from benchmark.core.suggest import near
from benchmark.tracking import history


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    parser.add_argument("--local", action="store_true", help="only those of this machine, without MLflow")
    add_result_folder(parser)
    parser.add_argument("--inventory", type=Path, help="JSON file instead of the stack's output `inventory`")
    parser.add_argument("--access", type=Path, help="JSON file instead of the stack's secret output `access`")


def add_result_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", default="dev", help="Pulumi stack (default: dev)")
    parser.add_argument("--out", type=Path, help="folder of its results (default: out/<stack>)")
    parser.set_defaults(default_out="out/{stack}")


def main(options: argparse.Namespace) -> int:
    rows = list(runs.rows(options.out))
    if not options.local:
        rows = history.merged(rows, remote(options))
    if options.as_json:
        print(json.dumps(rows, indent=1))
    elif rows:
        print("\n".join(runs.table(rows)))
    else:
        hint = near(options.out.name, [p.name for p in options.out.parent.glob("*") if p.is_dir()])
        print(f"{options.out}: no runs yet; start one with `make bench`{hint}", file=sys.stderr)
    return 0


def remote(options: argparse.Namespace) -> list[dict[str, str]]:
    """The runs that MLflow has; none, and a word about it, where it cannot be asked."""
    try:
        client = stacks.read(options.stack, options.inventory, options.access).tracking()
        if client is None:
            print(f"MLflow: stack {options.stack} has no tracking server", file=sys.stderr)
            return []
        return [history.row(run) for run in history.recorded(client, options.stack).values()]
    except StackError as error:
        print(f"MLflow not asked, so these are the runs of this machine: {error}", file=sys.stderr)
        return []
