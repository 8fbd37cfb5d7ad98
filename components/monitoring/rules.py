"""Alerts that a person must act on: one table, from which vmalert's rules come. Pure.

Each has a section in docs/runbooks.md, which says what it means and what to do. What one job alone knows is
asked of that job: a service that leaves its figures in a file could else speak for another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from components.planning.plan import Plan
from components.planning.receivers import ALIVE

RUNBOOKS = "docs/runbooks.md"
# When a service was started, as each kind of program tells it.
STARTED = (
    '{__name__=~"aidc_service_started_timestamp_seconds|process_start_time_seconds'
    '|minio_node_process_starttime_seconds"}'
)


@dataclass(frozen=True)
class Rule:
    """`holds` is MetricsQL, and true for each series that it returns; `minutes` it must have been so.

    `summary` may use {{ $labels.… }} and {{ $value }}.
    """

    name: str
    holds: str
    minutes: int
    severity: Literal["page", "ticket"]
    summary: str

    @property
    def runbook(self) -> str:
        return f"{RUNBOOKS}#{self.name.lower()}"


def rules(plan: Plan) -> tuple[Rule, ...]:
    """The alerts of a stack; what its services may hold is in some of them."""
    vault = plan.config.backup.vault_capacity
    return (
        # Several jobs ask some services.
        Rule(
            "ServiceDown",
            "min(up) by (service) == 0",
            3,
            "page",
            "{{ $labels.service }} does not tell its metrics",
        ),
        # Inference has servers only on nodes with a served model.
        Rule(
            "BackendDown",
            'max(haproxy_server_status{job="load-balancer", state="UP", proxy!="inference"})'
            " by (proxy, server) == 0",
            2,
            "page",
            "the load balancer finds no answer at {{ $labels.server }} ({{ $labels.proxy }})",
        ),
        Rule(
            "RestartLoop",
            # Not changes(), which counts that a figure is there at all. Of each figure by itself: two
            # programs of one service start at different seconds.
            f"max(changes_prometheus({STARTED}[30m]) keep_metric_names) by (service) >= 3",
            0,
            "page",
            "{{ $labels.service }} was restarted {{ $value }} times within half an hour",
        ),
        Rule(
            "ReadingsStale",
            'time() - min(node_textfile_mtime_seconds{file=~"/readings/.+"}) by (file) > 300',
            2,
            "page",
            "no figures in {{ $labels.file }} for {{ $value | humanizeDuration }}: "
            "that service hangs, or is stopped",
        ),
        Rule(
            "ReadingsRefused",
            'sum(aidc_readings_refused{job="host"}) by (source, why) > 0',
            2,
            "page",
            "{{ $labels.source }} leaves figures that are not its own to tell ({{ $labels.why }})",
        ),
        # Read, and yet not up: more samples than may be. That one was too large is told of no target: it is
        # one of those that are not up. What the store does not take is told of the metrics server, for all.
        Rule(
            "FiguresLeftOut",
            "max(scrape_series_limit_samples_dropped) by (service) > 0"
            " or max(scrape_samples_scraped and up == 0) by (service) > 0"
            " or min(up) by (service) == 0 and on() sum(increase("
            'vm_promscrape_max_scrape_size_exceeded_errors_total{job="metrics"}[5m])) > 0'
            ' or sum(increase(vm_rows_ignored_total{job="metrics", reason=~"too_.+|daily_.+"}[5m]))'
            " by (service) > 0",
            2,
            "ticket",
            "figures of {{ $labels.service }} are left out: they are too many, or too long",
        ),
        Rule(
            "DiskAlmostFull",
            'min(node_filesystem_avail_bytes{mountpoint="/data"} / node_filesystem_size_bytes) < 0.1',
            5,
            "page",
            "the engine's disk has {{ $value | humanizePercentage }} left",
        ),
        Rule(
            "MemoryAlmostUsedUp",
            "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.05",
            10,
            "ticket",
            "the machine has {{ $value | humanizePercentage }} of its memory left",
        ),
        Rule(
            "CertificateExpires",
            "min(aidc_certificate_expires_timestamp_seconds) by (certificate) - time() < 21 * 86400",
            0,
            "ticket",
            "{{ $labels.certificate }} expires in {{ $value | humanizeDuration }}",
        ),
        Rule(
            "BackupFailed",
            'aidc_backup_state{state=~"failed|late"} == 1',
            10,
            "page",
            "the newest backup of {{ $labels.exported_job }} is {{ $labels.state }}",
        ),
        Rule(
            "BackupPartial",
            'aidc_backup_state{state="partial"} == 1',
            30,
            "ticket",
            "the backup of {{ $labels.exported_job }} cannot read everything",
        ),
        Rule("PruneFailed", "aidc_prune_ok == 0", 10, "ticket", "snapshots cannot be pruned"),
        Rule(
            "VaultAlmostFull",
            f"aidc_backup_vault_bytes > {vault // 10 * 9}",
            10,
            "ticket",
            "the vault holds {{ $value | humanize1024 }}B",
        ),
        Rule(
            "DrillFailed",
            'aidc_drill_state{state=~"failed|stale"} == 1',
            0,
            "page",
            "the newest restore drill is {{ $labels.state }}",
        ),
        Rule(
            "ArchiveFails",
            'aidc_archive_failing_since_timestamp_seconds{what=~"push|stanza"} > 0',
            5,
            "page",
            "the database's log is not archived ({{ $labels.what }})",
        ),
        Rule(
            "BaseBackupFails",
            'aidc_archive_failing_since_timestamp_seconds{what!~"push|stanza"} > 0',
            60,
            "ticket",
            "the database's archive has a fault ({{ $labels.what }})",
        ),
        Rule(
            "DatabaseDamaged",
            "aidc_database_checksum_failures_total > 0",
            0,
            "page",
            "{{ $value }} blocks of the database did not have the checksum that was written with them",
        ),
        Rule(
            "DatabaseSessionsAlmostUsedUp",
            "sum(aidc_database_sessions) > 0.9 * max(aidc_database_sessions_limit)",
            5,
            "ticket",
            "{{ $value }} sessions are open: soon nobody can connect",
        ),
        Rule(
            "DatabaseTransactionOpen",
            "aidc_database_oldest_transaction_seconds > 3600",
            0,
            "ticket",
            "a transaction has been open for {{ $value | humanizeDuration }}: newer dead rows stay",
        ),
        Rule(
            "DriveOffline",
            'max(minio_cluster_drive_offline_total{job=~"object-store.*"}) > 0',
            5,
            "page",
            "{{ $value }} drives of the object store are offline",
        ),
        Rule(
            "StoreHeals",
            'max(minio_cluster_health_erasure_set_healing_drives{job=~"object-store.*"}) > 0',
            60,
            "ticket",
            "{{ $value }} drives of the object store have been healing for an hour",
        ),
        Rule(
            "StoreAlmostFull",
            'min(minio_cluster_capacity_usable_free_bytes{job=~"object-store.*"}'
            ' / minio_cluster_capacity_usable_total_bytes{job=~"object-store.*"}) < 0.1',
            10,
            "page",
            "the object store has {{ $value | humanizePercentage }} left",
        ),
        Rule(
            "ManyErrors",
            'sum(rate(haproxy_backend_http_responses_total{job="load-balancer", code="5xx"}[5m])) by (proxy)'
            ' / sum(rate(haproxy_backend_http_responses_total{job="load-balancer"}[5m])) by (proxy) > 0.05'
            ' and sum(increase(haproxy_backend_http_responses_total{job="load-balancer"}[5m])) by (proxy)'
            " > 20",
            5,
            "page",
            "{{ $value | humanizePercentage }} of the answers of {{ $labels.proxy }} are errors",
        ),
        Rule(
            "SlowAnswers",
            'max(haproxy_backend_response_time_average_seconds{job="load-balancer", proxy="inference"}) > 1',
            10,
            "ticket",
            "inference answers after {{ $value | humanizeDuration }} on average",
        ),
        # Of each training the rank that advanced last: the others may wait for it. Over some minutes, as a
        # busy node misses a reading now and then. One alert for all: a job says how its trainings are called.
        Rule(
            "TrainingStalled",
            "count(time() - max(max_over_time("
            'ray_aidc_rank_advanced_timestamp_seconds{job="compute"}[3m])) by (training) > 900)',
            0,
            "ticket",
            "{{ $value }} trainings have not advanced for a quarter of an hour",
        ),
        Rule(
            "TrafficRefused",
            "sum(increase(aidc_firewall_refused_packets_total[10m])) by (chain) > 100",
            0,
            "ticket",
            "the firewall refused {{ $value }} packets ({{ $labels.chain }}) within ten minutes",
        ),
        # Something always speaks: with Ray, a stack writes many lines an hour even when nobody works with it.
        Rule(
            "LogsSilent",
            "sum(increase(aidc_logs_stored_lines_total[1h])) == 0"
            ' and max(time() - aidc_service_started_timestamp_seconds{service="logs"}) > 3600',
            5,
            "ticket",
            "no line of any service was stored within an hour",
        ),
        Rule(
            "LogsNotStored",
            "sum(increase(aidc_logs_failed_batches_total[10m])) > 5 or max(vl_storage_is_read_only) > 0",
            5,
            "page",
            "lines cannot be stored: what comes now is lost as soon as the queues are full",
        ),
        Rule(
            "LogsLeftOut",
            "sum(increase(aidc_logs_left_out_lines_total[10m])) by (source) > 1000",
            0,
            "ticket",
            "{{ $value }} lines of {{ $labels.source }} were left out within ten minutes: it writes too many",
        ),
        Rule(
            "LogsLost",
            "sum(increase(aidc_logs_lost_datagrams_total[10m])) > 100",
            0,
            "ticket",
            "{{ $value }} lines were lost before the collector could take them: a service floods the others",
        ),
        # What a workstation has told the front door: it stays until the next audit or check is told.
        Rule(
            "AuditFailed",
            "max(aidc_audit_failed) > 0",
            0,
            "page",
            "the newest security audit found something that is not as declared",
        ),
        Rule(
            "NodeRefused",
            "max(aidc_node_refused) by (node) > 0",
            0,
            "ticket",
            "{{ $labels.node }} did not pass its check: it gets no ranks",
        ),
        Rule(
            "NotificationsFail",
            "sum(increase(alertmanager_notifications_failed_total"
            '{job="alertmanager", receiver_name!="trial"}[15m])) by (integration) > 0',
            0,
            "page",
            "{{ $labels.integration }} does not take alerts: nobody is told that way",
        ),
        *_sign_of_life(plan),
    )


def _sign_of_life(plan: Plan) -> tuple[Rule, ...]:
    """It always fires: who gets it misses it when the stack, or the way out, is gone."""
    if not plan.config.monitoring.alerts.alive_minutes:
        return ()
    return (Rule(ALIVE, "vector(1)", 0, "ticket", "the stack's alerts are evaluated and told"),)


def configuration(plan: Plan) -> str:
    """vmalert's file of rules, JSON, which is YAML as well."""
    entries = [
        {
            "alert": rule.name,
            "expr": rule.holds,
            "for": f"{rule.minutes}m",
            "labels": {"severity": rule.severity, "stack": plan.stack},
            "annotations": {"summary": rule.summary, "runbook": rule.runbook},
        }
        for rule in rules(plan)
    ]
    return json.dumps({"groups": [{"name": "aidc", "rules": entries}]}, indent=1) + "\n"
