"""A closed load: it lasts as long as its block, and counts failures."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmark.cluster.connection import Endpoint
from benchmark.load.closed_loop import ClosedLoad, closed_load


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_load_goes_on_until_its_end(endpoint: Endpoint) -> None:
    with ClosedLoad(endpoint, "/v1/models/mlp:predict", [b"{}"], clients=3) as load:
        wait_until(lambda: load.answered > 3)
    answered = load.answered
    time.sleep(0.1)
    assert (load.answered, load.failures) == (answered, [])


def test_a_broken_connection_is_a_failed_request(server: Any, endpoint: Endpoint) -> None:
    server.breaks = 1
    with ClosedLoad(endpoint, "/v1/models/mlp:predict", [b"{}"], clients=1) as load:
        wait_until(lambda: load.answered > 0)
    assert len(load.failures) == 1


def test_offline_throughput_counts_every_request(endpoint: Endpoint) -> None:
    row = closed_load(endpoint, workload="mlp", body=b"{}", instances=2, requests=20, clients=3)
    assert (row["requests"], row["errors"], row["resent"]) == (20, 0, 0)
    assert row["instances_per_s"] > row["requests_per_s"] > 0
