"""`serving` of a result: the served models, their latency and throughput, and faults under load.

Latencies are milliseconds over the answered requests; failed requests are counted and not timed.
"""

from __future__ import annotations

from benchmark.core.document import Part
from benchmark.core.run_record import HostLoad, Metric, Reasons
from benchmark.core.verdict import Outcome


class Limits(Part):
    """How many replicas may run."""

    min_replicas: int
    max_replicas: int


class ServedModel(Part):
    """The served answers against those of the trained model, on the same held-out samples."""

    workload: str
    sha256: str
    seed: int
    metric: Metric
    samples: int
    quality_served: float
    quality_trained: float
    quality_heldout: float
    agreement: float
    max_abs_difference: float
    tolerance: float
    same_hash: bool
    passed: bool


class Offline(Part):
    """Throughput of clients that always have a request under way."""

    workload: str
    clients: int
    requests: int
    errors: int
    resent: int = 0
    requests_per_s: float
    instances_per_s: float
    instances_per_request: int
    host_load: HostLoad | None = None


class Milliseconds(Part):
    """`p99` is null below the number of values that it takes."""

    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class Generation(Part):
    """Streamed texts of so many clients, each with one under way; times are the client's.

    A text's time per output token is the mean over all of its tokens but the first. `same_text`: whether
    the bytes are those that the model writes when it is computed here; null where none were compared.
    """

    workload: str
    clients: int
    texts: int
    errors: int
    problems: list[str]
    tokens_per_text: int
    time_to_first_token_ms: Milliseconds
    time_per_output_token_ms: Milliseconds
    inter_token_latency_ms: Milliseconds
    tokens_per_s: float
    same_text: bool | None = None
    host_load: HostLoad | None = None
    not_measured: Reasons


class Percentiles(Part):
    """`p99_ms` is null below the number of answers that it takes."""

    samples: int
    errors: int
    resent: int = 0
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    over_bound: int | None = None
    sent_late: int
    not_measured: Reasons
    host_load: HostLoad | None = None


class Latency(Percentiles):
    """Poisson arrivals at one rate. `ecdf`: [milliseconds, share of the answers within them]."""

    workload: str
    rate_rps: float
    duration_s: float
    p99_bound_ms: float
    ecdf: list[list[float]]


class RateStep(Part):
    """One rate of the search for the highest one. `held` only where the measurement shows it."""

    rate_rps: float
    samples: int
    errors: int
    resent: int = 0
    p50_ms: float | None
    p99_ms: float | None
    over_bound: int | None = None
    sent_late_share: float
    host_load: HostLoad | None = None
    held: bool
    verdict: Outcome | None = None
    reason: str | None


class MaxRate(Part):
    """The highest rate that held its bound, a lower bound of what the service can do."""

    workload: str
    rate_rps: float | None
    p99_ms: float | None
    p99_bound_ms: float
    next_failed_rps: float | None
    resolution: float
    resolved: bool
    client_limited: bool
    steps: list[RateStep]
    not_measured: Reasons


class Mark(Part):
    name: str
    at_s: float


class Failure(Part):
    at_s: float
    reason: str


class Version(Part):
    """One model that answered: how often, first and last."""

    sha256: str
    answers: int
    first_s: float
    last_s: float


class LoadUnderFault(Percentiles):
    """`timeline`: [seconds, median, worst latency in ms] of every half second."""

    marks: list[Mark]
    failures: list[Failure]
    timeline: list[list[float]]
    versions: list[Version]
    # Of a killed replica.
    replica: str | None = None
    container: str | None = None
    replaced_s: float | None = None


class Resilience(Part):
    workload: str
    rate_rps: float
    client_retries: int
    from_sha256: str
    to_sha256: str
    errors: list[str]
    kill: LoadUnderFault | None = None
    update: LoadUnderFault | None = None


class Autoscale(Part):
    """`replicas`: [seconds, replicas that run] under a load that wants more than the fewest."""

    workload: str
    clients: int
    limits: Limits
    replicas: list[list[float]]
    fewest: int
    most: int
    first_more_s: float | None
    most_s: float
    answered: int
    failed: int
    failures: list[str]
    host_load: HostLoad | None = None
    not_measured: Reasons


class Direct(Part):
    """Milliseconds that the load balancer adds to the median, with a 95 % interval."""

    workload: str
    pairs: int
    balanced_p50_ms: float
    direct_p50_ms: float
    added_p50_ms: float
    low_ms: float
    high_ms: float
    bound_ms: float
    balanced_ecdf: list[list[float]]
    direct_ecdf: list[list[float]]
    host_load: HostLoad | None = None


class Serving(Part):
    endpoint: str
    models: list[ServedModel]
    offline: list[Offline]
    latency: list[Latency]
    replicas: int | None = None
    autoscaling: Limits | None = None
    deploy_s: float | None = None
    max_rate: list[MaxRate] | None = None
    resilience: Resilience | None = None
    autoscale: Autoscale | None = None
    generation: list[Generation] | None = None
    direct: Direct | None = None
