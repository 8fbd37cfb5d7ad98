"""The client beside the load balancer: both ways are asked alike, and a failure ends it."""

from __future__ import annotations

from http.client import HTTPException
from typing import Any

import pytest

from benchmark.cluster.connection import Endpoint
from benchmark.load import paired_latency


def test_both_ways_are_asked_first_equally_often() -> None:
    assert [paired_latency.sides(i)[0] for i in range(4)] == ["balanced", "direct", "balanced", "direct"]


def test_the_client_beside_the_load_balancer_asks_every_way(server: Any, endpoint: Endpoint) -> None:
    wanted = {"path": "/v1/models/mlp:predict", "body": "{}", "pairs": 8, "direct": [endpoint.url] * 2,
              "balanced": {"url": endpoint.url, "ca_path": None, "token": None}}  # fmt: skip
    found = paired_latency.measure(wanted)
    assert (len(found["balanced"]), len(found["direct"])) == (8, 8)
    server.breaks = 1
    with pytest.raises((OSError, HTTPException)):
        paired_latency.measure(wanted)
