"""The same training on this host, without the stack: the same code under torchrun, over loopback."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.analysis import result as results
from benchmark.analysis import runs
from benchmark.cluster import launch
from benchmark.cluster import stack as stacks
from benchmark.console import ended, finish, refused, say, show, stopped
from benchmark.core import files
from benchmark.core.config import Workload, load_all
from benchmark.core.errors import BenchmarkError
from benchmark.core.store import DirectoryStore, Store
from benchmark.data import dataset
from benchmark.experiments.hostload import HostLoad
from benchmark.experiments.run import Common, attach, carried_out
from benchmark.report import pages
from benchmark.training.job import Spec

RANKS = 2  # without a stack, and unless one says otherwise


@dataclass(frozen=True)
class Options(Common):
    no_stack: bool = False


def main(options: Options) -> int:
    """A run of its own. Complete, it is taken up by the newest run in the stack, so that the ratio appears.

    Exit codes: 0; 1 a training failed; 2 bad input; 130 interrupted, what was finished until then is kept.
    """
    try:
        workloads = load_all(options.workload_files, options.tier)
        files.check_folder(options.out)
        stack = None if options.no_stack else stacks.read(options.stack, options.inventory, options.access)
        place = runs.begin(options.out, results.new_run_id("bare-"))
    except BenchmarkError as error:
        return refused(error)
    ranks = options.ranks(stack) if stack else options.world_size or RANKS
    remote, frozen = stack.store() if stack else None, not options.unfrozen_data
    host = Host(DirectoryStore(options.out / "bare"), remote, ranks, options.threads, frozen)
    result, code = results.new(options.stack, options.tier, place.run_id), 0
    try:
        train_all(result, workloads, host, place.path)
        result["complete"] = not result["errors"]
    except KeyboardInterrupt as error:
        code = stopped(result, "bare", error)
    result["finished"] = results.now()
    results.save(result, place.path)
    newest = runs.read(place.copy)
    if result["complete"] and newest and newest.get("training"):
        page = pages.take_up(place.copy, result["bare"], "bare")
        finish(results.load(place.copy), place.copy, page)
    else:
        ended(result, place, pages.write(place.path))
    return code or int(bool(result["errors"]))


@dataclass(frozen=True)
class Host:
    """How to train here. `remote`: the stack's store, whose data are taken; None: they are prepared here."""

    store: DirectoryStore
    remote: Store | None
    ranks: int
    threads: int = 1
    frozen_data: bool = True


def train_all(result: dict[str, Any], workloads: list[Workload], host: Host, path: Path) -> None:
    """Train each workload; its runs, and what went wrong, are in the result, saved at `path`."""
    for workload in workloads:
        say(f"{workload.name}: training on the host, {host.ranks} ranks")
        before = len(result["bare"])
        with HostLoad() as load:
            train(result, workload, host, result["run_id"])
        attach(load, result["bare"][before:])
        results.save(result, path)
        for run in (r for r in result["bare"] if r["workload"] == workload.name):
            quality = run["quality"]
            say(f"{workload.name}: seed {run['seed']}: {quality['metric'].replace('_', ' ')} "
                f"{quality['value']:.4g}, target {quality['target']:g}")  # fmt: skip


def train(
    result: dict[str, Any],
    workload: Workload,
    host: Host,
    run_id: str,
    on_message: launch.OnMessage = show,
) -> None:
    """Train all seeds of one workload and add them to `result["bare"]`."""
    spec = Spec(run_id=run_id, workload=workload, store=str(host.store.root.absolute()),
                world_size=host.ranks, threads=host.threads, frozen_data=host.frozen_data)  # fmt: skip

    def start() -> str | None:
        prefix = dataset.location(workload, spec.frozen_data)
        if host.remote and not host.store.exists(f"{prefix}/manifest.json"):
            launch.copy_data(host.remote, host.store, prefix)
        return launch.on_host(spec, on_message)

    keep = partial(_keep, result, workload.name)
    carried_out(result, f"bare {workload.name}", spec=spec, store=host.store, start=start, keep=keep)


def _keep(result: dict[str, Any], name: str, found: dict[str, Any]) -> None:
    result["bare"] += found["runs"]
    if name not in result["data"] and found["manifest"]:
        result["data"][name] = found["manifest"]
