"""The collector's figures, as the metrics read them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .queues import Queues

# What of VictoriaLogs' own figures is worth keeping: its storage, by name.
OF_THE_STORE = re.compile(
    r"^(vl_(?:storage_is_read_only|data_size_bytes))(\{[^}\n]*\})? (\S+)$",
    re.MULTILINE,
)
COUNTED = {
    "aidc_logs_received_lines_total": "received",
    "aidc_logs_cut_pieces_total": "cut",
}


def rendered(queues: Queues, stored: int, redacted: int, single: Mapping[str, float], store: str) -> str:
    """Text in the format of node exporter's files. `store`: the answer of VictoriaLogs at /metrics."""
    lines = [
        f'{name}{{source="{service}"}} {count}'
        for name, attribute in COUNTED.items()
        for service, count in sorted(getattr(queues, attribute).items())
    ]
    for why in ("limited", "full"):
        lines += [
            f'aidc_logs_left_out_lines_total{{source="{service}",why="{why}"}} {count}'
            for service, count in sorted(getattr(queues, why).items())
        ]
    lines.append(f"aidc_logs_stored_lines_total {stored}")
    lines.append(f"aidc_logs_redacted_lines_total {redacted}")
    lines += [f"{name} {value:.0f}" for name, value in single.items()]
    for name, labels, value in OF_THE_STORE.findall(store):
        # A path says nothing to who looks at the figures.
        kept = re.sub(r'(^\{|,)path="[^"]*"', r"\1", labels).replace("{}", "").replace("{,", "{")
        lines.append(f"{name}{kept} {value}")
    return "\n".join(lines) + "\n"
