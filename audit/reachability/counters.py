"""The loaded rule set against the planned one, and counters that must have risen. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from audit.reachability.matrix import Outcome
from audit.verdicts import Row, judged, not_checked, plural
from policies.model import Resource

FIX = "restart the firewall's container: it loads the planned rules and keeps them loaded"
REFUSED = "refused"


def planned_rules(resources: Sequence[Resource]) -> str:
    """The planned rule set: a file of the firewall's seed; it holds no secret."""
    for resource in resources:
        for upload in resource.each("uploads"):
            if str(upload.get("file")).endswith("/nftables.conf"):
                return str(upload.get("content"))
    return ""


def blocks(text: str) -> dict[str, list[str]]:
    """Each set and chain of one table, as nft writes or lists it: name → its statements in one spelling."""
    found: dict[str, list[str]] = {}
    name, line = "", ""
    for raw in text.splitlines():
        line = f"{line} {raw.split('#')[0].strip()}".strip()
        if heading := re.fullmatch(r"(set|chain) (\S+) \{", line):
            name, line = f"{heading[1]} {heading[2]}", ""
            found[name] = []
        elif line == "}":
            name = line = ""
        elif not name and line.startswith(("table ", "delete table ", "counter ")):
            line = ""
        elif line.count("{") == line.count("}"):  # A long set goes on in the next line.
            if name and line:
                found[name].append(spelled(line))
            line = ""
    return found


def spelled(line: str) -> str:
    """One statement: sets sorted, a set of one bare, names without quotes, one space between."""

    def in_order(match: re.Match[str]) -> str:
        items = sorted(item.strip() for item in match[1].split(",") if item.strip())
        return items[0] if len(items) == 1 else "{ " + ", ".join(items) + " }"

    head, comment, rest = line.partition(' comment "')
    head = re.sub(r"\{([^}]*)\}", in_order, head).replace('"', "")
    return " ".join(head.split()) + comment + rest


def differences(planned: str, loaded: str) -> list[str]:
    """What the loaded table lacks, has in excess, or has in another order."""
    faults = []
    wanted, found = blocks(planned), blocks(loaded)
    for name in dict.fromkeys((*wanted, *found)):
        if name not in found:
            faults.append(f"{name} is missing")
        elif name not in wanted:
            faults.append(f"{name} is not planned")
        else:
            faults += _statements(name, wanted[name], found[name])
    return faults


def _statements(name: str, wanted: Sequence[str], found: Sequence[str]) -> list[str]:
    lost, extra = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    faults = [f"{name} lacks: {line}" for line in lost.elements()]
    faults += [f"{name} has unplanned: {line}" for line in extra.elements()]
    if not faults and list(wanted) != list(found):
        faults.append(f"{name} has its rules in another order")
    return faults


def rules(planned: str, loaded: str | None) -> Row:
    """The row about the rules themselves."""
    name = "firewall rules are as planned"
    if loaded is None:
        return Row(name, "fail", "the firewall's container does not list its table", FIX)
    count = sum(len(lines) for lines in blocks(planned).values())
    faults = differences(planned, loaded)
    return judged(name, faults, f"{plural(count, 'statement')} equal", plural(len(faults), "difference"), FIX)


def counters(listing: str) -> dict[str, int]:
    """Packets of each named counter in `nft --json list counters`. Raises ValueError for another text."""
    entries = json.loads(listing)["nftables"]
    return {e["counter"]["name"]: int(e["counter"]["packets"]) for e in entries if "counter" in e}


def risen(before: Mapping[str, int] | None, after: Mapping[str, int] | None, seen: Sequence[Outcome]) -> Row:
    """Whether each allowed flow's counter counted every connection that was seen open, and refusals rose."""
    name = "firewall counters rose with the probes"
    if before is None or after is None:
        return Row(name, "fail", "the firewall's container does not list its counters", FIX)
    opened = Counter(o.probe.flow for o in seen if o.probe.flow and o.seen == "open")
    if not opened:
        return not_checked(name, "no declared flow was seen open")
    faults = []
    for flow, connections in opened.items():
        rise = after.get(flow, 0) - before.get(flow, 0)
        if rise < connections:
            faults.append(f"{flow} rose by {rise}, {plural(connections, 'connection')} opened")
    if after.get(REFUSED, 0) <= before.get(REFUSED, 0):
        faults.append(f"{REFUSED} did not rise, so something else blocked the probes")
    good = f"{plural(len(opened), 'flow')}: all of {plural(sum(opened.values()), 'connection')} were counted"
    bad = f"{plural(len(faults), 'counter')} did not rise: traffic bypasses the firewall"
    return judged(name, faults, good, bad, FIX)


def rises(before: Mapping[str, int] | None, after: Mapping[str, int] | None) -> dict[str, int]:
    """Counter → packets counted during the probes."""
    return {name: packets - (before or {}).get(name, 0) for name, packets in (after or {}).items()}
