"""Each alert fires on the figures that it is for, after its time, and not on those beside them.

vmalert-tool evaluates the very rules of the stack over made-up series: what it must say is written out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmark.core import advance
from components.monitoring import rules
from components.planning.config import StackConfig
from components.planning.plan import make_plan

PLAN = make_plan("dev", StackConfig())
RULES = {rule.name: rule for rule in rules.rules(PLAN)}
CACHE = Path(os.environ.get("AIDC_CACHE") or Path.home() / ".cache/aidc")
TOOL = shutil.which("vmalert-tool", path=f"{CACHE}/bin")
VAULT = PLAN.config.backup.vault_capacity
LOGS_STARTED = 'aidc_service_started_timestamp_seconds{service="logs"}'


@dataclass(frozen=True)
class Case:
    """Series as promtool writes them, one value each half minute; `summary` None: the alert must not fire.

    `at` is when it is asked, in minutes.
    """

    alert: str
    what: str
    series: dict[str, str]
    at: int
    summary: str | None = None
    labels: dict[str, str] = field(default_factory=dict)


def flat(value: float, minutes: int = 180) -> str:
    return f"{value}x{minutes * 2}"


def disk(free: float) -> dict[str, str]:
    return {
        'node_filesystem_avail_bytes{mountpoint="/data"}': flat(free),
        'node_filesystem_size_bytes{mountpoint="/data"}': flat(100),
    }


def answers(bad: int, good: int) -> dict[str, str]:
    name = "haproxy_backend_http_responses_total"
    return {
        f'{name}{{job="load-balancer",proxy="s3",code="5xx"}}': f"0+{bad}x60",
        f'{name}{{job="load-balancer",proxy="s3",code="2xx"}}': f"0+{good}x60",
    }


def state(name: str, value: str, job: str = "") -> dict[str, str]:
    of = f'exported_job="{job}",' if job else ""
    return {f'{name}{{{of}state="{value}"}}': flat(1), f'{name}{{{of}state="ok"}}': flat(0)}


def given_up(receiver: str, integration: str) -> str:
    labels = f'job="alertmanager",receiver_name="{receiver}",integration="{integration}",reason="other"'
    return f"alertmanager_notifications_failed_total{{{labels}}}"


def told(up: int, samples: int = 0) -> dict[str, str]:
    """What the reader says of a reading of a node: whether it was taken, and how many samples it had."""
    of = '{job="compute",service="compute-node1"}'
    return {f"up{of}": flat(up), f"scrape_samples_scraped{of}": flat(samples)}


def advanced(training: str, node: int = 1, job: str = "compute") -> str:
    return f'ray_{advance.METRIC}{{job="{job}",service="compute-node{node}",training="{training}"}}'


DROPPED = 'scrape_series_limit_samples_dropped{job="compute",service="compute-node1"}'
TOO_LARGE = 'vm_promscrape_max_scrape_size_exceeded_errors_total{job="metrics",service="metrics"}'
IGNORED = 'vm_rows_ignored_total{job="metrics",service="metrics",reason="too_many_labels"}'
STARTED = 'aidc_service_started_timestamp_seconds{service="backup"}'
SERVER = 'haproxy_server_status{job="load-balancer",proxy="s3",server="object-store-1",state="UP"}'
STORE = {'minio_cluster_capacity_usable_total_bytes{job="object-store-cluster"}': flat(100)}
FAILING = "aidc_archive_failing_since_timestamp_seconds"
# Where the tool's clock begins: 2000-01-01.
BEGIN = 946684800
CASES = (
    Case(
        "DatabaseDamaged",
        "a block",
        {"aidc_database_checksum_failures_total": flat(2)},
        1,
        "2 blocks of the database did not have the checksum that was written with them",
    ),
    Case("DatabaseDamaged", "none", {"aidc_database_checksum_failures_total": flat(0)}, 60),
    Case(
        "DatabaseSessionsAlmostUsedUp",
        "nearly all",
        {
            'aidc_database_sessions{state="idle"}': flat(90),
            'aidc_database_sessions{state="active"}': flat(5),
            "aidc_database_sessions_limit": flat(100),
        },
        6,
        "95 sessions are open: soon nobody can connect",
    ),
    Case(
        "DatabaseSessionsAlmostUsedUp",
        "many",
        {'aidc_database_sessions{state="idle"}': flat(90), "aidc_database_sessions_limit": flat(100)},
        60,
    ),
    Case(
        "DatabaseTransactionOpen",
        "for long",
        {"aidc_database_oldest_transaction_seconds": flat(7200)},
        1,
        "a transaction has been open for 2h 0m 0s: newer dead rows stay",
    ),
    Case(
        "DatabaseTransactionOpen", "for a while", {"aidc_database_oldest_transaction_seconds": flat(3000)}, 60
    ),
    Case(
        "ServiceDown",
        "down",
        {'up{service="database"}': flat(0)},
        4,
        "database does not tell its metrics",
        {"service": "database"},
    ),
    Case(
        "ServiceDown",
        "asked by two jobs: one alert",
        {
            f'up{{job="{job}",instance="object-store-4",service="object-store-4"}}': flat(0)
            for job in ("object-store", "object-store-cluster")
        },
        4,
        "object-store-4 does not tell its metrics",
        {"service": "object-store-4"},
    ),
    Case(
        "ServiceDown",
        "answers one of two jobs",
        {
            'up{job="ray-head",service="ray-head"}': flat(1),
            'up{job="ray-dashboard",service="ray-head"}': flat(0),
        },
        4,
        "ray-head does not tell its metrics",
        {"service": "ray-head"},
    ),
    Case("ServiceDown", "just now", {'up{service="database"}': flat(0)}, 2),
    Case("ServiceDown", "up", {'up{service="database"}': flat(1)}, 60),
    Case(
        "BackendDown",
        "down",
        {SERVER: flat(0)},
        3,
        "the load balancer finds no answer at object-store-1 (s3)",
        {"proxy": "s3", "server": "object-store-1"},
    ),
    Case(
        "BackendDown",
        "and another service says that it is up",
        {SERVER: flat(0), SERVER.replace("load-balancer", "host"): flat(1)},
        3,
        "the load balancer finds no answer at object-store-1 (s3)",
        {"proxy": "s3", "server": "object-store-1"},
    ),
    Case(
        "ReadingsStale",
        "and another service says that they are new",
        {
            'node_textfile_mtime_seconds{file="/readings/backup/backup.prom"}': flat(BEGIN + 60),
            'node_textfile_mtime_seconds{file="/readings/backup/backup.prom",x="1"}': f"{BEGIN}+30x400",
        },
        9,
        "no figures in /readings/backup/backup.prom for 8m 0s: that service hangs, or is stopped",
        {"file": "/readings/backup/backup.prom"},
    ),
    Case("BackendDown", "up", {SERVER: flat(1)}, 60),
    Case(
        "BackendDown",
        "a node without a model",
        {'haproxy_server_status{job="load-balancer",proxy="inference",server="node1",state="UP"}': flat(0)},
        60,
    ),
    Case(
        "RestartLoop",
        "three",
        {STARTED: "1x10 200x10 400x10 600x10 600x20"},
        20,
        "backup was restarted 3 times within half an hour",
        {"service": "backup"},
    ),
    Case("RestartLoop", "two", {STARTED: "1x10 200x10 400x20"}, 20),
    Case(
        "RestartLoop",
        "three of a store node, which all nodes tell: one alert",
        {
            f'minio_node_process_starttime_seconds{{instance="{teller}",service="object-store-1"}}': (
                "1x10 200x10 400x10 600x10 600x20"
            )
            for teller in (1, 2, 3, 4)
        },
        20,
        "object-store-1 was restarted 3 times within half an hour",
        {"service": "object-store-1"},
    ),
    Case(
        "RestartLoop",
        "two of a service with two programs, the second a second later",
        {
            'process_start_time_seconds{job="metrics",service="metrics"}': "1x10 200x10 400x20",
            'process_start_time_seconds{job="alerts",service="metrics"}': "2x11 201x10 401x20",
        },
        20,
    ),
    Case(
        "RestartLoop",
        "a service that tells the same under two names",
        {
            STARTED: "1x10 200x10 400x10 600x10 600x20",
            STARTED.replace("aidc_service_started_timestamp", "process_start_time"): flat(1),
        },
        20,
        "backup was restarted 3 times within half an hour",
        {"service": "backup"},
    ),
    Case(
        "ReadingsStale",
        "old",
        {'node_textfile_mtime_seconds{file="/readings/backup/backup.prom"}': flat(BEGIN + 60)},
        9,
        "no figures in /readings/backup/backup.prom for 8m 0s: that service hangs, or is stopped",
        {"file": "/readings/backup/backup.prom"},
    ),
    Case(
        "ReadingsStale",
        "new",
        {'node_textfile_mtime_seconds{file="/readings/backup/backup.prom"}': f"{BEGIN}+30x400"},
        60,
    ),
    Case(
        "ReadingsStale",
        "written once",
        {'node_textfile_mtime_seconds{file="/etc/aidc/readings/x.prom"}': flat(0)},
        60,
    ),
    *(
        Case(
            "FiguresLeftOut",
            what,
            series,
            6,
            f"figures of {service} are left out: they are too many, or too long",
            {"service": service},
        )
        for what, service, series in (
            ("new series beyond the day's", "compute-node1", {**told(1), DROPPED: flat(7)}),
            ("more samples than may be", "compute-node1", told(0, 25_000)),
            ("an answer that is too large", "compute-node1", {**told(0), TOO_LARGE: "0+1x60"}),
            ("a label that is too long", "metrics", {**told(1, 100), IGNORED: "0+1x60"}),
            (
                "more of all than in a day",
                "metrics",
                {**told(1, 100), IGNORED.replace("too_many_labels", "daily_limit_exceeded"): "0+1x60"},
            ),
        )
    ),
    *(
        Case("FiguresLeftOut", what, series, 60)
        for what, series in (
            ("all are taken", {**told(1, 19_000), DROPPED: flat(0), TOO_LARGE: flat(0), IGNORED: flat(0)}),
            ("a service that is away", {**told(0), TOO_LARGE: flat(3)}),
            ("told by another", {**told(0), TOO_LARGE.replace("metrics", "host"): "0+1x200"}),
            ("a sample from the past", {IGNORED.replace("too_many_labels", "small_timestamp"): "0+1x200"}),
        )
    ),
    Case("DiskAlmostFull", "full", disk(9), 6, "the engine's disk has 9% left"),
    Case("DiskAlmostFull", "not yet", disk(11), 60),
    Case(
        "MemoryAlmostUsedUp",
        "used up",
        {"node_memory_MemAvailable_bytes": flat(4), "node_memory_MemTotal_bytes": flat(100)},
        11,
        "the machine has 4% of its memory left",
    ),
    Case(
        "MemoryAlmostUsedUp",
        "not yet",
        {"node_memory_MemAvailable_bytes": flat(6), "node_memory_MemTotal_bytes": flat(100)},
        60,
    ),
    Case(
        "CertificateExpires",
        "soon",
        {'aidc_certificate_expires_timestamp_seconds{certificate="certificates"}': flat(BEGIN + 86400 + 60)},
        1,
        "certificates expires in 1d 0h 0m 0s",
        {"certificate": "certificates"},
    ),
    Case(
        "CertificateExpires",
        "not yet",
        {'aidc_certificate_expires_timestamp_seconds{certificate="certificates"}': flat(BEGIN + 30 * 86400)},
        60,
    ),
    *(
        Case(
            "BackupFailed",
            value,
            state("aidc_backup_state", value, "nightly"),
            11,
            f"the newest backup of nightly is {value}",
            {"state": value, "exported_job": "nightly"},
        )
        for value in ("failed", "late")
    ),
    Case(
        "BackupFailed",
        "ok",
        {'aidc_backup_state{state="ok"}': flat(1), 'aidc_backup_state{state="failed"}': flat(0)},
        60,
    ),
    Case(
        "BackupPartial",
        "partial",
        state("aidc_backup_state", "partial", "nightly"),
        31,
        "the backup of nightly cannot read everything",
        {"state": "partial", "exported_job": "nightly"},
    ),
    Case("BackupPartial", "not for long", state("aidc_backup_state", "partial"), 29),
    Case("PruneFailed", "failed", {"aidc_prune_ok": flat(0)}, 11, "snapshots cannot be pruned"),
    Case("PruneFailed", "ok", {"aidc_prune_ok": flat(1)}, 60),
    Case(
        "VaultAlmostFull",
        "full",
        {"aidc_backup_vault_bytes": flat(VAULT // 10 * 9 + 2**30)},
        11,
        f"the vault holds {(VAULT // 10 * 9 + 2**30) / 2**30:.4g}GiB",
    ),
    Case("VaultAlmostFull", "not yet", {"aidc_backup_vault_bytes": flat(VAULT // 2)}, 60),
    *(
        Case(
            "DrillFailed",
            value,
            state("aidc_drill_state", value),
            1,
            f"the newest restore drill is {value}",
            {"state": value},
        )
        for value in ("failed", "stale")
    ),
    Case("DrillFailed", "waiting", state("aidc_drill_state", "waiting"), 60),
    Case(
        "ArchiveFails",
        "push",
        {f'{FAILING}{{what="push"}}': flat(1)},
        6,
        "the database's log is not archived (push)",
        {"what": "push"},
    ),
    Case("ArchiveFails", "works", {f'{FAILING}{{what="push"}}': flat(0)}, 60),
    Case(
        "BaseBackupFails",
        "backup",
        {f'{FAILING}{{what="backup"}}': flat(1)},
        61,
        "the database's archive has a fault (backup)",
        {"what": "backup"},
    ),
    Case("BaseBackupFails", "the log is another alert's", {f'{FAILING}{{what="push"}}': flat(1)}, 120),
    Case(
        "DriveOffline",
        "one",
        {'minio_cluster_drive_offline_total{job="object-store-cluster"}': flat(1)},
        6,
        "1 drives of the object store are offline",
    ),
    Case(
        "DriveOffline", "none", {'minio_cluster_drive_offline_total{job="object-store-cluster"}': flat(0)}, 60
    ),
    Case(
        "StoreHeals",
        "an hour",
        {'minio_cluster_health_erasure_set_healing_drives{job="object-store-cluster"}': flat(2)},
        61,
        "2 drives of the object store have been healing for an hour",
    ),
    Case(
        "StoreHeals",
        "shorter",
        {'minio_cluster_health_erasure_set_healing_drives{job="object-store-cluster"}': flat(2)},
        50,
    ),
    Case(
        "StoreAlmostFull",
        "full",
        {**STORE, 'minio_cluster_capacity_usable_free_bytes{job="object-store-cluster"}': flat(9)},
        11,
        "the object store has 9% left",
    ),
    Case(
        "StoreAlmostFull",
        "not yet",
        {**STORE, 'minio_cluster_capacity_usable_free_bytes{job="object-store-cluster"}': flat(11)},
        60,
    ),
    Case(
        "ManyErrors", "a tenth", answers(10, 90), 15, "10% of the answers of s3 are errors", {"proxy": "s3"}
    ),
    Case("ManyErrors", "few", answers(1, 99), 30),
    Case("ManyErrors", "of hardly any", answers(1, 0), 30),
    Case(
        "TrainingStalled",
        "none of two ranks advances",
        {advanced("a", 1): flat(BEGIN), advanced("a", 2): flat(BEGIN + 60)},
        17,
        "1 trainings have not advanced for a quarter of an hour",
    ),
    Case(
        "TrainingStalled",
        "not for long",
        {advanced("a", 1): flat(BEGIN), advanced("a", 2): flat(BEGIN + 60)},
        15,
    ),
    Case(
        "TrainingStalled",
        "beside others that advance",
        {advanced("a"): flat(BEGIN), advanced("b"): flat(BEGIN), advanced("c"): f"{BEGIN}+30x200"},
        17,
        "2 trainings have not advanced for a quarter of an hour",
    ),
    Case(
        "TrainingStalled",
        "one rank of two advances",
        {advanced("a", 1): flat(BEGIN), advanced("a", 2): f"{BEGIN}+30x200"},
        60,
    ),
    Case("TrainingStalled", "one that has ended", {advanced("a"): flat(BEGIN, 14)}, 60),
    Case(
        "TrainingStalled",
        "a node misses readings",
        {advanced("a"): f"{BEGIN}x30 _x3 {BEGIN}x60"},
        17,
        "1 trainings have not advanced for a quarter of an hour",
    ),
    Case("TrainingStalled", "told by another", {advanced("a", job="host"): flat(BEGIN)}, 60),
    Case(
        "SlowAnswers",
        "slow",
        {'haproxy_backend_response_time_average_seconds{job="load-balancer",proxy="inference"}': flat(1.5)},
        11,
        "inference answers after 1.5s on average",
    ),
    Case(
        "SlowAnswers",
        "another's",
        {'haproxy_backend_response_time_average_seconds{job="load-balancer",proxy="s3"}': flat(60)},
        60,
    ),
    Case(
        "TrafficRefused",
        "many",
        {'aidc_firewall_refused_packets_total{chain="forward"}': "0+50x40"},
        12,
        "the firewall refused 1000 packets (forward) within ten minutes",
        {"chain": "forward"},
    ),
    Case("TrafficRefused", "few", {'aidc_firewall_refused_packets_total{chain="forward"}': "0+1x40"}, 12),
    Case(
        "ReadingsRefused",
        "a pipe",
        {'aidc_readings_refused{job="host",source="backup",why="kind"}': flat(1)},
        3,
        "backup leaves figures that are not its own to tell (kind)",
        {"source": "backup", "why": "kind"},
    ),
    Case(
        "ReadingsRefused",
        "none",
        {'aidc_readings_refused{job="host",source="backup",why="kind"}': flat(0)},
        60,
    ),
    Case(
        "LogsSilent",
        "silent",
        {"aidc_logs_stored_lines_total": flat(9), LOGS_STARTED: flat(BEGIN)},
        80,
        "no line of any service was stored within an hour",
    ),
    Case("LogsSilent", "a line", {"aidc_logs_stored_lines_total": "0+1x400", LOGS_STARTED: flat(BEGIN)}, 80),
    Case("LogsSilent", "new", {"aidc_logs_stored_lines_total": flat(9), LOGS_STARTED: f"{BEGIN}+30x400"}, 80),
    Case(
        "LogsNotStored",
        "refused",
        {"aidc_logs_failed_batches_total": "0+1x60"},
        16,
        "lines cannot be stored: what comes now is lost as soon as the queues are full",
    ),
    Case(
        "LogsNotStored",
        "read-only",
        {"vl_storage_is_read_only": flat(1)},
        6,
        "lines cannot be stored: what comes now is lost as soon as the queues are full",
    ),
    Case("LogsNotStored", "stored", {"vl_storage_is_read_only": flat(0)}, 60),
    Case(
        "LogsLeftOut",
        "flood",
        {'aidc_logs_left_out_lines_total{source="drill",why="limited"}': "0+100x40"},
        12,
        "2000 lines of drill were left out within ten minutes: it writes too many",
        {"source": "drill"},
    ),
    Case("LogsLeftOut", "few", {'aidc_logs_left_out_lines_total{source="drill",why="full"}': "0+10x40"}, 12),
    Case(
        "LogsLost",
        "flood",
        {"aidc_logs_lost_datagrams_total": "0+100x40"},
        12,
        "2000 lines were lost before the collector could take them: a service floods the others",
    ),
    Case("LogsLost", "few", {"aidc_logs_lost_datagrams_total": "0+1x40"}, 12),
    Case(
        "AuditFailed",
        "failed",
        {"aidc_audit_failed": flat(1)},
        1,
        "the newest security audit found something that is not as declared",
    ),
    Case("AuditFailed", "passed", {"aidc_audit_failed": flat(0)}, 60),
    Case("AuditFailed", "failed, then passed", {"aidc_audit_failed": "1x20 0x20"}, 15),
    Case(
        "NodeRefused",
        "one of two",
        {
            'aidc_node_refused{node="compute-node1"}': flat(0),
            'aidc_node_refused{node="compute-node2"}': flat(1),
        },
        1,
        "compute-node2 did not pass its check: it gets no ranks",
        {"node": "compute-node2"},
    ),
    Case("NodeRefused", "passes or is waived", {'aidc_node_refused{node="compute-node1"}': flat(0)}, 60),
    Case(
        "NotificationsFail",
        "refused",
        {given_up("people", "webhook"): "0+1x20"},
        10,
        "webhook does not take alerts: nobody is told that way",
        {"integration": "webhook"},
    ),
    Case(
        "NotificationsFail",
        "a trial alone",
        {given_up("trial", "webhook"): "0+1x20"},
        10,
    ),
    Case(
        "NotificationsFail",
        "long ago",
        {given_up("people", "email"): "7x60"},
        20,
    ),
)


def document(case: Case, file: Path) -> dict[str, Any]:
    """The case as vmalert-tool reads it."""
    rule = RULES[case.alert]
    labels = {"severity": rule.severity, "stack": PLAN.stack, **case.labels}
    notes = {"summary": case.summary, "runbook": rule.runbook}
    fires = [{"exp_labels": labels, "exp_annotations": notes}] if case.summary else []
    asked = {"eval_time": f"{case.at}m", "alertname": case.alert, "groupname": "aidc", "exp_alerts": fires}
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    test = {"interval": "30s", "input_series": series, "alert_rule_test": [asked]}
    return {"rule_files": [str(file)], "evaluation_interval": "30s", "tests": [test]}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(rules.configuration(PLAN))
    return path


def judge(case: Case, file: Path, folder: Path) -> tuple[bool, str]:
    """Whether vmalert-tool finds what the case says, and its words. It ends with 0 either way."""
    asked = folder / "case.json"
    asked.write_text(json.dumps(document(case, file)))
    command = [str(TOOL), "unittest", f"-files={asked}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    said = done.stdout + done.stderr
    assert ("SUCCESS" in said) != ("FAILED" in said), said
    return "SUCCESS" in said, said


@pytest.mark.skipif(TOOL is None, reason="vmalert-tool is not built: make setup")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}-{case.what}")
def test_an_alert_fires_on_what_it_is_for_and_on_nothing_else(case: Case, file: Path, tmp_path: Path) -> None:
    right, said = judge(case, file, tmp_path)
    assert right, said


@pytest.mark.skipif(TOOL is None, reason="vmalert-tool is not built: make setup")
def test_the_tool_refuses_what_does_not_fire(file: Path, tmp_path: Path) -> None:
    """The judge itself: a quiet series that is said to fire."""
    wrong = Case(
        "ServiceDown", "up", {'up{service="x"}': flat(1)}, 60, "x does not tell its metrics", {"service": "x"}
    )
    assert not judge(wrong, file, tmp_path)[0]


@pytest.mark.parametrize("name", RULES)
def test_every_alert_has_a_case_that_fires_and_one_that_does_not(name: str) -> None:
    kinds = {case.summary is None for case in CASES if case.alert == name}
    assert kinds == {True, False}


def test_every_metric_of_the_stack_itself_is_one_that_it_tells() -> None:
    """The names that the rules use are those that the programs of the images print."""
    told = "".join(
        path.read_text(errors="ignore")
        for folder in ("images", "components/monitoring")
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name != "rules.py" and path.suffix != ".pyc"
    )
    for rule in RULES.values():
        for metric in re.findall(r"\baidc_[a-z_]+", rule.holds):
            if not metric.startswith("aidc_firewall_"):  # whose names are put together in awk
                assert metric in told, (rule.name, metric)
