"""`python -m benchmark freeze`: print the frozen list of a standard library's files, the data of bytelm."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmark.core.config import WORKLOADS_DIR, SourceCodeData, load_all
from benchmark.data.stdlib import freeze


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", type=Path, help="standard library (default: this interpreter's)")
    parser.add_argument("--python-version", default="", help="its version, for the first line of the list")


def main(options: argparse.Namespace) -> int:
    (workload,) = load_all([WORKLOADS_DIR / "bytelm.yaml"], "ci")
    assert isinstance(workload.data, SourceCodeData)
    sys.stdout.write(freeze(workload.data, options.root, options.python_version))
    return 0
