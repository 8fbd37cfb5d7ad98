"""What the metrics server reads, where, and how often. Pure.

Every target is a row here and a flow in `flows.py`; the label `service` is the name that `make status` shows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from components.planning import receivers
from components.planning.flows import (
    ALERTMANAGER,
    FLOWS,
    LB_METRICS,
    METRICS,
    MINIO,
    RAY_DASHBOARD_METRICS,
    RAY_METRICS,
)
from components.planning.monitoring import VIEWER
from components.planning.pki import CA_YEARS, LEAF_DAYS
from components.planning.plan import Plan, Service
from components.planning.rotation import Generations
from components.planning.store_place import ALIAS
from components.runtime.files import FILES_DIR

ROLE = "metrics"
EXPIRES = "aidc_certificate_expires_timestamp_seconds"
# Seconds between two readings.
INTERVAL = 30
# In the container: the machine's own figures, and the files that services leave for the metrics.
NODE_EXPORTER, ALERTS = 9100, 8880
# Samples that one reading may have: a service that has gone mad would otherwise fill the disk.
MOST = 20_000
# Bytes that one reading may have, three times what Ray's head was seen to tell. It is taken apart in pieces:
# as a whole, a reading of that size in lines of seven bytes takes more memory than the server has.
LARGEST = "2MiB"
# Series that are new within a day, of all targets, as images/metrics has it: what is new beyond is dropped,
# whoever tells it. So each target has a limit of its own, and those where jobs may speak share a half.
DAILY, LEAST = 200_000, 3_000
WITH_JOBS = ("ray-head", "ray-dashboard", "compute")
# Ray's histograms are nine tenths of what it tells; go_* is the runtime of each Go program.
NOISE = "(ray_.*_bucket|go_.*|minio_(audit|notify|node_replication|cluster_webhook|node_ilm)_.*|promhttp_.*)"
# What a target may tell: rules believe the names of services' own figures, and a node runs anybody's code.
NAMES = {
    "load-balancer": "haproxy_.*",
    **dict.fromkeys(("object-store", "object-store-cluster"), "minio_.*"),
    **dict.fromkeys(WITH_JOBS, "(ray|process|python)_.*"),
    "alertmanager": "(alertmanager|process)_.*",
}
# Where one target tells of several services, whose label would else be that of the target: the files that
# services left, each of which names its own service alone (take-readings), and each store node, which knows
# of all.
SPOKEN_FOR: dict[str, list[dict[str, Any]]] = {
    "host": [
        {"source_labels": ["exported_service"], "regex": "(.+)", "target_label": "service"},
        {"regex": "exported_service", "action": "labeldrop"},
    ],
    "object-store-cluster": [
        {
            "source_labels": ["__name__", "server"],
            "regex": "minio_node_[^;]*;(object-store-[0-9]+):[0-9]+",
            "target_label": "service",
        }
    ],
}


def configuration(plan: Plan) -> str:
    """The scrape configuration of a stack, JSON, which is YAML as well."""
    services = {role: plan.by_role(role) for role in ("load-balancer", "object-store", "ray-head", "compute")}
    store = {"authorization": {"type": "Bearer", "credentials_file": f"{FILES_DIR}/object-store-token"}}
    jobs = [
        _job("load-balancer", services["load-balancer"], LB_METRICS, name="load-balancer"),
        _job(
            "object-store",
            services["object-store"],
            MINIO,
            name=ALIAS,
            more={**store, "metrics_path": "/minio/v2/metrics/node"},
        ),
        # What the store as a whole knows: each node tells it, in case one is away.
        _job(
            "object-store-cluster",
            services["object-store"],
            MINIO,
            name=ALIAS,
            more={**store, "metrics_path": "/minio/v2/metrics/cluster", "scrape_interval": "60s"},
        ),
        _job("ray-head", services["ray-head"], RAY_METRICS),
        _job("ray-dashboard", services["ray-head"], RAY_DASHBOARD_METRICS),
        _job("compute", services["compute"], RAY_METRICS),
        {
            "job_name": "metrics",
            **_tls("localhost"),
            "basic_auth": {"username": VIEWER, "password_file": f"{FILES_DIR}/password"},
            "static_configs": [_target(f"localhost:{METRICS}", "metrics")],
        },
        _job(
            "alertmanager",
            plan.by_role("alerts"),
            ALERTMANAGER,
            name="alerts",
            more={
                "basic_auth": {
                    "username": receivers.USER,
                    "password_file": f"{FILES_DIR}/alerts-password",
                }
            },
        ),
        {"job_name": "alerts", "static_configs": [_target(f"127.0.0.1:{ALERTS}", "metrics")]},
        {"job_name": "host", "static_configs": [_target(f"127.0.0.1:{NODE_EXPORTER}", "host")]},
    ]
    drop: list[dict[str, Any]] = [{"source_labels": ["__name__"], "regex": NOISE, "action": "drop"}]
    # An outside store is none of ours: its figures are its owner's.
    jobs = [job for job in jobs if not (plan.store.is_outside and job["job_name"].startswith("object-store"))]
    speaking = sum(len(job["static_configs"]) for job in jobs if job["job_name"] in WITH_JOBS)
    share = min(MOST, max(LEAST, DAILY // 2 // speaking))
    for job in jobs:
        name = str(job["job_name"])
        job |= {
            "series_limit": share if name in WITH_JOBS else MOST,
            "max_scrape_size": LARGEST,
            "stream_parse": True,
        }
        keep = (
            [{"source_labels": ["__name__"], "regex": NAMES[name], "action": "keep"}] if name in NAMES else []
        )
        job["metric_relabel_configs"] = keep + drop + SPOKEN_FOR.get(name, [])
    general = {"scrape_interval": f"{INTERVAL}s", "scrape_timeout": "10s", "sample_limit": MOST}
    return json.dumps({"global": general, "scrape_configs": jobs}, indent=1) + "\n"


def certificates(generations: Generations) -> str:
    """When the stack's certificates expire, as a file of readings.

    As declared: each rotation proves that the services show them.
    """
    days = {
        "certificates": (generations.renewed, LEAF_DAYS),
        "authority": (generations.issued, CA_YEARS * 365 * generations.of("authority")),
    }
    lines = []
    for name, (start, valid) in days.items():
        end = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=valid)
        lines.append(f'{EXPIRES}{{certificate="{name}"}} {end.timestamp():.0f}\n')
    return "".join(lines)


def _job(
    job: str,
    services: Sequence[Service],
    port: int,
    *,
    name: str | None = None,
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One job over `services`; with `name`, over TLS with that name in the certificate."""
    return {
        "job_name": job,
        **(_tls(name) if name else {}),
        **(more or {}),
        "static_configs": [_target(f"{_address(s, port)}:{port}", s.name) for s in services],
    }


def _address(service: Service, port: int) -> str:
    """Where the flow table lets the metrics server ask it."""
    allowed = (f for f in FLOWS if (f.source, f.destination, f.port) == (ROLE, service.role, port))
    return service.addresses[next(allowed).segment]


def _target(address: str, service: str) -> dict[str, Any]:
    return {"targets": [address], "labels": {"instance": service, "service": service}}


def _tls(name: str) -> dict[str, Any]:
    return {"scheme": "https", "tls_config": {"ca_file": f"{FILES_DIR}/ca.crt", "server_name": name}}
