"""What the stack's own containers say when they are asked: refused packets, free disk."""

from __future__ import annotations

from collections.abc import Mapping

from audit.reachability.counters import counters
from operations.engine.client import Engine
from operations.status_document import Disk


def refused(engine: Engine, stack: str) -> dict[str, int] | None:
    """Refused packets by both ends, as `of_counters` has them; None where the firewall does not say."""
    listed = ["sh", "-c", 'nft --json list counters table inet "$AIDC_TABLE"']
    text = engine.output(f"aidc-{stack}-firewall", listed)
    try:
        return of_counters(counters(text or ""))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def of_counters(found: Mapping[str, int]) -> dict[str, int]:
    """Role → packets, but for roles without any; `host` stands for this machine, `all` for the sum."""
    by_role = {
        name.removeprefix("dropped_").replace("_", " ", 1).replace("_", "-"): packets
        for name, packets in found.items()
        if name.startswith("dropped_") and packets
    }
    sums = {"all": found["refused"] + found["refused_to_host"], "to host": found["refused_to_host"]}
    return {**sums, **dict(sorted(by_role.items(), key=lambda item: -item[1]))}


def disk(engine: Engine, stack: str) -> Disk | None:
    """The file system below the firewall's root, which is the engine's; None where it cannot be read."""
    text = engine.output(f"aidc-{stack}-firewall", ["df", "--block-size=1", "--output=size,avail", "/"])
    try:
        total, free = (text or "").splitlines()[1].split()
        return Disk(total_bytes=int(total), free_bytes=int(free))
    except (ValueError, IndexError):
        return None
