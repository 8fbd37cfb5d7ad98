"""Which figures each service may leave for the metrics: names, and the labels of each. Pure.

A service that was taken over can write what it likes; what is not listed here is not taken (images/metrics).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# What each tells of its own container.
OWN = {
    "aidc_service_started_timestamp_seconds": ("service",),
    "aidc_service_memory_bytes": ("service",),
    "aidc_service_cpu_seconds_total": ("service",),
}
BACKUP = (
    "finished_timestamp_seconds",
    "duration_seconds",
    "objects",
    "bytes",
    "unreadable_objects",
    "unreadable_databases",
    "vault_bytes",
    "staging_bytes",
)
# Service → name → labels, in the order in which the programs write them.
ALLOWED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "firewall": {
        "aidc_firewall_connections_total": ("flow",),
        "aidc_firewall_dropped_packets_total": ("way", "role"),
        "aidc_firewall_needless_packets_total": (),
        "aidc_firewall_refused_packets_total": ("chain",),
    },
    "database": {
        "aidc_archive_waiting_segments": (),
        "aidc_archive_base_backups": (),
        "aidc_archive_last_full_timestamp_seconds": (),
        "aidc_archive_last_base_backup_timestamp_seconds": (),
        "aidc_archive_last_verified_timestamp_seconds": (),
        "aidc_archive_failing_since_timestamp_seconds": ("what",),
        "aidc_database_sessions": ("state",),
        "aidc_database_sessions_limit": (),
        "aidc_database_oldest_transaction_seconds": (),
        "aidc_database_transactions_total": ("result",),
        "aidc_database_blocks_total": ("from",),
        "aidc_database_deadlocks_total": (),
        "aidc_database_temporary_bytes_total": (),
        "aidc_database_checksum_failures_total": (),
        "aidc_database_log_bytes_total": (),
        "aidc_database_size_bytes": ("database",),
    },
    "backup": {
        "aidc_backup_state": ("job", "state"),
        **{f"aidc_backup_{name}": ("job",) for name in BACKUP},
    },
    "logs": {
        "aidc_logs_received_lines_total": ("source",),
        "aidc_logs_cut_pieces_total": ("source",),
        "aidc_logs_left_out_lines_total": ("source", "why"),
        "aidc_logs_stored_lines_total": (),
        "aidc_logs_redacted_lines_total": (),
        "aidc_logs_refused_datagrams_total": (),
        "aidc_logs_lost_datagrams_total": (),
        "aidc_logs_failed_batches_total": (),
        "vl_storage_is_read_only": (),
        "vl_data_size_bytes": ("type",),
    },
    # What a workstation has told it.
    "home": {"aidc_audit_failed": (), "aidc_node_refused": ("node",)},
    "vault-pruner": {"aidc_prune_ok": (), "aidc_prune_finished_timestamp_seconds": ()},
    "drill": {
        "aidc_drill_state": ("state",),
        "aidc_drill_finished_timestamp_seconds": (),
        "aidc_drill_duration_seconds": (),
    },
}
# Of these the one label is a compute node that the stack declares, and nothing else.
NAMED = ("aidc_node_refused",)


def allowed(nodes: Sequence[str]) -> str:
    """What `take-readings` in the image reads; `nodes`: the services that compute."""
    return "".join(
        f"{service} {name} {','.join(labels) or '-'}{' ' + ','.join(nodes) if name in NAMED else ''}\n"
        for service, names in ALLOWED.items()
        for name, labels in {**OWN, **names}.items()
        if nodes or name not in NAMED
    )
