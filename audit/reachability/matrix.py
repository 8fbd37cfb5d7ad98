"""What the probes saw, judged against what was declared. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from audit.reachability.probes import BOTH, CLIENTS, HOST, INTERNET, IPV6, METADATA, OUTSIDE, PLACES, Probe
from audit.records import ProbeRecord, Seen
from audit.verdicts import Row, judged, not_checked, plural

# What each answer of the prober means for a path.
STATES: Mapping[str, Seen] = {
    "open": "open",
    "answered": "open",
    "refused": "refused",
    "blocked": "blocked",
    "silent": "blocked",
}


@dataclass(frozen=True)
class Outcome:
    """One probe and its result. `unknown`: nothing listened at the target, so silence proves nothing."""

    probe: Probe
    seen: Seen

    @property
    def right(self) -> bool:
        if self.probe.expected == "closed":
            return self.seen in ("refused", "blocked")
        return self.seen == self.probe.expected

    @property
    def fault(self) -> str:
        return f"{self.probe.what} is {self.seen}"


def outcomes(
    probes: Sequence[Probe],
    answers: Mapping[str, Mapping[str, Mapping[str, str]]],
    arrived: Mapping[str, frozenset[str]],
    live: Mapping[str, frozenset[str]],
) -> list[Outcome]:
    """Every probe's outcome.

    `answers`: source → protocol → target → the prober's word. `arrived`: source → the targets that got its
    datagrams, answered or not. `live`: protocol → the targets that answered their own service; only those of
    services, the host and the other host need to.
    """
    found = []
    for probe in probes:
        word = answers.get(probe.source, {}).get(probe.protocol, {}).get(probe.target, "")
        seen: Seen = STATES.get(word, "unknown")
        if probe.protocol == "udp" and probe.target in arrived.get(probe.source, frozenset()):
            seen = "open"
        if seen == "blocked" and needs_control(probe) and probe.target not in live[probe.protocol]:
            seen = "unknown"
        found.append(Outcome(probe, seen))
    return found


def needs_control(probe: Probe) -> bool:
    """Whether a listener must have been seen alive before "blocked" means anything."""
    return probe.expected == "blocked" and probe.destination not in (METADATA, INTERNET, IPV6)


@dataclass(frozen=True)
class Question:
    """One row: the probes that answer it."""

    name: str
    good: str
    bad: str
    fix: str
    of: Callable[[Probe], bool]


def _inner(probe: Probe) -> bool:
    return probe.source not in (CLIENTS, OUTSIDE) and probe.destination not in PLACES


DIRECT = "other hosts reach no container directly"
DENY = "load the declared rules again: `docker restart` the firewall's container, then audit again"
QUESTIONS = (
    Question(
        "declared flows connect",
        "all open",
        "not open",
        "check that the destination is healthy (make status), then compare the firewall's rules",
        lambda p: _inner(p) and p.expected == "open",
    ),
    Question(
        "undeclared pairs are blocked",
        "all blocked",
        "not blocked",
        DENY,
        lambda p: _inner(p) and p.protocol == "tcp" and p.expected == "blocked",
    ),
    Question(
        "UDP between services is blocked",
        "all blocked, none arrived",
        "not blocked",
        DENY,
        lambda p: _inner(p) and p.protocol == "udp" and p.expected == "blocked",
    ),
    Question(
        "clients reach the published ports",
        "all open",
        "not open",
        "check that the load balancer is healthy and its ports are free (make status)",
        lambda p: p.source == CLIENTS,
    ),
    Question(
        "other hosts find published ports where they should",
        "as bound",
        "not as bound",
        "compare load_balancer.bind with the ports that the container publishes",
        lambda p: p.source == OUTSIDE and p.segment == "edge" and p.expected != "blocked",
    ),
    Question(
        DIRECT,
        "all blocked",
        "not blocked",
        DENY,
        lambda p: p.source == OUTSIDE and p.expected == "blocked",
    ),
    Question(
        "containers do not reach the host",
        "all blocked",
        "not blocked",
        DENY,
        lambda p: p.destination == HOST,
    ),
    Question(
        "containers do not reach the metadata address",
        "all blocked",
        "not blocked",
        DENY,
        lambda p: p.destination == METADATA,
    ),
    Question(
        "containers do not reach the internet",
        "all blocked",
        "not blocked",
        DENY,
        lambda p: p.destination == INTERNET,
    ),
    Question(
        "containers do not reach other hosts",
        "all blocked",
        "not blocked",
        DENY,
        lambda p: p.destination == OUTSIDE,
    ),
)


def rows(found: Sequence[Outcome]) -> list[Row]:
    """One row per question."""
    made = []
    for question in QUESTIONS:
        mine = [outcome for outcome in found if question.of(outcome.probe)]
        if not mine:
            made.append(not_checked(question.name, "there was nothing to probe"))
            continue
        wrong = [outcome.fault for outcome in mine if not outcome.right]
        tried = plural(len(mine), "probe")
        bad = f"{len(wrong)} of {tried} {question.bad}"
        made.append(judged(question.name, wrong, f"{tried}, {question.good}", bad, question.fix))
    return made


def controls(
    expected: Mapping[str, Sequence[str]], live: Mapping[str, frozenset[str]], failed: Mapping[str, str]
) -> Row:
    """Whether every listener was seen open from its own namespace, over TCP and UDP.

    `expected`: place → its own targets. `failed`: "tcp target" → why no listener could be had there.
    """
    wanted = [
        (place, f"{protocol} {target}", target in live[protocol])
        for place, targets in expected.items()
        for protocol in BOTH
        for target in targets
    ]
    dead = [
        f"{place} {what}" + (f" ({failed[what]})" if what in failed else "")
        for place, what, alive in wanted
        if not alive
    ]
    return judged(
        "every listener answers from within",
        dead,
        f"{plural(len(wanted), 'listener')}, each seen open from its own side",
        f"{len(dead)} of {plural(len(wanted), 'listener')} silent",
        "check that the service is healthy: behind a silent port, blocked proves nothing",
    )


def ipv6(found: Sequence[Outcome], addresses: Mapping[str, Sequence[str]], control: bool) -> Row:
    """No container has an IPv6 address or a route out by it. `control`: this host reached the listener."""
    name = "containers have no IPv6"
    faults = [f"{service} has {address}" for service, listed in addresses.items() for address in listed]
    mine = [o for o in found if o.probe.destination == IPV6]
    faults += [o.fault for o in mine if o.seen != "blocked"]
    proof = "" if control else " (this host has no IPv6 either, so the probes prove nothing)"
    good = f"no address in {plural(len(addresses), 'service')}, {plural(len(mine), 'probe')} blocked{proof}"
    return judged(name, faults, good, "IPv6 is present", "disable IPv6 in the networks and the engine")


def records(found: Sequence[Outcome]) -> list[ProbeRecord]:
    """The probes for `audit.json`."""
    return [
        ProbeRecord(
            source=o.probe.source,
            destination=o.probe.destination,
            segment=o.probe.segment,
            protocol=o.probe.protocol,
            target=o.probe.target,
            expected=o.probe.expected,
            seen=o.seen,
            right=o.right,
        )
        for o in found
    ]
