"""`python -m benchmark prepare`: prepare the data of some workloads, in a directory or an object store."""

from __future__ import annotations

import argparse

from benchmark.core.config import load_all
from benchmark.core.store import open_store
from benchmark.data import dataset
from benchmark.experiments.options import add_workloads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workloads(parser)
    parser.add_argument("--store", required=True, help="directory, or s3:// with the AWS_* variables")


def main(options: argparse.Namespace) -> int:
    store = open_store(options.store)
    for workload in load_all(options.workload_files, options.tier):
        manifest = dataset.prepare(workload, store, not options.unfrozen_data)
        state = "reused" if manifest["reused"] else "made"
        print(f"{manifest['prefix']}: {state}, sha256 {manifest['sha256']}")
    return 0
