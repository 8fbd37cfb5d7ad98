"""`python -m benchmark record`: write runs of this machine into MLflow, as far as it does not have them.

Recording twice changes nothing. A champion that is served and whose answer was not recorded, for restore
drills, is asked. Exit codes: 0 all are recorded; 1 one is not; 2 bad input.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.analysis import result as results
from benchmark.analysis import runs
from benchmark.cluster import stack as stacks
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.commands.models import served
from benchmark.commands.runs import add_result_folder
from benchmark.console import say
from benchmark.core.errors import BenchmarkError, MlflowError, StackError
from benchmark.report import pages
from benchmark.tracking import answers, promotion, registering, registry
from benchmark.tracking.recording import Recorder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="one run; `runs` lists them (default: all of this machine)"
    )
    add_result_folder(parser)
    parser.add_argument("--inventory", type=Path, help="JSON file instead of the stack's output `inventory`")
    parser.add_argument("--access", type=Path, help="JSON file instead of the stack's secret output `access`")


def main(options: argparse.Namespace) -> int:
    chosen = (
        [runs.find(options.out, options.run)]
        if options.run
        else [folder / runs.RESULT for folder in reversed(runs.folders(options.out))]
    )
    stack = stacks.read(options.stack, options.inventory, options.access)
    client = stack.tracking()
    if client is None:
        raise StackError(
            f"stack {stack.name}: it has no tracking server, so nothing was recorded; "
            f"fix: `make up STACK={stack.name}` with this version"
        )
    answering = served(stack) or {}
    failed = 0
    for path in chosen:
        try:
            place = record(client, path, answering)
            say(f"{path.parent.name}: {place['url']}")
        except MlflowError:
            raise
        except BenchmarkError as error:  # one result that cannot be read is no reason to leave the others
            say(f"{path.parent.name}: {error}")
            failed += 1
    missing = answers.unanswered(client, answering)
    answers.keep(stack, client, missing, answers.again(stack), say)
    return 1 if failed else 0


def record(client: MlflowClient, path: Path, answering: Mapping[str, str]) -> dict[str, Any]:
    """Record one result with models and files; where MLflow has it, as the result and its report say then.

    `answering`: model to the hash of the weights that are served now, which makes its version the champion.
    """
    result = results.load(path)
    recorder = Recorder(client)
    place = {**recorder.record(result), "problem": None}
    versions = registering.register(client, result, recorder.record_ids(result))
    registering.judge(client, result, versions)
    for name, version in versions.items():
        if answering.get(name) == version.tags[registry.SHA256]:
            promotion.record_champion(client, version, f"served by run {result['run_id']}", say)
    if result.get("tracking") != place:
        pages.add_outcome(path, place, "tracking")
    recorder.attach(result, path.parent)
    return place
