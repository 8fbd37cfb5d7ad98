"""One training job, in the stack or on this host, and what it adds to a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmark.analysis import result as results
from benchmark.cluster import launch
from benchmark.cluster.hostload import HostLoad
from benchmark.cluster.stack import Stack
from benchmark.console import record_error, say, show_message
from benchmark.core.config import Workload
from benchmark.core.errors import BenchmarkError
from benchmark.core.store import DirectoryStore, Store
from benchmark.data import dataset
from benchmark.training.spec import Spec

Result = dict[str, Any]
Output = dict[str, Any]  # what `launch.collect` returns


def execute(
    result: Result,
    where: str,
    *,
    spec: Spec,
    store: Store,
    start: Callable[[], str | None],
    merge: Callable[[Output], None],
) -> None:
    """Start a job and `merge` its output, even after an interruption. Errors go into the result."""
    try:
        problem = start()
        if problem:
            results.add_error(result, where, problem)
            say(f"{where}: {problem}")
        merge(launch.collect(spec, store))
    except KeyboardInterrupt:
        with suppress(BenchmarkError):
            merge(launch.collect(spec, store))
        raise
    except BenchmarkError as error:
        record_error(result, where, error)


def merge_training(
    result: Result,
    name: str,
    output: Output,
    log: Callable[[list[dict[str, Any]]], None] = lambda events: None,
) -> None:
    """Add the output of a job in the stack to the result; its events go to `log`."""
    log(output["events"])
    result["training"] += output["runs"]
    result["event_problems"] = (result["event_problems"] or []) + output["problems"]
    if output["manifest"]:
        result["data"][name] = output["manifest"]
    if output["probes"]:
        result["probes"] = output["probes"]
    if output["machine"]:
        result["environment"]["nodes"] = output["machine"]


def merge_host_baseline(result: Result, name: str, output: Output) -> None:
    """Add the output of a job on this host; the data of the stack's own job take precedence."""
    result["bare"] += output["runs"]
    if name not in result["data"] and output["manifest"]:
        result["data"][name] = output["manifest"]


@dataclass(frozen=True)
class Host:
    """How to train on this host. `remote`: the stack's store, to copy data from; None: prepare them here."""

    store: DirectoryStore
    remote: Store | None
    ranks: int
    threads: int = 1
    frozen_data: bool = True


def train_on_host(
    result: Result,
    workload: Workload,
    host: Host,
    run_id: str,
    on_message: launch.OnMessage = show_message,
) -> None:
    """Train all seeds of one workload and add them to `result["bare"]`."""
    spec = Spec(run_id=run_id, workload=workload, store=str(host.store.root.absolute()),
                world_size=host.ranks, threads=host.threads, frozen_data=host.frozen_data)  # fmt: skip

    def start() -> str | None:
        prefix = dataset.location(workload, spec.frozen_data)
        if host.remote and not host.store.exists(f"{prefix}/manifest.json"):
            launch.copy_data(host.remote, host.store, prefix)
        return launch.on_host(spec, on_message)

    merge = partial(merge_host_baseline, result, workload.name)
    execute(result, f"host baseline {workload.name}", spec=spec, store=host.store, start=start, merge=merge)


def attach_host_load(host: HostLoad, runs: list[dict[str, Any]]) -> None:
    """Record with each run of a job what else was busy on this machine during the job."""
    for run in runs:
        run["host_load"] = host.record


def describe_stack(result: Result, stack: Stack) -> None:
    """Images, and the declared network with the number of services per role."""
    counts: dict[str, int] = {}
    for service in stack.inventory.get("services", []):
        counts[service["role"]] = counts.get(service["role"], 0) + 1
    result["environment"]["images"] = stack.images()
    result["topology"] = {
        "flows": stack.inventory.get("flows", []),
        "segments": stack.inventory.get("segments", []),
        "counts": counts,
    }


def throughput_text(runs: Sequence[dict[str, Any]]) -> str:
    rates = [(r["workload"], r["throughput"]) for r in runs if r["throughput"]]
    return ", ".join(f"{name} {rate['value']:,.0f} {rate['unit']}" for name, rate in rates)
