"""`python -m benchmark autoscale`: load the service until the maximum number of replicas runs.

A closed load keeps `CLIENTS` requests in flight, more than twice the target of the minimum number of
replicas. Meanwhile the number of running replicas is polled: it must rise, and stay within the declared
limits. Scaling down without load takes five minutes and is not tested.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmark.cluster.connection import predict_path
from benchmark.cluster.hostload import HostLoad
from benchmark.cluster.inventory import container_names
from benchmark.cluster.stack import Stack
from benchmark.console import say
from benchmark.experiments import served_models
from benchmark.experiments.options import ServingOptions, add_served_model
from benchmark.load.closed_loop import ClosedLoad

CLIENTS = 40
LONGEST_S = 150.0
SETTLED_S = 10.0  # at the maximum, to see that there are no more
ASK_S = 1.0
Options = ServingOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_served_model(parser)


def main(options: Options) -> int:
    return served_models.measure(
        options, "autoscale", lambda stack, result: examine(stack, result, options.workload)
    )


def watch(
    running: Callable[[], int], maximum: int, longest_s: float = LONGEST_S, settled_s: float = SETTLED_S
) -> list[list[float]]:
    """[[seconds, running replicas], …] until `maximum` have run for `settled_s`, or `longest_s` is over."""
    begin, full_at = time.perf_counter(), None
    seen: list[list[float]] = []
    while True:
        count, at = running(), time.perf_counter() - begin
        seen.append([round(at, 2), count])
        if count >= maximum and full_at is None:
            full_at = at
            say(f"{count} replicas after {at:.0f} s")
        if at >= longest_s or (full_at is not None and at - full_at >= settled_s):
            return seen
        time.sleep(ASK_S)


def examine(stack: Stack, result: dict[str, Any], workload: str | None) -> dict[str, Any]:
    """The load, and how many replicas ran under it; the row of `serving.autoscale`."""
    name = served_models.choose(result, workload, -1)  # the last one: the language model takes longest
    limits, ray, endpoint = result["serving"]["autoscaling"], stack.ray(), stack.inference()
    requests = served_models.request_bodies(result["configuration"]["workloads"][name]["model"])
    before = len(ray.replicas())
    say(f"{name}: {CLIENTS} requests in flight, {before} replicas, limits {range_text(limits)}")
    with (
        HostLoad(container_names(stack.inventory)) as host,
        ClosedLoad(endpoint, predict_path(name), requests, CLIENTS) as load,
    ):
        seen = watch(lambda: len(ray.replicas()), limits["max_replicas"])
    return {
        "workload": name,
        "clients": CLIENTS,
        "limits": limits,
        "replicas": seen,
        **summary(seen, limits["min_replicas"]),
        "answered": load.answered,
        "failed": len(load.failures),
        "failures": load.failures[:10],
        "host_load": host.record,
        "not_measured": {"scale_down": "takes five minutes without load; not tested"},
    }


def summary(seen: Sequence[Sequence[float]], minimum: int) -> dict[str, Any]:
    """The fewest and most replicas that ran, and when there were first more than the minimum."""
    counts = [int(count) for _, count in seen]
    return {
        "fewest": min(counts),
        "most": max(counts),
        "first_more_s": next((at for at, count in seen if count > minimum), None),
        "most_s": next(at for at, count in seen if count == max(counts)),
    }


def range_text(limits: dict[str, int]) -> str:
    return f"{limits['min_replicas']} to {limits['max_replicas']}"
