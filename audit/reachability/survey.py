"""The reachability of a running stack, probed from within every network namespace at once.

Effects: enters the containers' network namespaces with listeners and probes of ours, makes a namespace that
stands for another host, captures packets on the host. Nothing in a container is changed. Needs root on the
engine's host.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from audit.engine import host
from audit.engine.snapshot import Snapshot
from audit.reachability import canaries, matrix, probes
from audit.reachability import counters as firewall
from audit.reachability.namespaces import OtherHost, Probers, of_process
from audit.reachability.probes import CLIENTS, HOST, IPV6, OUTSIDE, PLACES, SPARE_PORT, Probe
from audit.records import Place, Reachability
from audit.verdicts import Part, Row
from components.planning.inventory import Inventory, ServiceEntry

SECONDS = 1.0
# A declared flow that is not open at once gets a second chance: this host may just be busy.
AGAIN_SECONDS = 3.0
Shell = Callable[[Sequence[str]], str | None]


@dataclass
class Observations:
    """What the probes observed."""

    services: list[ServiceEntry]
    outcomes: list[matrix.Outcome] = field(default_factory=list)
    live: dict[str, frozenset[str]] = field(default_factory=dict)
    expected: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    from_host: dict[str, str] = field(default_factory=dict)
    from_outside: str = ""
    ipv6: dict[str, list[str]] = field(default_factory=dict)
    before: dict[str, int] | None = None
    after: dict[str, int] | None = None
    name_rows: list[Row] = field(default_factory=list)


def run(snapshot: Snapshot, inventory: Inventory, planned_rules: str, shell: Shell) -> Part:
    """Probe everything and judge it. `shell` runs a command in the firewall's container.

    Raises:
        namespaces.NamespaceError: a namespace could not be entered or made.
    """
    seen = observe(snapshot, inventory, planned_rules, shell)
    table = table_of(planned_rules)
    loaded = shell(("nft", "--stateless", "list", "table", "inet", table))
    control = seen.from_host.get(f"[{probes.OUTSIDE_IPV6}]:{SPARE_PORT}") == "open"
    rows = [
        *(_with_control(row, seen) for row in matrix.rows(seen.outcomes)),
        matrix.ipv6(seen.outcomes, seen.ipv6, control),
        *seen.name_rows,
        matrix.controls(seen.expected, seen.live, seen.failed),
        firewall.rules(planned_rules, loaded),
        firewall.risen(seen.before, seen.after, seen.outcomes),
    ]
    data = Reachability(
        places=_places(inventory, snapshot.running),
        probes=matrix.records(seen.outcomes),
        counters=firewall.rises(seen.before, seen.after),
    )
    return Part(tuple(rows), data)


def observe(snapshot: Snapshot, inventory: Inventory, planned_rules: str, shell: Shell) -> Observations:
    """All probes, at once from all sources. Raises NamespaceError."""
    services = probes.reachable(inventory, snapshot.running)
    seen = Observations(services)
    near = list(dict.fromkeys((*probes.gateways(inventory), *host.addresses(), probes.GATE_ADDRESS)))
    seen.expected = {s.name: probes.own_targets(s) for s in services}
    seen.expected[HOST] = [f"{address}:{SPARE_PORT}" for address in near]
    seen.expected[OUTSIDE] = [f"{probes.OUTSIDE_ADDRESS}:{SPARE_PORT}"]
    with OtherHost() as other, Probers() as probers:
        for service in services:
            probers.add(service.name, *of_process(snapshot.process(service.container)))
        probers.add(HOST)
        probers.add(OUTSIDE, *other.prefix)
        _listen(probers, seen)
        planned = [
            *probes.between(inventory, services),
            *probes.outwards(services, near),
            *probes.inwards(inventory, services, probes.bind_address(inventory)),
        ]
        command = ("nft", "--json", "list", "counters", "table", "inet", table_of(planned_rules))
        seen.before = _counters(shell(command))
        seen.outcomes = _probe(probers, planned, seen)
        seen.after = _counters(shell(command))
        seen.ipv6 = {s.name: probers.members[s.name].ask(do="facts")["ipv6"] for s in services}
        seen.name_rows = canaries.ask(probers, snapshot, services)
    return seen


def table_of(rules: str) -> str:
    """The name of the table that a rule set makes."""
    match = re.search(r"^table inet (\S+)", rules, re.MULTILINE)
    return match[1] if match else ""


def _counters(listing: str | None) -> dict[str, int] | None:
    return firewall.counters(listing) if listing else None


def _listen(probers: Probers, seen: Observations) -> None:
    """A listener at every target: the service's own, else one of ours; then each asked from within."""
    order = {"do": "probe", "token": "control", "seconds": SECONDS}
    own = probers.ask({place: {**order, "tcp": t, "udp": []} for place, t in seen.expected.items()})
    missing = {p: [t for t in targets if own[p]["tcp"][t] != "open"] for p, targets in seen.expected.items()}
    missing[OUTSIDE] = [*missing[OUTSIDE], f"[{probes.OUTSIDE_IPV6}]:{SPARE_PORT}"]
    made = probers.ask(
        {p: {"do": "listen", "tcp": missing[p], "udp": targets} for p, targets in seen.expected.items()}
    )
    seen.failed = {what: why for answer in made.values() for what, why in answer["failed"].items()}
    now = probers.ask({place: {**order, "tcp": t, "udp": t} for place, t in seen.expected.items()})
    for protocol in ("tcp", "udp"):
        states = {t: state for answer in now.values() for t, state in answer[protocol].items()}
        seen.live[protocol] = frozenset(t for t, state in states.items() if matrix.STATES[state] == "open")


def _probe(probers: Probers, planned: Sequence[Probe], seen: Observations) -> list[matrix.Outcome]:
    grouped = probes.by_source(planned)
    token = secrets.token_hex(4)
    tokens = {source: f"{token}-{index}" for index, source in enumerate(grouped)}
    # Whatever the host itself cannot reach proves nothing when a container cannot either.
    controls = [probes.METADATA_ADDRESS, probes.INTERNET_ADDRESS, *seen.expected[OUTSIDE]]
    controls.append(f"[{probes.OUTSIDE_IPV6}]:{SPARE_PORT}")
    orders = {
        place_of(source): _order(mine, tokens[source], SECONDS)
        for source, mine in grouped.items()
        if source != CLIENTS
    }
    mine = [p.target for p in grouped.get(CLIENTS, ())]
    orders[HOST] = {"do": "probe", "tcp": [*mine, *controls], "udp": [], "token": token, "seconds": SECONDS}
    found = probers.ask(orders)
    seen.from_host = found[HOST]["tcp"]
    gate = f"{probes.GATE_ADDRESS}:{SPARE_PORT}"
    control = {"do": "probe", "tcp": [gate], "udp": [], "token": token, "seconds": SECONDS}
    seen.from_outside = probers.ask({OUTSIDE: control})[OUTSIDE]["tcp"][gate]
    answers = {source: dict(found[place_of(source)]) for source in grouped}
    got = probers.ask({place: {"do": "received"} for place in seen.expected})
    heard = [line.split(" ", 1) for answer in got.values() for line in answer["udp"]]
    arrived = {s: frozenset(row[1] for row in heard if row[0] == tokens[s] and len(row) > 1) for s in grouped}
    outcomes = matrix.outcomes(planned, answers, arrived, seen.live)
    return _again(probers, outcomes)


def place_of(source: str) -> str:
    """Clients are on the host."""
    return HOST if source == CLIENTS else source


def _order(mine: Sequence[Probe], token: str, seconds: float) -> dict[str, Any]:
    tcp, udp = ([p.target for p in mine if p.protocol == protocol] for protocol in ("tcp", "udp"))
    return {"do": "probe", "tcp": tcp, "udp": udp, "token": token, "seconds": seconds}


def _again(probers: Probers, outcomes: list[matrix.Outcome]) -> list[matrix.Outcome]:
    """A second, longer try for what should be open and is not. What should be closed gets none."""
    late = [o.probe for o in outcomes if o.probe.expected == "open" and not o.right]
    if not late:
        return outcomes
    grouped = probes.by_source(late)
    found = {s: probers.ask({place_of(s): _order(p, "again", AGAIN_SECONDS)}) for s, p in grouped.items()}
    return [
        replace(o, seen=matrix.STATES[found[o.probe.source][place_of(o.probe.source)]["tcp"][o.probe.target]])
        if o.probe in late
        else o
        for o in outcomes
    ]


def _with_control(row: Row, seen: Observations) -> Row:
    """For a place outside the stack, whether this host reaches it or is reached from there."""
    for place, target in (("metadata", probes.METADATA_ADDRESS), ("internet", probes.INTERNET_ADDRESS)):
        if place in row.name:
            reach = "reaches it" if seen.from_host.get(target) == "open" else "does not reach it either"
            return replace(row, detail=f"{row.detail}; this host itself {reach}")
    if row.name == matrix.DIRECT and row.verdict == "pass" and seen.from_outside == "blocked":
        return replace(row, verdict="not checked", detail="the other host does not reach this one at all")
    return row


def _places(inventory: Inventory, running: frozenset[str]) -> list[Place]:
    """Rows and columns of the matrix, in the order of the traffic."""
    why = probes.left_out(inventory, running)

    def place(name: str, note: str = "") -> Place:
        return Place(name=name, kind="place", role="outside", note=note)

    notes = {HOST: "all its addresses", IPV6: "any way out by IPv6"}
    return [
        place(CLIENTS, "by the published ports"),
        place(OUTSIDE, "another host with a route to us"),
        *(
            Place(name=s.name, kind="service", role=s.role, note=why.get(s.name, ""))
            for s in inventory.services
        ),
        *(place(name, notes.get(name, "")) for name in PLACES if name != OUTSIDE),
    ]
