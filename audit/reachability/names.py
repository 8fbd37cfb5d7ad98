"""Whether names can be resolved outside the stack: CVE-2024-29018 let internal networks do so. Pure.

Each container asks its resolvers for a name that exists nowhere, with a label that no other packet carries.
A packet with that label outside the stack's bridges is a leak, whether the container or the engine sent it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from audit.verdicts import Row, judged, not_checked, plural

ENGINE_RESOLVER = "127.0.0.11"
# Reserved for examples (RFC 2606): no real server is bothered by it.
DOMAIN = "example"
FIX = "repair the firewall if its rows fail too; otherwise update the engine (fixed in 23.0.11, 25.0.5, 26.0)"


@dataclass(frozen=True)
class Sighting:
    """A packet with a canary's label, on an interface of the host."""

    label: str
    interface: str


def label(token: str, index: int) -> str:
    """A label for the `index`-th source: none holds another, and all are on the wire as they are here."""
    return f"aidc{token}{index:04d}"


def nameservers(resolv_conf: str) -> list[str]:
    """The name servers of a resolv.conf."""
    words = (line.split() for line in resolv_conf.splitlines())
    return [row[1] for row in words if len(row) > 1 and row[0] == "nameserver"]


def answered(replies: Mapping[str, Mapping[str, str]]) -> Row:
    """`replies`: service → name server → its answer to a query for an outside name."""
    asked = [(s, server, answer) for s, found in replies.items() for server, answer in found.items()]
    bad = [f"{s} was answered by {server}: {answer}" for s, server, answer in asked if resolved(answer)]
    return judged(
        "outside names do not resolve",
        bad,
        f"{plural(len(asked), 'query')} from {plural(len(replies), 'service')}, none resolved",
        "resolved",
        FIX,
    )


def resolved(answer: str) -> bool:
    """Whether a server answered with addresses, or that the name does not exist.

    It can only know the latter from outside: the engine's own resolver fails instead (code 2).
    """
    return answer not in ("silent", "") and (answer.startswith("code 3") or not answer.endswith(" 0 answers"))


def leaked(
    sightings: Iterable[Sighting], labels: Mapping[str, str], inner: frozenset[str], control: str
) -> Row:
    """`labels`: label → service. `inner`: interfaces of the stack's own bridges and their ports.

    `control` is the label of a packet that was sent on purpose: unseen, the capture proves nothing.
    """
    name = "no name query leaves the stack"
    seen = list(sightings)
    if not any(s.label == control for s in seen):
        return not_checked(name, "the capture did not see its own control packet", "run as root on the host")
    ours = [s for s in seen if s.label in labels]
    outer = {(labels[s.label], s.interface) for s in ours if s.interface not in inner}
    within = sum(s.interface in inner for s in ours)
    good = f"{plural(len(labels), 'canary name')} queried, none on an interface outside the stack's bridges"
    if within:
        good += f" ({plural(within, 'packet')} seen and refused inside)"
    return judged(
        name,
        [f"{service}'s query on {interface}" for service, interface in sorted(outer)],
        good,
        "seen outside",
        FIX,
    )


def inner_interfaces(bridges: Sequence[str], masters: Mapping[str, str]) -> frozenset[str]:
    """The stack's bridges and the interfaces whose master is one of them."""
    return frozenset((*bridges, *(name for name, master in masters.items() if master in bridges)))
