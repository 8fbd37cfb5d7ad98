"""The flow table: who may talk to whom, on which port, in which segment, and why.

Network memberships, firewall rules, policies, reachability tests and diagrams all come from here. Everything
that is not listed is refused. `clients` is the outside; every other name is a role.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Flow:
    """One permission. `port` to `port_end` inclusive; both equal for a single port."""

    source: str
    destination: str
    port: int
    port_end: int
    protocol: str
    segment: str
    why: str

    @property
    def name(self) -> str:
        """A name that nftables accepts for a counter."""
        return f"{self.source}_{self.destination}_{self.segment}_{self.port}".replace("-", "_")

    @property
    def ports(self) -> str:
        return f"{self.port}" if self.port == self.port_end else f"{self.port}-{self.port_end}"


@dataclass(frozen=True)
class Listen:
    """Ports on which a role listens: on each of its addresses, or on the one in `segment` alone."""

    port: int
    port_end: int
    purpose: str
    protocol: str = "tcp"
    segment: str | None = None


CLIENTS = "clients"
# Where an S3 store outside the stack takes the place of its own.
STORE_GATEWAY, STORE_CHECK, OUTSIDE_STORE = "store-gateway", "store-check", "outside-store"
# Where alerts leave the stack, if somebody outside is told of them.
ALERTS, ALERT_GATEWAY, ALERT_RECEIVER = "alerts", "alert-gateway", "alert-receiver"
HTTPS = 443
INFERENCE, S3, RAY_API, TRACKING, MONITORING, READING, HOME = 8443, 9443, 8265, 5443, 7443, 6443, 8080
LB_STATS, LB_METRICS = 8404, 8405
SERVE, MINIO, VAULT, DATABASE, MLFLOW, METRICS, PAGE = 8000, 9000, 8000, 5432, 5000, 8428, 8081
LOGS = 9428
# Where the engine sends the lines of all containers, by UDP. No row leads there: the host alone may send.
COLLECTOR = 5514
ALERTMANAGER = 9093
RAY_GCS = (6379, 6379)
# The services of every Ray node; 6386 is free.
RAY_NODE_MANAGER, RAY_OBJECT_MANAGER, RAY_RUNTIME_ENV_AGENT = 6380, 6381, 6382
RAY_AGENT_GRPC, RAY_AGENT_HTTP, RAY_METRICS, RAY_DASHBOARD_METRICS = 6383, 6384, 6385, 6387
RAY_NODE = (RAY_NODE_MANAGER, RAY_DASHBOARD_METRICS)
RAY_CLIENT = (10001, 10001)
RAY_WORKERS = (20000, 20099)
# Through these the proxy on one node reaches a replica on another.
SERVE_REPLICAS = (8100, 8120)
# Ephemeral ports of the compute containers, which Ray and gloo open without a setting for it.
RAY_EPHEMERAL = (30000, 30999)

LISTENS: dict[str, tuple[Listen, ...]] = {
    "load-balancer": (
        Listen(INFERENCE, INFERENCE, "inference, TLS"),
        Listen(S3, S3, "S3, TLS"),
        Listen(RAY_API, RAY_API, "Ray jobs and dashboard, TLS"),
        Listen(TRACKING, TRACKING, "tracking of experiments, TLS"),
        Listen(MONITORING, MONITORING, "monitoring: metrics and alerts, TLS"),
        Listen(READING, READING, "logs of all containers, TLS"),
        Listen(HOME, HOME, "home: the front door, TLS"),
        Listen(LB_STATS, LB_STATS, "health, for its own check"),
        Listen(LB_METRICS, LB_METRICS, "metrics, TLS", segment="monitor"),
    ),
    "ray-head": (
        Listen(RAY_API, RAY_API, "Ray jobs and dashboard, token"),
        Listen(*RAY_GCS, "Ray control store, token"),
        Listen(*RAY_NODE, "Ray node services, token"),
        Listen(RAY_METRICS, RAY_METRICS, "Ray metrics"),
        Listen(*RAY_CLIENT, "Ray client, token"),
        Listen(*RAY_WORKERS, "Ray workers"),
        Listen(*RAY_EPHEMERAL, "training rendezvous and collectives"),
    ),
    "compute": (
        Listen(SERVE, SERVE, "Ray Serve"),
        Listen(*SERVE_REPLICAS, "Ray Serve replicas"),
        Listen(*RAY_NODE, "Ray node services, token"),
        Listen(RAY_METRICS, RAY_METRICS, "Ray metrics"),
        Listen(*RAY_WORKERS, "Ray workers"),
        Listen(*RAY_EPHEMERAL, "training rendezvous and collectives"),
    ),
    "object-store": (Listen(MINIO, MINIO, "S3, TLS"),),
    "database": (Listen(DATABASE, DATABASE, "PostgreSQL, TLS"),),
    "tracking": (Listen(MLFLOW, MLFLOW, "MLflow, TLS"),),
    "metrics": (Listen(METRICS, METRICS, "VictoriaMetrics, TLS"),),
    "logs": (Listen(LOGS, LOGS, "VictoriaLogs, TLS"),),
    ALERTS: (Listen(ALERTMANAGER, ALERTMANAGER, "Alertmanager, TLS"),),
    "home": (Listen(PAGE, PAGE, "page of the front door, TLS"),),
    "vault": (Listen(VAULT, VAULT, "restic REST server, TLS, append-only"),),
}


def _ray(source: str, destination: str) -> tuple[Flow, ...]:
    ranges = [RAY_NODE, RAY_WORKERS, RAY_EPHEMERAL]
    whys = ["node services", "worker calls", "collectives and replies"]
    if destination == "ray-head":
        ranges.insert(0, RAY_GCS)
        whys.insert(0, "control store")
    return tuple(
        Flow(source, destination, *span, "tcp", "fabric", f"Ray {why}")
        for span, why in zip(ranges, whys, strict=True)
    )


FLOWS: tuple[Flow, ...] = (
    Flow(CLIENTS, "load-balancer", INFERENCE, INFERENCE, "tcp", "edge", "ask the served models"),
    Flow(CLIENTS, "load-balancer", S3, S3, "tcp", "edge", "datasets in, results out"),
    Flow(CLIENTS, "load-balancer", RAY_API, RAY_API, "tcp", "edge", "submit and watch jobs"),
    Flow(CLIENTS, "load-balancer", TRACKING, TRACKING, "tcp", "edge", "record runs, register models"),
    Flow(CLIENTS, "load-balancer", MONITORING, MONITORING, "tcp", "edge", "look at metrics and alerts"),
    Flow(CLIENTS, "load-balancer", READING, READING, "tcp", "edge", "search the logs"),
    Flow(CLIENTS, "load-balancer", HOME, HOME, "tcp", "edge", "see how all of it is doing"),
    Flow("load-balancer", "compute", SERVE, SERVE, "tcp", "service", "inference requests"),
    Flow("load-balancer", "ray-head", RAY_API, RAY_API, "tcp", "service", "job submission and dashboard"),
    Flow("load-balancer", "tracking", MLFLOW, MLFLOW, "tcp", "service", "runs and models of the clients"),
    Flow("load-balancer", "metrics", METRICS, METRICS, "tcp", "monitor", "metrics for the clients"),
    Flow("load-balancer", "logs", LOGS, LOGS, "tcp", "monitor", "logs for the clients"),
    Flow("load-balancer", "home", PAGE, PAGE, "tcp", "monitor", "the page for the clients"),
    Flow("load-balancer", "object-store", MINIO, MINIO, "tcp", "storage", "S3 of the clients"),
    Flow("compute", "load-balancer", TRACKING, TRACKING, "tcp", "service", "jobs record their runs"),
    # Not of the metrics service itself, where whoever may read may write: the balancer lets read alone.
    Flow("home", "load-balancer", MONITORING, MONITORING, "tcp", "monitor", "figures and alerts"),
    *_ray("ray-head", "compute"),
    *_ray("compute", "ray-head"),
    *_ray("compute", "compute"),
    Flow("compute", "compute", *SERVE_REPLICAS, "tcp", "fabric", "inference on another node's replica"),
    Flow("compute", "object-store", MINIO, MINIO, "tcp", "storage", "datasets, checkpoints, models"),
    Flow("object-store", "object-store", MINIO, MINIO, "tcp", "storage", "erasure-coded shards, healing"),
    Flow("object-store-setup", "object-store", MINIO, MINIO, "tcp", "storage", "buckets, users, policies"),
    Flow("tracking", "database", DATABASE, DATABASE, "tcp", "storage", "runs, models and their users"),
    Flow("tracking", "object-store", MINIO, MINIO, "tcp", "storage", "artefacts"),
    Flow("tracking-setup", "database", DATABASE, DATABASE, "tcp", "storage", "tables and users"),
    Flow("database", "object-store", MINIO, MINIO, "tcp", "storage", "archive the write-ahead log"),
    Flow("backup", "object-store", MINIO, MINIO, "tcp", "storage", "read what is to be backed up"),
    Flow("backup", "database", DATABASE, DATABASE, "tcp", "storage", "read what is to be backed up"),
    Flow("backup", "vault", VAULT, VAULT, "tcp", "backup", "append encrypted snapshots"),
    Flow("metrics", "load-balancer", LB_METRICS, LB_METRICS, "tcp", "monitor", "its metrics"),
    Flow("metrics", "object-store", MINIO, MINIO, "tcp", "storage", "its metrics"),
    Flow("metrics", "ray-head", RAY_METRICS, RAY_METRICS, "tcp", "service", "its metrics"),
    Flow("metrics", "ray-head", RAY_DASHBOARD_METRICS, RAY_DASHBOARD_METRICS, "tcp", "service", "jobs"),
    Flow("metrics", "compute", RAY_METRICS, RAY_METRICS, "tcp", "service", "metrics of nodes and models"),
    Flow("metrics", ALERTS, ALERTMANAGER, ALERTMANAGER, "tcp", "monitor", "alerts to be told; its metrics"),
)


# Each node's Serve proxy tries the head's, and the head's the replicas; no request goes there. Ray Train asks
# the dashboard for its driver, of which the control store tells. They are refused as everything that is not
# declared, but are no sign of an intruder, and so counted apart.
SERVE_FALLBACK = 8500
NEEDLESS: tuple[Flow, ...] = (
    Flow(
        "compute",
        "ray-head",
        SERVE_FALLBACK,
        SERVE_FALLBACK,
        "tcp",
        "fabric",
        "Serve's proxies try the head's",
    ),
    Flow("ray-head", "compute", *SERVE_REPLICAS, "tcp", "fabric", "the head's Serve proxy tries replicas"),
    Flow("compute", "ray-head", RAY_API, RAY_API, "tcp", "fabric", "Ray Train asks for its driver"),
)


def with_outside_store(port: int = HTTPS) -> tuple[Flow, ...]:
    """The table where an outside store, at `port`, takes the place of the stack's own: it has one way out."""
    own, job = "object-store", "object-store-setup"
    rows = [flow for flow in FLOWS if own not in (flow.source, flow.destination)]
    for flow in FLOWS:
        if flow.destination == own and flow.source not in (own, job, "metrics"):
            rows.append(replace(flow, destination=STORE_GATEWAY, port=port, port_end=port))
    why = "S3 of the outside store, with the TLS of whoever asks"
    return (
        *rows,
        Flow(STORE_CHECK, STORE_GATEWAY, port, port, "tcp", "storage", "is the outside store as needed?"),
        Flow(STORE_GATEWAY, OUTSIDE_STORE, port, port, "tcp", "egress", why),
    )


def listens_with_outside_store(port: int = HTTPS) -> dict[str, tuple[Listen, ...]]:
    """Who listens where beside an outside store."""
    own = {role: ports for role, ports in LISTENS.items() if role != "object-store"}
    at = (Listen(port, port, "S3, TLS"),)
    return {**own, STORE_GATEWAY: at, OUTSIDE_STORE: at}


def with_receivers(flows: tuple[Flow, ...] = FLOWS, ports: Collection[int] = (HTTPS,)) -> tuple[Flow, ...]:
    """The table where somebody outside is told of alerts, at `ports`."""
    sent, out = "alerts, with the TLS of who sends them", "alerts to who is declared to get them"
    return (
        *flows,
        *(Flow(ALERTS, ALERT_GATEWAY, port, port, "tcp", "monitor", sent) for port in ports),
        *(Flow(ALERT_GATEWAY, ALERT_RECEIVER, port, port, "tcp", "egress", out) for port in ports),
    )


def listens_with_receivers(
    listens: dict[str, tuple[Listen, ...]], ports: Collection[int] = (HTTPS,)
) -> dict[str, tuple[Listen, ...]]:
    """Who listens where beside the receivers of alerts."""
    at = tuple(Listen(port, port, "alerts, TLS") for port in ports)
    return {**listens, ALERT_GATEWAY: at, ALERT_RECEIVER: at}


def tables(roles: Collection[str]) -> tuple[tuple[Flow, ...], dict[str, tuple[Listen, ...]]]:
    """Flows and listeners of a stack with these roles. Ports outside the stack are left at their default."""
    flows, listens = FLOWS, LISTENS
    if STORE_GATEWAY in roles:
        flows, listens = with_outside_store(), listens_with_outside_store()
    if ALERT_GATEWAY in roles:
        flows, listens = with_receivers(flows), listens_with_receivers(listens)
    return flows, listens


def memberships(role: str, flows: tuple[Flow, ...] = FLOWS) -> tuple[str, ...]:
    """The segments that a role joins: those of its flows, in the table's order, and no others."""
    used = (flow.segment for flow in flows if role in (flow.source, flow.destination))
    return tuple(dict.fromkeys(used))
