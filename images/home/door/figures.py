"""What the metrics are asked, in one question, and their answer as rows. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

# One for each job that was submitted: Ray's own count of jobs has programs of Ray itself among them. The head
# alone is asked, on which no rank runs: a job can make up figures on its node.
SUBMITTED = 'ray_actors{job="ray-head", Component="gcs_server", Name="JobSupervisor", State!="DEAD"}'
GROUPS = 'ray_placement_groups{job="ray-head", Component="gcs_server", State=~"PENDING|RESCHEDULING"}'
# That the head counts at all.
COUNTS = 'ray_running_jobs{job="ray-head"}'
# Name → MetricsQL. A figure that is older than two minutes is none.
ASKED: dict[str, str] = {
    "up": "min(last_over_time(up[2m])) by (service)",
    "age": 'time() - max(last_over_time(node_textfile_mtime_seconds{file=~"/readings/.+"}[2m])) by (file)',
    "server": 'max(last_over_time(haproxy_server_status{job="load-balancer", state="UP"}[2m]))'
    " by (proxy, server)",
    "backup": "aidc_backup_state == 1",
    "backup-finished": "aidc_backup_finished_timestamp_seconds",
    "backup-objects": "aidc_backup_objects",
    "backup-bytes": "aidc_backup_bytes",
    "drill": "aidc_drill_state == 1",
    "drill-finished": "aidc_drill_finished_timestamp_seconds",
    "drill-seconds": "aidc_drill_duration_seconds",
    "refused": "aidc_firewall_refused_packets_total",
    "dropped": "aidc_firewall_dropped_packets_total > 0",
    "disk-free": 'min(node_filesystem_avail_bytes{mountpoint="/data"})',
    "disk-size": 'min(node_filesystem_size_bytes{mountpoint="/data"})',
    # What has ended is no longer counted at once: a window would show it for longer.
    "jobs": f"(sum({SUBMITTED}) or max({COUNTS}) * 0)",
    "jobs-waiting": f"(sum({GROUPS}) or max({COUNTS}) * 0)",
    "jobs-age": f"time() - max(tlast_over_time({COUNTS}[2m]))",
}
# Of these the labels are used; a figure that lacks one is none.
LABELS = {
    "server": {"proxy"},
    "backup": {"state"},
    "drill": {"state"},
    "refused": {"chain"},
    "dropped": {"way", "role"},
}
# What a service that was taken over can make up must fit into the page: a whole number of 64 bits, a year of
# four digits.
MOST, LATEST = 2.0**63, 253_402_300_799.0
QUERY = "union(" + ", ".join(f'label_set({asked}, "what", "{name}")' for name, asked in ASKED.items()) + ")"


@dataclass(frozen=True)
class Row:
    """One figure."""

    what: str
    labels: dict[str, str]
    value: float


class Figures:
    """The answer to QUERY, without what no such figure can be."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = [row for row in rows if _makes_sense(row)]

    def of(self, what: str) -> Iterator[Row]:
        return (row for row in self._rows if row.what == what)

    def one(self, what: str, matches: Callable[[dict[str, str]], bool] = lambda _: True) -> float | None:
        """The value of the first figure of this name whose labels match."""
        return next((row.value for row in self.of(what) if matches(row.labels)), None)


def read(text: str) -> Figures:
    """Raises ValueError for anything that is not such an answer."""
    try:
        told = json.loads(text)
        return Figures([_row(series) for series in told["data"]["result"]])
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not an answer to a query: {type(error).__name__}") from None


def _makes_sense(row: Row) -> bool:
    time = row.what.endswith("-finished")
    fits = 0 <= row.value <= LATEST if time else abs(row.value) < MOST
    return math.isfinite(row.value) and fits and LABELS.get(row.what, set()) <= row.labels.keys()


def _row(series: dict[str, Any]) -> Row:
    labels = {str(name): str(value) for name, value in series["metric"].items()}
    return Row(labels.pop("what"), labels, float(series["value"][1]))
