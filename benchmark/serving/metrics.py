"""What one replica has answered, as Prometheus reads it (text format 0.0.4).

Every replica counts for itself and says which one it is: a request through the load balancer reaches
any of them. Counters start at 0 with the replica, as those of every process do.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Upper bounds in seconds; a served bound of 100 ms lies between two of them.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
# Requests computed together.
BATCH = (1, 2, 4, 8, 16, 32, 64)
NO_MODEL = ""


class Histogram:
    """Counts by upper bound, their sum and number."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        place = next((i for i, bound in enumerate(self.bounds) if value <= bound), len(self.bounds))
        self.counts[place] += 1
        self.total += value

    def lines(self, name: str, labels: Mapping[str, str]) -> Iterable[str]:
        """Buckets are cumulative; the last one holds everything."""
        seen = 0
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            seen += count
            yield f"{name}_bucket{_labels({**labels, 'le': bound})} {seen}"
        yield f"{name}_sum{_labels(labels)} {self.total:.9g}"
        yield f"{name}_count{_labels(labels)} {seen}"


class Metrics:
    """Counters of one replica. Answers and batches may be noted from different threads."""

    def __init__(self, replica: str) -> None:
        self.replica = replica
        self.lock = threading.Lock()
        self.answers: dict[tuple[str, int], int] = {}
        self.seconds: dict[str, Histogram] = {}
        self.batches: dict[str, Histogram] = {}

    def answered(self, workload: str | None, status: int, seconds: float) -> None:
        """One request: its model, if it named one that is served, its HTTP status and its duration."""
        name = workload or NO_MODEL
        with self.lock:
            self.answers[name, status] = self.answers.get((name, status), 0) + 1
            if workload and status == 200:
                self.seconds.setdefault(name, Histogram(SECONDS)).observe(seconds)

    def computed(self, workload: str, requests: int) -> None:
        """One forward pass for so many requests."""
        with self.lock:
            self.batches.setdefault(workload, Histogram(BATCH)).observe(requests)

    def text(self, models: Mapping[str, str]) -> str:
        """All of it; `models` maps the workloads that are loaded to the hash of their weights."""
        with self.lock:
            return "\n".join([*self._lines(models), ""])

    def _lines(self, models: Mapping[str, str]) -> Iterable[str]:
        own = {"replica": self.replica}
        yield from _head("aidc_serve_model_info", "gauge", "A model that is loaded.")
        for name, sha256 in sorted(models.items()):
            yield f"aidc_serve_model_info{_labels({**own, 'model': name, 'sha256': sha256})} 1"
        yield from _head("aidc_serve_requests_total", "counter", "Answers by model and HTTP status.")
        for (name, status), count in sorted(self.answers.items()):
            labels = {**own, "model": name, "status": str(status)}
            yield f"aidc_serve_requests_total{_labels(labels)} {count}"
        yield from _head(
            "aidc_serve_request_seconds", "histogram", "From a request's arrival to its prediction."
        )
        for name, histogram in sorted(self.seconds.items()):
            yield from histogram.lines("aidc_serve_request_seconds", {**own, "model": name})
        yield from _head("aidc_serve_batch_requests", "histogram", "Requests computed together.")
        for name, histogram in sorted(self.batches.items()):
            yield from histogram.lines("aidc_serve_batch_requests", {**own, "model": name})


def _head(name: str, kind: str, about: str) -> Iterable[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{k}="{_escaped(v)}"' for k, v in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
