"""What is read, shown and told: each target is a declared flow, and each alert has a runbook."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from components.monitoring import dashboards, rules, scrape
from components.planning.config import StackConfig
from components.planning.flows import FLOWS
from components.planning.monitoring import LOOKED_AT, token
from components.planning.paths import ROOT
from components.planning.pki import LEAF_DAYS
from components.planning.plan import make_plan
from components.planning.rotation import Generations
from components.planning.validation import load

PLAN = make_plan("dev", StackConfig())
CACHE = Path(os.environ.get("AIDC_CACHE") or Path.home() / ".cache/aidc")
SERVER = shutil.which("victoria-metrics", path=f"{CACHE}/bin")
VMALERT = shutil.which("vmalert", path=f"{CACHE}/bin")


def targets() -> set[str]:
    jobs = json.loads(scrape.configuration(PLAN))["scrape_configs"]
    found = (target for job in jobs for entry in job["static_configs"] for target in entry["targets"])
    return {target for target in found if not target.startswith(("localhost:", "127.0.0.1:"))}


def relabelled(job: str, labels: dict[str, str]) -> dict[str, str]:
    """What is kept of a line that `job` has read, as Prometheus defines it."""
    (found,) = (j for j in json.loads(scrape.configuration(PLAN))["scrape_configs"] if j["job_name"] == job)
    kept = dict(labels)
    for rule in found["metric_relabel_configs"]:
        value = ";".join(kept.get(name, "") for name in rule.get("source_labels", ()))
        match = re.fullmatch(rule["regex"], value)
        if rule.get("action") == "labeldrop":
            kept = {name: value for name, value in kept.items() if not re.fullmatch(rule["regex"], name)}
        elif rule.get("action") in ("drop", "keep"):
            kept = kept if bool(match) == (rule["action"] == "keep") else {}
        elif match:
            kept[rule["target_label"]] = match.group(1)
    return kept


def test_the_metrics_server_asks_exactly_where_the_flow_table_lets_it() -> None:
    flows = [flow for flow in FLOWS if flow.source == scrape.ROLE]
    allowed = {
        f"{service.addresses[flow.segment]}:{flow.port}"
        for flow in flows
        for service in PLAN.by_role(flow.destination)
    }
    assert targets() == allowed


@pytest.mark.parametrize(
    ("job", "told", "service"),
    [
        ("host", {"exported_service": "logs", "service": "host"}, "logs"),
        ("host", {"service": "host"}, "host"),
        (
            "object-store-cluster",
            {
                "__name__": "minio_node_process_starttime_seconds",
                "server": "object-store-2:9000",
                "service": "object-store-1",
            },
            "object-store-2",
        ),
        # Of the store as a whole, and what would speak for another service.
        (
            "object-store-cluster",
            {
                "__name__": "minio_cluster_x",
                "server": "object-store-2:9000",
                "service": "object-store-1",
            },
            "object-store-1",
        ),
        (
            "object-store-cluster",
            {
                "__name__": "minio_node_process_starttime_seconds",
                "server": "database:9000",
                "service": "object-store-1",
            },
            "object-store-1",
        ),
    ],
)
def test_a_figure_is_that_of_the_service_it_is_about(job: str, told: dict[str, str], service: str) -> None:
    assert relabelled(job, told)["service"] == service
    assert "exported_service" not in relabelled(job, told)


@pytest.mark.parametrize(
    ("job", "name", "taken"),
    [
        ("compute", "ray_actors", True),
        ("compute", "process_start_time_seconds", True),
        ("compute", "aidc_backup_state", False),
        ("compute", "ray_x_bucket", False),
        ("ray-head", "haproxy_server_status", False),
        ("ray-dashboard", "node_filesystem_avail_bytes", False),
        ("object-store", "aidc_prune_ok", False),
        ("object-store-cluster", "minio_cluster_drive_offline_total", True),
        ("load-balancer", "minio_cluster_drive_offline_total", False),
        ("load-balancer", "haproxy_server_status", True),
        ("alertmanager", "alertmanager_notifications_failed_total", True),
        ("alertmanager", "process_start_time_seconds", True),
        ("alertmanager", "aidc_backup_state", False),
        ("host", "aidc_prune_ok", True),
    ],
)
def test_a_target_tells_only_figures_of_its_own_kind(job: str, name: str, taken: bool) -> None:
    assert bool(relabelled(job, {"__name__": name, "service": "x"})) == taken


def test_whoever_is_asked_in_another_container_is_kept_to_figures_of_its_own_kind() -> None:
    jobs = json.loads(scrape.configuration(PLAN))["scrape_configs"]
    free = {
        job["job_name"]
        for job in jobs
        if not any(rule.get("action") == "keep" for rule in job["metric_relabel_configs"])
    }
    asked = {job["job_name"] for job in jobs for entry in job["static_configs"] for t in entry["targets"]
             if not t.startswith(("localhost:", "127.0.0.1:"))}  # fmt: skip
    assert not free & asked


@pytest.mark.parametrize(("nodes", "share"), [(1, 20_000), (2, 20_000), (14, 6_250), (64, 3_000)])
def test_new_series_of_nodes_do_not_use_up_those_of_a_day(nodes: int, share: int) -> None:
    computing = {"nodes": [{"name": f"n{i}", "cpus": 0.5} for i in range(nodes)]}
    plan = make_plan("dev", load({"compute": computing}, "dev"))
    jobs = json.loads(scrape.configuration(plan))["scrape_configs"]
    limits = {job["job_name"]: job["series_limit"] for job in jobs}
    told = [limits[job["job_name"]] for job in jobs if job["job_name"] in scrape.WITH_JOBS
            for _ in job["static_configs"]]  # fmt: skip
    assert set(told) == {share}
    assert sum(told) < scrape.DAILY
    assert limits["host"] == limits["object-store"] == scrape.MOST
    script = (ROOT / "images/metrics/metrics-server").read_text()
    assert f"-storage.maxDailySeries={scrape.DAILY}" in script


def test_every_reading_is_bounded_and_taken_apart_piece_by_piece() -> None:
    """A whole answer in lines of a few bytes takes eighty times its size."""
    asked = json.loads(scrape.configuration(PLAN))
    assert asked["global"]["sample_limit"] == scrape.MOST
    for job in asked["scrape_configs"]:
        assert (job["max_scrape_size"], job["stream_parse"]) == (scrape.LARGEST, True), job["job_name"]


@pytest.mark.skipif(SERVER is None, reason="victoria-metrics is not built: make setup")
def test_the_server_takes_the_scrape_configuration(tmp_path: Path) -> None:
    file = tmp_path / "scrape.yaml"
    # What the container has as files is not here.
    file.write_text(scrape.configuration(PLAN))
    command = [str(SERVER), "-promscrape.config.dryRun", f"-promscrape.config={file}", "-loggerLevel=ERROR"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    """With those that only some stacks have."""
    hook = {"endpoint": "https://hooks.example.org", "addresses": ["203.0.113.7"]}
    told = {"monitoring": {"alerts": {"webhook": hook, "alive_minutes": 5}}}
    text = (ROOT / rules.RUNBOOKS).read_text()
    names = [rule.name for rule in rules.rules(make_plan("dev", StackConfig.model_validate(told)))]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == names


@pytest.mark.skipif(VMALERT is None, reason="vmalert is not built: make setup")
def test_vmalert_takes_the_rules(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(rules.configuration(PLAN))
    done = subprocess.run(
        [str(VMALERT), "-dryRun", f"-rule={file}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_dashboards_fill_their_rows() -> None:
    for content in dashboards.files().values():
        for row in json.loads(content)["rows"]:
            assert sum(panel["width"] for panel in row["panels"]) % 12 == 0, row["title"]


@pytest.mark.parametrize(
    "path",
    [
        "/vmui/",
        "/prometheus/api/v1/query_range",
        "/api/v1/label/job/values",
        "/prometheus/vmalert/api/v1/rules",
    ],
)
def test_what_the_page_needs_is_let_through(path: str) -> None:
    assert re.match(LOOKED_AT, path)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/write", "/api/v1/import", "/api/v1/export", "/api/v1/admin/tsdb/delete_series", "/metrics",
        "/internal/force_merge", "/debug/pprof/", "/snapshot/create", "/-/reload", "/vmalert/-/reload",
        "/config", "/flags", "/federate", "/api/v1/%71uery", "/graphite/render", "/prometheus/api/v1/read",
    ],
)  # fmt: skip
def test_nothing_else_is(path: str) -> None:
    assert not re.match(LOOKED_AT, path)


def test_the_token_names_its_owner_and_changes_with_the_key() -> None:
    one, other = token("ID", "key"), token("ID", "another")
    assert one.count(".") == 2
    assert one.rpartition(".")[0] == other.rpartition(".")[0]
    assert one != other


def test_certificates_expire_as_declared() -> None:
    renewed = date(2026, 1, 1)
    text = scrape.certificates(Generations(renewed, renewed))
    (line,) = [line for line in text.splitlines() if 'certificate="certificates"' in line]
    end = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=LEAF_DAYS)
    assert float(line.split()[-1]) == end.timestamp()
