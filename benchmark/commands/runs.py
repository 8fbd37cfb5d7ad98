"""`python -m benchmark runs`: list the runs of a stack, newest first."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmark.analysis import runs
from benchmark.core.suggest import near


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    add_result_folder(parser)


def add_result_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", default="dev", help="Pulumi stack (default: dev)")
    parser.add_argument("--out", type=Path, help="folder of its results (default: out/<stack>)")
    parser.set_defaults(default_out="out/{stack}")


def main(options: argparse.Namespace) -> int:
    rows = list(runs.rows(options.out))
    if options.as_json:
        print(json.dumps(rows, indent=1))
    elif rows:
        print("\n".join(runs.table(rows)))
    else:
        hint = near(options.out.name, [p.name for p in options.out.parent.glob("*") if p.is_dir()])
        print(f"{options.out}: no runs yet; start one with `make bench`{hint}", file=sys.stderr)
    return 0
