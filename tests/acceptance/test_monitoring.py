"""Monitoring: figures of every service, a page that changes nothing, and an alert that is caused."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import requests
import testinfra

from components.monitoring.panels import DASHBOARDS
from components.monitoring.readings import ALLOWED
from components.monitoring.rules import STARTED
from components.planning.flows import DATABASE
from components.planning.inventory import Inventory
from operations.polling import poll
from tests.acceptance.conftest import ROOT, STACK

# These are seen by others alone: the load balancer's check of tracking, the backup that writes to the vault.
SEEN_BY_OTHERS = {"tracking", "vault"}
# Told by the metrics service of the machine.
MACHINE = "host"
# A reading, a scrape and an evaluation, each half a minute apart, and what a busy machine adds.
TOLD_WITHIN = 180


@pytest.fixture(scope="module")
def page(inventory: Inventory) -> str:
    return str(inventory.endpoints["monitoring"])


def ask(viewer: requests.Session, page: str, query: str) -> list[dict[str, Any]]:
    answer = viewer.get(f"{page}/prometheus/api/v1/query", params={"query": query}, timeout=30)
    assert answer.status_code == 200, answer.text[:300]
    return list(answer.json()["data"]["result"])


def test_every_service_tells_its_figures(viewer: requests.Session, page: str, inventory: Inventory) -> None:
    declared = {service.name for service in inventory.services if not service.role.endswith("-setup")}
    query = (
        "min(last_over_time(up[1m])) by (service) == 1 "
        'or label_replace(max(time() - node_textfile_mtime_seconds{file=~"/readings/.+"}) by (file) < 120,'
        ' "service", "$1", "file", "/readings/.+/(.+)[.]prom")'
    )
    missing = declared - SEEN_BY_OTHERS

    def told() -> bool:
        found = {row["metric"]["service"] for row in ask(viewer, page, query)}
        missing.difference_update(found)
        return not missing and MACHINE in found

    assert poll(told, TOLD_WITHIN, 2.0), f"no figures of {missing}"


def test_the_database_tells_what_it_counts(viewer: requests.Session, page: str) -> None:
    names = [name for name in ALLOWED["database"] if name.startswith("aidc_database_")]
    query = 'count({__name__=~"aidc_database_.+"}) by (__name__)'

    def told() -> list[str]:
        return sorted(row["metric"]["__name__"] for row in ask(viewer, page, query))

    assert poll(told, TOLD_WITHIN, 2.0, until=lambda found: found == sorted(names)) == sorted(names)
    assert ask(viewer, page, 'sum(aidc_database_transactions_total{result="commit"}) > 0')
    assert ask(viewer, page, 'aidc_database_size_bytes{database="tracking"} > 1e6')


def test_the_machine_and_the_certificates_are_told(viewer: requests.Session, page: str) -> None:
    assert ask(viewer, page, 'node_filesystem_size_bytes{mountpoint="/data"} > 0')
    assert ask(viewer, page, "aidc_certificate_expires_timestamp_seconds - time() > 0")


def test_each_service_has_the_time_of_its_own_start(viewer: requests.Session, page: str) -> None:
    """Also where another tells it: the files of services, and the store's nodes, which know of each other."""
    query = f"count(max({STARTED}) by (service, __name__)) by (service)"
    stores = "count(max(minio_node_process_starttime_seconds) by (service, server)) by (service)"

    def told() -> bool:
        found = {row["metric"]["service"]: row["value"][1] for row in ask(viewer, page, query)}
        return set(ALLOWED) <= set(found) and MACHINE not in found and set(found.values()) == {"1"}

    assert poll(told, TOLD_WITHIN, 2.0), ask(viewer, page, query)
    assert {row["value"][1] for row in ask(viewer, page, stores)} == {"1"}


def test_every_dashboard_is_on_the_page(viewer: requests.Session, page: str) -> None:
    found = viewer.get(f"{page}/vmui/custom-dashboards", timeout=30).json()["dashboardsSettings"]
    assert [board["title"] for board in found] == [board.title for board in DASHBOARDS]


@pytest.mark.parametrize("login", [None, ("viewer", ""), ("viewer", "wrong"), ("admin", "wrong")], ids=str)
def test_without_the_password_nothing_is_shown(
    page: str, ca_file: str, login: tuple[str, str] | None
) -> None:
    for path in ("/", "/vmui/", "/prometheus/api/v1/query?query=up", "/health", "/metrics"):
        answer = requests.get(page + path, auth=login, verify=ca_file, timeout=30)
        assert answer.status_code == 401, path
        assert "up" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/import/prometheus", "/prometheus/api/v1/write", "/api/v1/admin/tsdb/delete_series",
        "/internal/force_flush", "/internal/resetRollupResultCache", "/snapshot/create", "/-/reload",
        "/flags", "/config", "/debug/pprof/heap", "/metrics", "/api/v1/export?match[]=up", "/targets",
        "/federate?match[]=up", "/vmui/../metrics", "/vmui/%2e%2e/metrics", "/vmui/%2E./flags", "//metrics",
        "/prometheus/../flags", "/vmalert/-/reload", "/api/v1/targets", "/prometheus/api/v1/%71uery?query=up",
    ],
)  # fmt: skip
def test_who_looks_changes_nothing(viewer: requests.Session, page: str, ca_file: str, path: str) -> None:
    request = viewer.prepare_request(requests.Request("GET", page))
    request.url = page + path  # as it is: requests would resolve the dots
    assert viewer.send(request, timeout=30, verify=ca_file).status_code in (400, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_reading_methods_are_let_through(viewer: requests.Session, page: str, method: str) -> None:
    for path in ("/vmui/", "/prometheus/api/v1/series", "/api/v1/write", "/prometheus/vmalert/api/v1/rules"):
        assert viewer.request(method, page + path, timeout=30).status_code == 405, path


def test_the_page_asks_by_post_as_it_does(viewer: requests.Session, page: str) -> None:
    """vmui sends each query of a panel as a form."""
    for path in ("/prometheus/api/v1/query", "/prometheus/api/v1/query_range"):
        answer = viewer.post(page + path, data={"query": "sum(up)", "step": "30s"}, timeout=30)
        assert answer.status_code == 200, answer.text[:300]
        assert answer.json()["data"]["result"], path
    too_long = viewer.post(f"{page}/prometheus/api/v1/query", data={"query": "1+" * 40_000 + "1"}, timeout=30)
    assert too_long.status_code == 413
    assert viewer.put(f"{page}/prometheus/api/v1/query", timeout=30).status_code == 405


def test_refused_packets_are_counted_and_raise_an_alert(
    viewer: requests.Session, page: str, inventory: Inventory
) -> None:
    """From the metrics service to the database, which no flow declares, in a segment that both are in."""
    counted = "sum(aidc_firewall_refused_packets_total)"
    before = float(ask(viewer, page, counted)[0]["value"][1])
    database = inventory.by_role("database")[0].addresses["storage"]
    metrics = testinfra.get_host(f"docker://{inventory.by_role('metrics')[0].container}")
    sent = 150
    script = f"for ((i = 0; i < {sent}; i++)); do echo x >/dev/udp/{database}/{DATABASE} || true; done"
    assert metrics.run("bash -c %s", script).rc == 0

    def grown() -> bool:
        return float(ask(viewer, page, counted)[0]["value"][1]) >= before + sent

    assert poll(grown, TOLD_WITHIN, 2.0)
    command = [sys.executable, "-m", "operations", "alerts", "--json", "--stack", STACK]

    def fires() -> bool:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        found = {alert["name"]: alert for alert in json.loads(done.stdout)["alerts"]}
        alert = found.get("TrafficRefused", {"state": "inactive"})
        return bool(alert["state"] == "firing" and done.returncode == 1)

    assert poll(fires, TOLD_WITHIN, 2.0)
    shown = viewer.get(f"{page}/prometheus/vmalert/api/v1/alerts", timeout=30).json()["data"]["alerts"]
    assert "TrafficRefused" in {alert["name"] for alert in shown if alert["state"] == "firing"}
