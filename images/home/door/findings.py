"""What a workstation has told, as figures for the alerts: the newest audit, and the nodes that get no ranks.

The health check runs it often: it needs none of the libraries with which a document is checked when it comes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

from .settings import TOLD, TOLD_NAME, say, stack


def main() -> None:
    """Nothing is printed where nothing was told."""
    try:
        document = (TOLD / TOLD_NAME).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return
    for line in lines(document, stack().computing):
        say(line)


def lines(document: str, nodes: Collection[str]) -> Iterator[str]:
    """For the metrics; `nodes`: those that the stack declares, and nothing of any other. Pure."""
    try:
        told = json.loads(document)
        audit, verdicts = told["last_audit"], {one["node"]: one["verdict"] for one in told["nodes"]}
        if audit is not None:
            yield f"aidc_audit_failed {int(audit['result'] == 'failed')}"
    except (ValueError, TypeError, LookupError, RecursionError):
        return
    for node in sorted(set(nodes) & set(verdicts)):
        # One that is waived gets ranks.
        yield f'aidc_node_refused{{node="{node}"}} {int(verdicts[node] == "fail")}'
