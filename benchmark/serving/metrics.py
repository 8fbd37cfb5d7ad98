"""What one replica has answered, for Prometheus.

Every replica is a separate process, counts for itself and labels its series with its name: a request
through the load balancer reaches any of them. Counters start at 0 with the replica.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

__all__ = ["CONTENT_TYPE", "Metrics"]

# Upper bounds in seconds; a served bound of 100 ms lies between two of them.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
# Requests computed together.
BATCH = (1, 2, 4, 8, 16, 32, 64)
# Of one byte of a text that is generated.
BYTE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
NO_MODEL = ""

# Otherwise the library adds a `_created` series to every counter and histogram.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Counters of one replica. Answers and batches may be recorded from different threads."""

    def __init__(self, replica: str) -> None:
        self.replica = replica
        # The registry is this object's own: Ray registers series of its own in the library's global one.
        self.registry = CollectorRegistry()
        self.models = Gauge(
            "aidc_serve_model_info", "A model that is loaded.", ("replica", "model", "sha256"),
            registry=self.registry,
        )  # fmt: skip
        self.requests = Counter(
            "aidc_serve_requests_total", "Answers by model, version and HTTP status.",
            ("replica", "model", "version", "status"),
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "aidc_serve_request_seconds", "From a request's arrival to its prediction.",
            ("replica", "model", "version"),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.batches = Histogram(
            "aidc_serve_batch_requests", "Requests computed together.", ("replica", "model"),
            buckets=BATCH, registry=self.registry,
        )  # fmt: skip
        self.first_bytes = Histogram(
            "aidc_serve_first_byte_seconds", "From a request's arrival to the first byte generated.",
            ("replica", "model"), buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.bytes = Histogram(
            "aidc_serve_byte_seconds", "Between two bytes of a text that is generated.", ("replica", "model"),
            buckets=BYTE_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.gone = Counter(
            "aidc_serve_generations_stopped_total", "Texts whose client went away before their end.",
            ("replica", "model"), registry=self.registry,
        )  # fmt: skip
        self.lock = threading.Lock()

    def answered(self, workload: str | None, status: int, seconds: float, version: str = "") -> None:
        """One request: its model, if it named one that is served, its HTTP status and its duration.

        `version`: the one that answered; empty where it is not known, or the request was refused before.
        """
        self.requests.labels(self.replica, workload or NO_MODEL, version, str(status)).inc()
        if workload and status == 200:
            self.seconds.labels(self.replica, workload, version).observe(seconds)

    def wrote(self, workload: str, seconds: float, *, first: bool) -> None:
        """One byte of a text that is generated."""
        (self.first_bytes if first else self.bytes).labels(self.replica, workload).observe(seconds)

    def left(self, workload: str) -> None:
        self.gone.labels(self.replica, workload).inc()

    def computed(self, workload: str, requests: int) -> None:
        """One forward pass for `requests` requests."""
        self.batches.labels(self.replica, workload).observe(requests)

    def text(self, models: Mapping[str, str]) -> str:
        """All series; `models` maps the workloads that are loaded to the hash of their weights."""
        with self.lock:  # another reader must not see the gauge without its models
            self.models.clear()
            for name, sha256 in sorted(models.items()):
                self.models.labels(self.replica, name, sha256).set(1)
            return generate_latest(self.registry).decode()
