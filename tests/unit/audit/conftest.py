"""A small stack on paper, and what an audit of it looks like when all is well."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from audit.document import SCHEMA, Document, Environment, Timing
from audit.reachability import matrix, probes
from audit.reachability.probes import CLIENTS, OUTSIDE, Probe
from audit.records import (
    Attacks,
    Attempted,
    CertificateRecord,
    Certificates,
    Drift,
    NotCompared,
    Packages,
    Place,
    Policies,
    Reachability,
    RuleRecord,
    SourceStatus,
    WaiverRecord,
    Waivers,
)
from audit.run import record
from audit.verdicts import Row
from components.export import inventory as exported
from components.planning.config import StackConfig
from components.planning.inventory import Inventory, load
from components.planning.plan import make_plan
from components.runtime.image import IMAGES


@pytest.fixture(scope="session")
def inventory() -> Inventory:
    """The stack `test` as its output describes it."""
    return make_inventory()


def make_inventory() -> Inventory:
    return load(
        exported(make_plan("test", StackConfig()), {name: f"aidc-{name}:{'0' * 12}" for name in IMAGES})
    )


def running_of(inventory: Inventory) -> frozenset[str]:
    """Everything runs but the job, which has ended."""
    return frozenset(s.container for s in inventory.services if s.role != "object-store-setup")


@pytest.fixture(scope="session")
def running(inventory: Inventory) -> frozenset[str]:
    return running_of(inventory)


def planned_probes(inventory: Inventory, bind: str = "127.0.0.1") -> list[Probe]:
    services = probes.reachable(inventory, running_of(inventory))
    return [
        *probes.between(inventory, services),
        *probes.outwards(services, [*probes.gateways(inventory), "192.0.2.7"]),
        *probes.inwards(inventory, services, bind),
    ]


def answers_of(planned: list[Probe], **changed: str) -> dict[str, dict[str, dict[str, str]]]:
    """What probers answer on a stack that keeps its promises. `changed`: target → another answer."""
    words = {"open": {"tcp": "open", "udp": "answered"}, "closed": {"tcp": "refused", "udp": "silent"}}
    found: dict[str, dict[str, dict[str, str]]] = {}
    for probe in planned:
        word = words.get(probe.expected, {"tcp": "blocked", "udp": "silent"})[probe.protocol]
        answer = changed.get(probe.target, word)
        found.setdefault(probe.source, {"tcp": {}, "udp": {}})[probe.protocol][probe.target] = answer
    return found


def alive(planned: list[Probe]) -> dict[str, frozenset[str]]:
    """Every target has a listener."""
    targets = frozenset(p.target for p in planned)
    return {"tcp": targets, "udp": targets}


def all_right(inventory: Inventory) -> list[matrix.Outcome]:
    planned = planned_probes(inventory)
    return matrix.outcomes(planned, answers_of(planned), {}, alive(planned))


def make_document(found: list[matrix.Outcome] | None = None) -> dict[str, Any]:
    """A whole `audit.json` as it is read, made by hand where the parts need an engine."""
    inventory = make_inventory()
    outcomes = all_right(inventory) if found is None else found
    rows = [
        *(record("reachability", row) for row in matrix.rows(outcomes)),
        record("drift", Row("every field is as planned", "pass", "1,204 fields equal")),
        record("waivers", Row("waivers are in force", "warn", "1 waiver will expire: <soon>", "renew it")),
        record("packages", Row("image packages", "not checked", "the security tracker is not reachable")),
    ]
    made = Document(
        schema=SCHEMA,
        stack="test",
        started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        seconds=21.4,
        passed=all(row.verdict != "fail" for row in rows),
        environment=Environment(kernel="6.1", machine="x86_64", engine="26.1.5", commit="0123456789ab"),
        verdicts=rows,
        timings=[Timing(part="reachability", seconds=9.1), Timing(part="drift", seconds=0.4)],
        reachability=reachability(inventory, outcomes),
        drift=Drift(
            differences=[],
            compared=1204,
            resources=54,
            not_compared=[NotCompared(what="contents of 30 files", why="a plan does not know the seed")],
        ),
        policies=Policies(rules=[rule()]),
        attacks=Attacks(
            titles={"mount": "mount a file system"},
            attempts=[
                Attempted(service=s.name, attempt="mount", result="refused", detail="not permitted")
                for s in inventory.services
                if s.role != "object-store-setup"
            ],
        ),
        certificates=Certificates(certificates=[certificate()]),
        waivers=Waivers(waivers=[waiver()]),
        packages=Packages(images={}, findings=[]),
    )
    parsed: dict[str, Any] = json.loads(made.text())
    return parsed


def reachability(inventory: Inventory, outcomes: list[matrix.Outcome]) -> Reachability:
    why = probes.left_out(inventory, running_of(inventory))
    names = (CLIENTS, OUTSIDE, *(p for p in probes.PLACES if p != OUTSIDE))
    outside = [Place(name=name, kind="place", role="outside", note="") for name in names]
    services = [
        Place(name=s.name, kind="service", role=s.role, note=why.get(s.name, "")) for s in inventory.services
    ]
    return Reachability(
        places=[*outside[:2], *services, *outside[2:]],
        probes=matrix.records(outcomes),
        counters={"refused": 1234},
    )


def rule() -> RuleRecord:
    passed = SourceStatus(status="passed", failed=[], waived=[])
    return RuleRecord(
        rule="non-root",
        severity="high",
        level="mandatory",
        description="Checks whether …",
        sources=dict.fromkeys(("plan", "state", "live"), passed),
        disagreements=[],
    )


def certificate() -> CertificateRecord:
    return CertificateRecord(
        service="vault",
        target="10.77.8.30:8000",
        name="vault",
        names=["vault"],
        days_left=390,
        protocol="TLSv1.3",
        fault="",
    )


def waiver() -> WaiverRecord:
    return WaiverRecord(
        rule="non-root",
        resource="aidc-{stack}-firewall",
        reason="it needs an added capability",
        owner="platform-security",
        expires=date(2026, 1, 10),
        days_left=8,
        age_days=40,
    )


@pytest.fixture
def document() -> dict[str, Any]:
    return make_document()
