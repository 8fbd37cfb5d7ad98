"""The part `reachability`. Effects: see `survey`."""

from __future__ import annotations

from collections.abc import Sequence

from audit.context import Context
from audit.engine import inside
from audit.reachability.counters import planned_rules
from audit.verdicts import Part, not_checked

NEEDS_ROOT = "needs root on the engine's host"


def check(context: Context) -> Part:
    """Who can talk to whom. Raises audit.reachability.namespaces.NamespaceError."""
    from audit.reachability import survey  # noqa: PLC0415  (a capture and namespaces: not on every system)

    if not context.local:
        return Part(
            (not_checked("reachability", NEEDS_ROOT, "run make audit as root where the engine runs"),)
        )
    firewalls = context.inventory.by_role("firewall")
    container = firewalls[0].container if firewalls else ""

    def shell(command: Sequence[str]) -> str | None:
        return inside.output(context.client, container, command)

    return survey.run(context.snapshot, context.inventory, planned_rules(context.plan), shell)
