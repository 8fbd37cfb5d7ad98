"""What the dashboards show: one table of panels. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Panel:
    """One diagram: `shows` are queries, `names` what their lines are called; `unit` is that of the axis.

    `width` is in twelfths of the page.
    """

    title: str
    shows: tuple[str, ...]
    unit: str = ""
    about: str = ""
    names: tuple[str, ...] = ()
    width: int = 6


@dataclass(frozen=True)
class Dashboard:
    """Rows of panels, by the title of the row."""

    name: str
    title: str
    rows: dict[str, tuple[Panel, ...]]


OVERVIEW = Dashboard(
    "overview",
    "Overview",
    {
        "Is all of it there?": (
            Panel(
                "Services that tell their metrics",
                ("min(up) by (service)",),
                about="1: yes, 0: no",
                names=("{{service}}",),
            ),
            Panel(
                "Alerts that fire",
                ('count(ALERTS{alertstate="firing", alertname!="Watchdog"}) by (alertname)',),
                about="The page Alerts says what each means; docs/runbooks.md what to do.",
                names=("{{alertname}}",),
            ),
        ),
        "The machine": (
            Panel(
                "Processors in use",
                (
                    'sum(rate(node_cpu_seconds_total{mode!~"idle|iowait"}[2m]))',
                    'count(node_cpu_seconds_total{mode="idle"})',
                ),
                "cores",
                names=("in use", "there are"),
                width=4,
            ),
            Panel(
                "Memory",
                ("node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes"),
                "B",
                names=("in use", "there is"),
                width=4,
            ),
            Panel(
                "The engine's disk",
                (
                    'node_filesystem_avail_bytes{mountpoint="/data"}',
                    'node_filesystem_size_bytes{mountpoint="/data"}',
                ),
                "B",
                names=("free", "there is"),
                width=4,
            ),
        ),
    },
)
TRAINING = Dashboard(
    "training",
    "Training",
    {
        "Ray": (
            Panel("Tasks by state", ("sum(ray_tasks) by (State)",), names=("{{State}}",)),
            Panel("Actors by state", ("sum(ray_actors) by (State)",), names=("{{State}}",)),
        ),
        "Nodes": (
            Panel(
                "Processor",
                ("avg(ray_node_cpu_utilization) by (service)",),
                "%",
                names=("{{service}}",),
                width=4,
            ),
            Panel("Memory", ("max(ray_node_mem_used) by (service)",), "B", names=("{{service}}",), width=4),
            Panel(
                "GPU",
                ("avg(ray_node_gpus_utilization) by (service, GpuIndex)",),
                "%",
                names=("{{service}} {{GpuIndex}}",),
                width=4,
            ),
        ),
    },
)
SERVING = Dashboard(
    "serving",
    "Serving",
    {
        "At the load balancer": (
            Panel(
                "Requests",
                ("sum(rate(haproxy_frontend_http_requests_total[2m])) by (proxy)",),
                "1/s",
                names=("{{proxy}}",),
            ),
            Panel(
                "Answers that are errors",
                ('sum(rate(haproxy_backend_http_responses_total{code="5xx"}[2m])) by (proxy)',),
                "1/s",
                names=("{{proxy}}",),
            ),
            Panel(
                "Time until the answer",
                ("max(haproxy_backend_response_time_average_seconds) by (proxy)",),
                "s",
                about="Average of the last 1024 requests",
                names=("{{proxy}}",),
            ),
            Panel(
                "Servers that answer",
                ("sum(haproxy_backend_active_servers) by (proxy)",),
                names=("{{proxy}}",),
            ),
        ),
        "Models": (
            Panel(
                "Predictions",
                ("sum(rate(ray_serve_deployment_request_counter_total[2m])) by (deployment, application)",),
                "1/s",
                names=("{{application}} {{deployment}}",),
            ),
            Panel(
                "Replicas that are healthy",
                ("sum(ray_serve_deployment_replica_healthy) by (deployment, application)",),
                names=("{{application}} {{deployment}}",),
            ),
        ),
    },
)
STORAGE = Dashboard(
    "storage",
    "Storage and backup",
    {
        "Object store": (
            Panel(
                "Requests",
                ("sum(rate(minio_s3_requests_total[2m])) by (api)",),
                "1/s",
                names=("{{api}}",),
                width=4,
            ),
            Panel(
                "Traffic",
                (
                    "sum(rate(minio_s3_traffic_received_bytes[2m]))",
                    "sum(rate(minio_s3_traffic_sent_bytes[2m]))",
                ),
                "B/s",
                names=("in", "out"),
                width=4,
            ),
            Panel(
                "Drives",
                (
                    "max(minio_cluster_drive_online_total)",
                    "max(minio_cluster_drive_offline_total)",
                    "max(minio_cluster_health_erasure_set_healing_drives)",
                ),
                names=("online", "offline", "healing"),
                width=4,
            ),
        ),
        "Backup": (
            Panel(
                "Age of the newest backup and drill",
                (
                    "time() - aidc_backup_finished_timestamp_seconds",
                    "time() - aidc_drill_finished_timestamp_seconds",
                ),
                "s",
                names=("backup", "drill"),
            ),
            Panel(
                "Bytes",
                ("aidc_backup_vault_bytes", "aidc_backup_staging_bytes", "aidc_backup_bytes"),
                "B",
                names=("in the vault", "in the local copy", "of the objects"),
            ),
        ),
        "Database": (
            Panel(
                "Segments of the log that wait for the archive",
                ("aidc_archive_waiting_segments",),
                names=("segments",),
            ),
            Panel(
                "Age of the newest base backup",
                ("(time() - aidc_archive_last_base_backup_timestamp_seconds) < 1e8",),
                "s",
                names=("age",),
            ),
            Panel(
                "Sessions",
                ("sum(aidc_database_sessions) by (state)", "aidc_database_sessions_limit"),
                names=("{{state}}", "most"),
                width=4,
            ),
            Panel(
                "Transactions",
                ("sum(rate(aidc_database_transactions_total[5m])) by (result)",),
                "1/s",
                names=("{{result}}",),
                width=4,
            ),
            Panel(
                "Blocks that memory had",
                (
                    'sum(rate(aidc_database_blocks_total{from="memory"}[5m]))'
                    " / sum(rate(aidc_database_blocks_total[5m]))",
                ),
                about="1: nothing is read from the disk.",
                names=("share",),
                width=4,
            ),
            Panel("Size", ("aidc_database_size_bytes",), "B", names=("{{database}}",)),
            Panel(
                "Written to the log",
                ("rate(aidc_database_log_bytes_total[5m])",),
                "B/s",
                names=("bytes",),
            ),
        ),
        "Services": (
            Panel("Memory", ("max(aidc_service_memory_bytes) by (service)",), "B", names=("{{service}}",)),
            Panel(
                "Processors in use",
                ("sum(rate(aidc_service_cpu_seconds_total[5m])) by (service)",),
                "cores",
                names=("{{service}}",),
            ),
        ),
    },
)
NETWORK = Dashboard(
    "network",
    "Network flows",
    {
        "Firewall": (
            Panel(
                "New connections by flow",
                ("sum(rate(aidc_firewall_connections_total[5m])) by (flow) > 0",),
                "1/s",
                about="One line for each row of the flow table that is in use",
                names=("{{flow}}",),
                width=12,
            ),
            Panel(
                "Refused packets",
                ("sum(increase(aidc_firewall_refused_packets_total[5m])) by (chain)",),
                about="What no row of the flow table allows, in five minutes",
                names=("{{chain}}",),
                width=12,
            ),
        ),
    },
)
DASHBOARDS = (OVERVIEW, TRAINING, SERVING, STORAGE, NETWORK)
